/** The producers of kafkajs and of @platformatic/kafka, with nothing around them. */
import { ProduceAcks, Producer } from "@platformatic/kafka"
import { Kafka, logLevel } from "kafkajs"
import type { Contender } from "./Contender.ts"
import type { Sends } from "./sends.ts"
import { checkWritten, writeAll } from "./writing.ts"

const times = <A>(count: number, make: () => A): Array<A> => Array.from({ length: count }, make)

export const onKafkajs = (sends: Sends): Contender => async (task, progress) => {
  const producer = new Kafka({ brokers: [...task.brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const value = Buffer.alloc(task.bytes, "x")
  await writeAll(
    task,
    progress,
    sends,
    (records) => producer.send({ topic: task.topic, acks: -1, messages: times(records, () => ({ value })) })
  )
  await producer.disconnect()
  await checkWritten(task)
}

export const onPlatformatic = (sends: Sends): Contender => async (task, progress) => {
  const producer = new Producer({ clientId: "bench", bootstrapBrokers: [...task.brokers], acks: ProduceAcks.ALL })
  const value = Buffer.alloc(task.bytes, "x")
  await writeAll(
    task,
    progress,
    sends,
    (records) => producer.send({ messages: times(records, () => ({ topic: task.topic, value })) })
  )
  await producer.close()
  await checkWritten(task)
}
