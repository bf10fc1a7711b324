import { type Consumer, Kafka, logLevel } from "kafkajs"
import { fetchSettings, type Task } from "./Contender.ts"

/** A kafkajs consumer that reads the topic from its beginning. */
export const subscribed = async (task: Task): Promise<Consumer> => {
  const consumer = new Kafka({ brokers: [...task.brokers], logLevel: logLevel.NOTHING }).consumer({
    groupId: task.group,
    minBytes: fetchSettings.minBytes,
    maxWaitTimeInMs: fetchSettings.maxWaitMs,
    maxBytes: fetchSettings.maxBytes,
    maxBytesPerPartition: fetchSettings.maxBytesPerPartition
  })
  await consumer.connect()
  await consumer.subscribe({ topic: task.topic, fromBeginning: true })
  return consumer
}
