/** Keeps a producer busy, and looks whether all has arrived. */
import { Kafka, logLevel } from "kafkajs"
import type { Progress, Task } from "./Contender.ts"
import { makeSizes, type Sends, sendsUnderWay } from "./sends.ts"

/** `send` ends when so many records are acknowledged. */
export const writeAll = async (
  task: Task,
  progress: Progress,
  sends: Sends,
  send: (records: number) => Promise<unknown>
): Promise<void> => {
  const next = makeSizes(task.records, sends)
  const writing = async () => {
    for (let size = next(); size > 0; size = next()) {
      await send(size)
      progress.seen(size, size * task.bytes)
    }
  }
  await Promise.all(Array.from({ length: sendsUnderWay(sends) }, writing))
}

/** The topic was empty; now it holds each record once. */
export const checkWritten = async ({ brokers, records, topic }: Task): Promise<void> => {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const partitions = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const written = partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
  if (written !== records) throw new Error(`the topic holds ${written} records of ${records}`)
}
