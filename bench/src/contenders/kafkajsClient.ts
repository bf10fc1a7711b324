import { type Consumer, Kafka, logLevel } from "kafkajs"
import { fetchSettings, type Task } from "./Contender.ts"

/** A kafkajs consumer that reads the topic from its beginning. */
export const subscribed = async (
  task: Pick<Task, "brokers" | "group" | "topic">,
  maxWaitMs: number = fetchSettings.maxWaitMs
): Promise<Consumer> => {
  const consumer = new Kafka({ brokers: [...task.brokers], logLevel: logLevel.NOTHING }).consumer({
    groupId: task.group,
    minBytes: fetchSettings.minBytes,
    maxWaitTimeInMs: maxWaitMs,
    maxBytes: fetchSettings.maxBytes,
    maxBytesPerPartition: fetchSettings.maxBytesPerPartition
  })
  await consumer.connect()
  await consumer.subscribe({ topic: task.topic, fromBeginning: true })
  return consumer
}
