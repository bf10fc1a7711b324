import type { Contender } from "./Contender.ts"
import { subscribed } from "./kafkajsClient.ts"

export const run: Contender = async (task, progress) => {
  const consumer = await subscribed(task)
  await consumer.run({
    eachBatch: async ({ batch }) => {
      let bytes = 0
      for (const message of batch.messages) bytes += message.value?.length ?? 0
      progress.seen(batch.messages.length, bytes)
    }
  })
  await progress.done
  await consumer.disconnect()
}
