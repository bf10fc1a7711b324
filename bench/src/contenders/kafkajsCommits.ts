/**
 * kafkajs by itself, committing after each batch, as it does whatever `autoCommitInterval` says, and every five seconds, as a
 * program does it that has switched that off.
 */
import type { Consumer } from "kafkajs"
import { commitIntervalMs, Commits } from "./commits.ts"
import type { Contender, Task } from "./Contender.ts"
import { subscribed } from "./kafkajsClient.ts"
import { lapMaxWaitMs, Laps } from "./laps.ts"

export const rewind = (consumer: Consumer, { partitions, topic }: Task): void => {
  for (let partition = 0; partition < partitions; partition++) consumer.seek({ topic, partition, offset: "0" })
}

export const eachBatch = (cadence: "each batch" | "every 5 s"): Contender => async (task) => {
  const commits = new Commits(task)
  const consumer = await subscribed(task, lapMaxWaitMs)
  consumer.on(consumer.events.COMMIT_OFFSETS, commits.made)
  const positions = new Map<number, string>()
  const laps = new Laps(task.records, commits.progress, () => {
    positions.clear()
    rewind(consumer, task)
  })
  await consumer.run({
    autoCommit: cadence === "each batch",
    eachBatch: async ({ batch }) => {
      let bytes = 0
      for (const message of batch.messages) bytes += message.value?.length ?? 0
      positions.set(batch.partition, String(BigInt(batch.lastOffset()) + 1n))
      laps.seen(batch.messages.length, bytes)
    }
  })
  const timer = cadence === "each batch" ? undefined : setInterval(() => {
    void consumer.commitOffsets([...positions].map(([partition, offset]) => ({ topic: task.topic, partition, offset })))
  }, commitIntervalMs)
  await commits.progress.done
  clearInterval(timer)
  await consumer.disconnect()
  return commits.result()
}
