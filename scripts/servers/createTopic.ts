import { type Admin, type ITopicConfig, Kafka, logLevel } from "kafkajs"
import { waitUntil } from "./waitUntil.ts"

const withAdmin = async <A>(brokers: ReadonlyArray<string>, use: (admin: Admin) => Promise<A>): Promise<A> => {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, connectionTimeout: 30_000 }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/**
 * Creates a topic and waits until each of its leaders serves it. That metadata names a leader is not enough: it may not
 * have heard yet, and refuse one partition of a request while it writes the other. kafkajs's producer, which is not
 * idempotent, then sends all of it again.
 */
export const createTopic = async (
  brokers: ReadonlyArray<string>,
  topic: ITopicConfig & { readonly numPartitions: number }
): Promise<void> => {
  await withAdmin(brokers, (admin) => admin.createTopics({ topics: [topic], waitForLeaders: false }))
  await waitUntil({
    what: `topic ${topic.topic}`,
    timeoutMs: 60_000,
    // By a client of its own each time: kafkajs would go on with the leaders that it once heard of.
    isReady: async () => {
      const served = await withAdmin(brokers, (admin) => admin.fetchTopicOffsets(topic.topic))
      return served.length === topic.numPartitions
    },
    giveUp: () => {}
  })
}
