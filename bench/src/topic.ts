import { Kafka, logLevel } from "kafkajs"

export interface Filling {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly bytes: number
}

/** kafkajs groups the messages of one send in quadratic time: small sends are the fast ones. */
const recordsPerSend = 2_000

const paddedTo = (bytes: number, id: number): Buffer => {
  const head = `{"id":${id},"pad":"`
  return Buffer.from(head + "x".repeat(Math.max(0, bytes - head.length - 2)) + "\"}")
}

/** Creates the topic and fills it, each partition with its share. */
export const fill = async ({ brokers, bytes, partitions, records, topic }: Filling): Promise<void> => {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  for (let from = 0; from < records; from += recordsPerSend) {
    const messages = Array.from({ length: Math.min(recordsPerSend, records - from) }, (_, i) => ({
      key: `k${(from + i) % 997}`,
      value: paddedTo(bytes, from + i),
      partition: (from + i) % partitions
    }))
    await producer.send({ topic, acks: 1, messages })
  }
  await producer.disconnect()
}
