import { Kafka, logLevel } from "kafkajs"
import { dropDatabases } from "../scripts/servers/postgres.ts"

const removeFromKafka = async (brokers: ReadonlyArray<string>, runPrefix: string) => {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.ERROR }).admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(runPrefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId).filter((id) =>
      id.startsWith(runPrefix)
    )
    if (groups.length > 0) await admin.deleteGroups(groups)
  } finally {
    await admin.disconnect()
  }
}

/** Servers that were given to the tests (KAFKA_BROKERS, DATABASE_URL) are left as they were found. */
export const removeTestData = async (options: {
  readonly runPrefix: string
  readonly brokers?: ReadonlyArray<string>
  readonly databaseUrl?: string
}): Promise<void> => {
  if (options.brokers !== undefined) await removeFromKafka(options.brokers, options.runPrefix)
  if (options.databaseUrl !== undefined) await dropDatabases(options.databaseUrl, options.runPrefix)
}
