import type { Contender } from "./Contender.ts"
import { subscribed } from "./kafkajsClient.ts"

export const run: Contender = async (task, progress) => {
  const consumer = await subscribed(task)
  await consumer.run({
    eachMessage: async ({ message }) => {
      progress.seen(1, message.value?.length ?? 0)
    }
  })
  await progress.done
  await consumer.disconnect()
}
