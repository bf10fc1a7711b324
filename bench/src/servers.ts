/** The real servers of a benchmark, and what each run finds on them: a filled topic or one of its own, an empty database. */
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type Admin, Kafka, logLevel } from "kafkajs"
import { createTopic } from "../../scripts/servers/createTopic.ts"
import { startKafka } from "../../scripts/servers/kafka.ts"
import { dropDatabases, type PostgresServer, startPostgres } from "../../scripts/servers/postgres.ts"
import { fill } from "./topic.ts"
import type { Shape } from "./workloads.ts"

export interface Servers {
  readonly brokers: ReadonlyArray<string>
  /** Filled when it is first asked for; the same for all that want this shape. */
  readonly filledTopic: (shape: Shape) => Promise<string>
  /** Empty, and deleted afterwards. */
  readonly withEmptyTopic: <A>(partitions: number, use: (topic: string) => Promise<A>) => Promise<A>
  /** The URL of a new database with Weft's tables. */
  readonly freshDatabase: () => Promise<string>
  /** Leaves nothing behind, also where the servers are not ours. */
  readonly stop: () => Promise<void>
}

const named = `weft-bench-${process.pid}`
const databases = `weft_bench_${process.pid}_`

const topicsOn = (admin: Admin, brokers: ReadonlyArray<string>) => {
  const filled = new Map<string, Promise<string>>()
  let made = 0
  const use: Pick<Servers, "filledTopic" | "withEmptyTopic"> = {
    filledTopic: ({ bytes, partitions, records }) => {
      const topic = `${named}-${records}-${bytes}-${partitions}`
      const known = filled.get(topic)
      if (known !== undefined) return known
      console.log(`filling ${topic}: ${records} records of ${bytes} bytes, ${partitions} partitions`)
      const done = fill({ brokers, topic, partitions, records, bytes }).then(() => topic)
      filled.set(topic, done)
      return done
    },
    withEmptyTopic: async (partitions, use) => {
      const topic = `${named}-empty-${++made}`
      await createTopic(brokers, { topic, numPartitions: partitions })
      try {
        return await use(topic)
      } finally {
        await admin.deleteTopics({ topics: [topic] })
      }
    }
  }
  return { use, remove: async () => filled.size > 0 && admin.deleteTopics({ topics: [...filled.keys()] }) }
}

const databasesOf = (started: () => Promise<PostgresServer>): Servers["freshDatabase"] => {
  let made = 0
  return async () => {
    const url = await (await started()).createDatabase(`${databases}${++made}`)
    await Effect.runPromise(Effect.provide(SqlMigrator.run(), Postgres.layerUrl(Redacted.make(url))))
    return url
  }
}

/** Kafka at once, PostgreSQL when it is first asked for. */
export const startServers = async (): Promise<Servers> => {
  const kafka = await startKafka()
  const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  const topics = topicsOn(admin, kafka.brokers)
  let starting: Promise<PostgresServer> | undefined
  const stopPostgres = async () => {
    const postgres = await starting
    if (postgres === undefined) return
    try {
      await dropDatabases(postgres.url, databases)
    } finally {
      await postgres.stop()
    }
  }
  const stop = async () => {
    try {
      await stopPostgres()
      await topics.remove()
    } finally {
      await admin.disconnect()
      await kafka.stop()
    }
  }
  try {
    await admin.connect()
    return {
      brokers: kafka.brokers,
      ...topics.use,
      freshDatabase: databasesOf(() => starting ??= startPostgres()),
      stop
    }
  } catch (error) {
    await kafka.stop()
    throw error
  }
}
