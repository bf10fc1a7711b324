import { Consumer, MessagesStreamModes } from "@platformatic/kafka"
import { fetchSettings } from "../contenders/Contender.ts"
import { groupSettings, type Listener } from "./Listener.ts"

export const onData: Listener = async ({ brokers, group, onAssigned, onRecord, topic, until }) => {
  const consumer = new Consumer({
    clientId: "bench",
    groupId: group,
    bootstrapBrokers: [...brokers],
    autocommit: groupSettings.commitIntervalMs,
    minBytes: fetchSettings.minBytes,
    maxWaitTime: fetchSettings.maxWaitMs,
    maxBytes: fetchSettings.maxBytes,
    maxBytesPerPartition: fetchSettings.maxBytesPerPartition,
    heartbeatInterval: groupSettings.heartbeatMs,
    sessionTimeout: groupSettings.sessionMs
  })
  consumer.on("consumer:group:join", () => onAssigned?.())
  // Where nothing is committed yet it begins with the oldest record.
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: "earliest"
  })
  stream.on("data", ({ partition, value }) => onRecord(value, partition))
  await until
  await stream.close()
  await consumer.close(true)
}
