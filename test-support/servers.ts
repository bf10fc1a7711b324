/** The real servers, for tests named *.kafka.test.ts or *.pg.test.ts: started once for the run, shared by all. */
import { type Admin, Kafka, logLevel } from "kafkajs"
import { randomUUID } from "node:crypto"
import { setTimeout } from "node:timers/promises"
import { inject } from "vitest"
import { createDatabase } from "../scripts/servers/postgres.ts"

const started = <A>(value: A | undefined, isThere: (value: A) => boolean, fileName: string): A => {
  if (value === undefined || !isThere(value)) {
    throw new Error(`this server was not started: the test's file must be named ${fileName}`)
  }
  return value
}

/** The shared Kafka's brokers. */
export const brokers = (): ReadonlyArray<string> =>
  started(inject("brokers"), (addresses) => addresses.length > 0, "*.kafka.test.ts")

/** The maintenance database of the shared PostgreSQL, for tests about databases themselves; others take `freshDatabase`. */
export const databaseUrl = (): string =>
  started(inject("databaseUrl"), (url) => url !== "", "*.kafka.test.ts or *.pg.test.ts")

/** A name that nothing else has: for a topic that is not created, a client. */
export const freshName = (prefix: string): string =>
  `${inject("runPrefix") ?? "weft-test"}-${prefix}-${randomUUID().slice(0, 8)}`

/** The id of a consumer group that does not exist yet. */
export const freshGroup = (prefix: string): string => freshName(`${prefix}-group`)

const withAdmin = async <A>(use: (admin: Admin) => Promise<A>): Promise<A> => {
  const admin = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/**
 * Creates a topic, waits until each of its leaders serves it, and returns its name. That metadata names a leader is not
 * enough: it may not have heard yet, and refuse one partition of a request while it writes the other. kafkajs's producer,
 * which is not idempotent, then sends all of it again.
 */
export const freshTopic = async (
  prefix: string,
  partitions = 1,
  settings: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const topic = freshName(prefix)
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await withAdmin((admin) =>
    admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: false })
  )
  // A client of its own for each attempt: kafkajs would go on with the leaders that it once heard of.
  const served = () => withAdmin((admin) => admin.fetchTopicOffsets(topic)).then(({ length }) => length, () => 0)
  const deadline = performance.now() + 60_000
  while (performance.now() < deadline) {
    if (await served() === partitions) return topic
    await setTimeout(50)
  }
  throw new Error(`topic ${topic} is not served by its leaders after a minute`)
}

/** Creates an empty database and returns its URL. */
export const freshDatabase = (): Promise<string> => createDatabase(databaseUrl(), freshName("db"))
