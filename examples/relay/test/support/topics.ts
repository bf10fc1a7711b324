/** Fills the relay's input and reads its output, with a client of its own. */
import { type Admin, Kafka, logLevel, type Message } from "kafkajs"
import { setTimeout as pause } from "node:timers/promises"
import { brokers, freshGroup } from "../../../../test-support/servers.ts"
import type { Relayed } from "./verdict.ts"

export const client = (): Kafka => new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING })

export const withAdmin = async <A>(use: (admin: Admin) => Promise<A>): Promise<A> => {
  const admin = client().admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** kafkajs groups the messages of one send in quadratic time: small sends are the fast ones. */
const recordsPerSend = 2_000

/** Writes the messages, each to the partition that it names, and once: kafkajs repeats what is not answered in time. */
export const fill = async (topic: string, messages: ReadonlyArray<Message>): Promise<void> => {
  const producer = client().producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let from = 0; from < messages.length; from += recordsPerSend) {
    await producer.send({ topic, acks: -1, messages: messages.slice(from, from + recordsPerSend) })
  }
  await producer.disconnect()
}

export interface Stored {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

const isRetriable = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "retriable" in error && error.retriable === true

/**
 * How many records the topic has had. A busy broker answers a look-up of a topic that was just created with
 * NOT_LEADER_OR_FOLLOWER, which kafkajs passes on as retriable: so it is asked again, for a minute at most.
 */
export const endOf = async (topic: string): Promise<number> => {
  const deadline = performance.now() + 60_000
  for (;;) {
    try {
      return await withAdmin(async (admin) =>
        (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0)
      )
    } catch (error) {
      if (!isRetriable(error) || performance.now() > deadline) throw error
      await pause(100)
    }
  }
}

/** Every record of the topic, up to its end as it is now. */
export const readAll = async (topic: string): Promise<ReadonlyArray<Stored>> => {
  const expected = await endOf(topic)
  if (expected === 0) return []
  // By place: after a rebalance the consumer begins anew.
  const records = new Map<string, Stored>()
  const consumer = client().consumer({ groupId: freshGroup("read-back"), maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { headers, key, offset, value } of batch.messages) {
          records.set(`${batch.partition}@${offset}`, {
            partition: batch.partition,
            offset: Number(offset),
            key,
            value,
            headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]))
          })
        }
        if (records.size >= expected) resolve()
      }
    }).catch(reject)
  })
  await consumer.disconnect()
  return [...records.values()]
}

export const asRelayed = (records: ReadonlyArray<Stored>): ReadonlyArray<Relayed> =>
  records.map(({ headers, key, offset, partition }) => ({
    sourcePartition: Number(headers["source-partition"]),
    sourceOffset: Number(headers["source-offset"]),
    key: key?.toString() ?? null,
    member: headers["member"] ?? "",
    partition,
    offset
  }))

/** Nothing that a test waits for takes so long, but on a machine that does something else. */
const patienceMs = 240_000

/**
 * Polls until it is so, or fails with what was awaited and whatever `explain` adds. Where the question fails, it is not so
 * yet: a busy cluster may not know the coordinator of a group for a moment.
 */
export const until = async (what: string, isSo: () => Promise<boolean>, explain = () => ""): Promise<void> => {
  const deadline = performance.now() + patienceMs
  let failure: unknown
  const asked = () =>
    isSo().catch((error: unknown) => {
      failure = error
      return false
    })
  while (!(await asked())) {
    if (performance.now() > deadline) {
      throw new Error(`waited for ${what} for ${patienceMs} ms\n${explain()}`, { cause: failure })
    }
    await pause(50)
  }
}
