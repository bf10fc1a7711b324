import { Kafka, logLevel } from "kafkajs"
import { fetchSettings } from "../contenders/Contender.ts"
import { groupSettings, type Listener } from "./Listener.ts"

export const eachMessage: Listener = async ({ brokers, group, onAssigned, onRecord, topic, until }) => {
  const consumer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).consumer({
    groupId: group,
    minBytes: fetchSettings.minBytes,
    maxWaitTimeInMs: fetchSettings.maxWaitMs,
    maxBytes: fetchSettings.maxBytes,
    maxBytesPerPartition: fetchSettings.maxBytesPerPartition,
    heartbeatInterval: groupSettings.heartbeatMs,
    sessionTimeout: groupSettings.sessionMs
  })
  consumer.on("consumer.group_join", () => onAssigned?.())
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommitInterval: groupSettings.commitIntervalMs,
    eachMessage: async ({ message, partition }) => onRecord(message.value!, partition)
  })
  await until
  await consumer.disconnect()
}
