import { Kafka, logLevel } from "kafkajs"
import { createTopic } from "../../scripts/servers/createTopic.ts"

export interface Filling {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly bytes: number
}

/** kafkajs groups the messages of one send in quadratic time: small sends are the fast ones. */
const recordsPerSend = 2_000

/**
 * What a producer that has much to write puts into a record batch. Were the records dealt out one by one, many partitions
 * would have small batches, and a sweep over partitions would measure the size of a batch instead.
 */
const recordsPerBatch = 500

/** Of a record batch; brokers take 1 MiB by default. */
const batchMaxBytes = 900_000

/** How many records in a row go to one partition: each partition has its share, and where it can be, in whole batches. */
export const runLength = ({ bytes, partitions, records }: Pick<Filling, "bytes" | "partitions" | "records">): number =>
  Math.max(1, Math.min(recordsPerBatch, Math.floor(batchMaxBytes / bytes), Math.floor(records / partitions)))

const paddedTo = (bytes: number, id: number): Buffer => {
  const head = `{"id":${id},"pad":"`
  return Buffer.from(head + "x".repeat(Math.max(0, bytes - head.length - 2)) + "\"}")
}

/** Creates the topic and fills it, each partition with its share. */
export const fill = async ({ brokers, bytes, partitions, records, topic }: Filling): Promise<void> => {
  await createTopic(brokers, { topic, numPartitions: partitions })
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const run = runLength({ bytes, partitions, records })
  // One run for each partition: what one send has for a partition becomes one batch.
  const perSend = Math.max(run, Math.min(run * partitions, recordsPerSend - recordsPerSend % run))
  for (let from = 0; from < records; from += perSend) {
    const messages = Array.from({ length: Math.min(perSend, records - from) }, (_, i) => ({
      key: `k${(from + i) % 997}`,
      value: paddedTo(bytes, from + i),
      partition: Math.floor((from + i) / run) % partitions
    }))
    await producer.send({ topic, acks: 1, messages })
  }
  await producer.disconnect()
}
