/** The real servers, for tests named *.kafka.test.ts or *.pg.test.ts: started once for the run, shared by all. */
import { randomUUID } from "node:crypto"
import { inject } from "vitest"
import { createTopic } from "../scripts/servers/createTopic.ts"
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

/** Creates a topic, waits until its leaders serve it, and returns its name. */
export const freshTopic = async (
  prefix: string,
  partitions = 1,
  settings: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const topic = freshName(prefix)
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await createTopic(brokers(), { topic, numPartitions: partitions, configEntries })
  return topic
}

/** Creates an empty database and returns its URL. */
export const freshDatabase = (): Promise<string> => createDatabase(databaseUrl(), freshName("db"))
