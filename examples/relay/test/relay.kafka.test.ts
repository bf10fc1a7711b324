import { afterEach, assert, describe, it } from "@effect/vitest"
import type { Message } from "kafkajs"
import { brokers, freshDatabase, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"
import { databaseOf, query } from "./support/database.ts"
import { RelayProcess } from "./support/relayProcess.ts"
import { asRelayed, endOf, fill, readAll, until, withAdmin } from "./support/topics.ts"
import { verdict } from "./support/verdict.ts"

/** `RELAY_TEST_RECORDS=1000000 npx vitest run ...` for a longer run. */
const records = Number(process.env["RELAY_TEST_RECORDS"] ?? "100000")
const partitions = 4
/** Processes start, and each of them compiles all of it: minutes where the processor is shared by many. */
const testMs = 600_000

let running: Array<RelayProcess> = []
afterEach(async () => {
  await Promise.all(running.map((relay) => relay.kill()))
  running = []
})

const start = (environment: Readonly<Record<string, string>>): RelayProcess => {
  const relay = new RelayProcess({ KAFKA_BROKERS: brokers().join(","), ...environment })
  running.push(relay)
  return relay
}

interface Way {
  readonly input: string
  readonly output: string
  readonly group: string
  readonly environment: Readonly<Record<string, string>>
}

const way = async (environment: Readonly<Record<string, string>> = {}): Promise<Way> => {
  const input = await freshTopic("relay-in", partitions)
  const output = await freshTopic("relay-out", partitions)
  const group = freshGroup("relay")
  return {
    input,
    output,
    group,
    environment: { RELAY_IN: input, RELAY_OUT: output, RELAY_GROUP: group, ...environment }
  }
}

const explain = () => running.map((relay) => relay.log.slice(-3_000)).join("\n----\n")

const joined = (group: string, members: number) =>
  until(
    `${members} members of ${group}`,
    () =>
      withAdmin(async (admin) => {
        const [found] = (await admin.describeGroups([group])).groups
        return found?.state === "Stable" && found.members.length === members
      }),
    explain
  )

const relayedAtLeast = (output: string, count: number) =>
  until(`${count} records in ${output}`, async () => (await endOf(output)) >= count, explain)

const message = (i: number, more: object = {}): Message => ({
  partition: i % partitions,
  key: `key-${i % 101}`,
  value: JSON.stringify({ id: i, ...more, padding: "x".repeat(100) })
})

const messages = (count: number, more: (i: number) => object = () => ({})) =>
  Array.from({ length: count }, (_, i) => message(i, more(i)))

/** The offsets that the messages have in their partitions, save those that are not expected in the output. */
const expectedOf = (sent: ReadonlyArray<Message>, isExpected: (i: number) => boolean = () => true) => {
  const next = new Map<number, number>()
  const expected = new Map<number, Set<number>>()
  sent.forEach(({ partition = 0 }, i) => {
    const offset = next.get(partition) ?? 0
    next.set(partition, offset + 1)
    const offsets = expected.get(partition) ?? new Set()
    expected.set(partition, offsets)
    if (isExpected(i)) offsets.add(offset)
  })
  return expected
}

const isRight = { missing: 0, duplicates: 0, outOfOrder: 0 }

describe("the relay on a real Kafka", () => {
  it(
    `brings ${records} records over with two members, in order and none twice, though one is stopped half-way`,
    async () => {
      const database = await databaseOf("relay")
      const { environment, group, input, output } = await way({ DATABASE_URL: database })
      const one = start({ ...environment, RELAY_MEMBER: "one" })
      const two = start({ ...environment, RELAY_MEMBER: "two" })
      await joined(group, 2)

      const sent = messages(records)
      const filling = fill(input, sent)
      await relayedAtLeast(output, records / 2)
      assert.strictEqual(await one.terminate(), 0, one.log)
      await filling
      await relayedAtLeast(output, records)
      assert.strictEqual(await two.terminate(), 0, two.log)

      const found = verdict(expectedOf(sent), asRelayed(await readAll(output)))
      assert.deepInclude(found, { relayed: records, ...isRight })
      assert.isAbove(found.byMember["one"] ?? 0, 0)
      assert.isAbove(found.byMember["two"] ?? 0, 0)

      const [stored] = await query<{ processed: bigint }>(
        database,
        "SELECT sum(messages_processed)::bigint AS processed FROM consumer_processing_metrics WHERE service_name = 'relay'"
      )
      assert.strictEqual(Number(stored!.processed), records)
    },
    testMs
  )

  it("keeps key and value as they are: none, empty, no text", async () => {
    const { environment, input, output } = await way({ RELAY_MEMBER: "m" })
    const bytes = Buffer.from([0, 255, 254, 128, 10])
    const sent: ReadonlyArray<Message> = [
      { partition: 1, key: null, value: "without a key" },
      { partition: 1, key: "tombstone", value: null },
      { partition: 1, key: "", value: "" },
      { partition: 1, key: bytes, value: bytes, headers: { "not-utf8": bytes } }
    ]
    await fill(input, sent)
    const relay = start(environment)
    await relayedAtLeast(output, sent.length)
    assert.strictEqual(await relay.terminate(), 0, relay.log)
    const stored = await readAll(output)
    const text = (value: Message["value"] | undefined) =>
      value === null || value === undefined ? null : Buffer.from(value).toString("hex")
    assert.deepStrictEqual(
      stored.map(({ key, value }) => [text(key), text(value)]),
      sent.map(({ key, value }) => [text(key), text(value)])
    )
    assert.deepStrictEqual(
      stored.map(({ headers }) => headers),
      sent.map((_, i) => ({ "source-partition": "1", "source-offset": String(i), member: "m" }))
    )
  }, testMs)

  it("sends poison to the dead-letter topic, and everything else on, in order", async () => {
    const dead = freshName("relay-dead")
    const { environment, input, output } = await way({ RELAY_FAIL: "poison", RELAY_DLQ: dead })
    const isPoison = (i: number) => i % 50 === 7
    const sent = messages(1_000, (i) => isPoison(i) ? { poison: true } : {})
    await fill(input, sent)
    const relay = start(environment)
    await relayedAtLeast(output, 980)
    await until("20 dead letters", async () => (await endOf(dead)) === 20, explain)
    assert.strictEqual(await relay.terminate(), 0, relay.log)

    const found = verdict(expectedOf(sent, (i) => !isPoison(i)), asRelayed(await readAll(output)))
    assert.deepInclude(found, { relayed: 980, ...isRight })
    const letters = await readAll(dead)
    assert.sameMembers(
      letters.map(({ value }) => value!.toString()),
      sent.filter((_, i) => isPoison(i)).map(({ value }) => String(value))
    )
    assert.isTrue(letters.every(({ headers }) => headers["kafka_dlt-original-topic"] === input))
  }, testMs)

  it("tries again what fails by chance, until it succeeds", async () => {
    const { environment, input, output } = await way({ RELAY_FAIL: "flaky:0.05" })
    const sent = messages(1_000)
    await fill(input, sent)
    const relay = start(environment)
    await relayedAtLeast(output, 1_000)
    assert.strictEqual(await relay.terminate(), 0, relay.log)
    assert.deepInclude(verdict(expectedOf(sent), asRelayed(await readAll(output))), { relayed: 1_000, ...isRight })
    assert.notInclude(await withAdmin((admin) => admin.listTopics()), `${input}.dlq`)
  }, testMs)

  it("keeps the order of each key with many at work, though a member is stopped half-way", async () => {
    const { environment, group, input, output } = await way({
      RELAY_ORDER: "key",
      RELAY_WORK_MS: "0-20",
      RELAY_CONCURRENCY: "32",
      DATABASE_URL: await databaseOf("relay")
    })
    const one = start({ ...environment, RELAY_MEMBER: "one" })
    const two = start({ ...environment, RELAY_MEMBER: "two" })
    await joined(group, 2)
    const sent = messages(4_000)
    await fill(input, sent)
    await relayedAtLeast(output, 2_000)
    assert.strictEqual(await one.terminate(), 0, one.log)
    await relayedAtLeast(output, 4_000)
    assert.strictEqual(await two.terminate(), 0, two.log)
    const found = verdict(expectedOf(sent), asRelayed(await readAll(output)))
    assert.deepInclude(found, { relayed: 4_000, missing: 0, duplicates: 0, outOfOrderByKey: 0 })
    // Else nothing was at work at the same time, and the order would prove nothing.
    assert.isAbove(found.outOfOrder, 0)
  }, testMs)

  it("loses nothing where no order is asked for", async () => {
    const { environment, input, output } = await way({ RELAY_ORDER: "none", RELAY_WORK_MS: "0-5" })
    const sent = messages(2_000)
    await fill(input, sent)
    const relay = start(environment)
    await relayedAtLeast(output, 2_000)
    assert.strictEqual(await relay.terminate(), 0, relay.log)
    const found = verdict(expectedOf(sent), asRelayed(await readAll(output)))
    assert.deepInclude(found, { relayed: 2_000, missing: 0, duplicates: 0 })
  }, testMs)

  it("says that it has no database, and runs by the defaults", async () => {
    const { environment, group, input, output } = await way()
    await fill(input, messages(10))
    const relay = start(environment)
    await relayedAtLeast(output, 10)
    assert.include(relay.log, "DATABASE_URL is not set: the settings are the defaults in the code")
    await joined(group, 1)
    assert.strictEqual(await relay.terminate(), 0, relay.log)
  }, testMs)

  it("runs though its database is down, or has no tables", async () => {
    for (const url of ["postgres://nobody@127.0.0.1:1/nowhere", await freshDatabase()]) {
      const { environment, input, output } = await way({ DATABASE_URL: url })
      await fill(input, messages(10))
      const relay = start(environment)
      await relayedAtLeast(output, 10)
      assert.strictEqual(await relay.terminate(), 0, relay.log)
    }
  }, testMs)

  it("ends with a clear error where the output does not exist, and where no broker answers", async () => {
    const { environment } = await way({ RELAY_OUT: freshName("nowhere") })
    const lost = start(environment)
    assert.strictEqual(await lost.exited, 1)
    assert.include(lost.log, "UnknownTopicError")
    assert.include(lost.log, environment["RELAY_OUT"]!)

    const alone = start({ ...environment, KAFKA_BROKERS: "127.0.0.1:1" })
    assert.strictEqual(await alone.exited, 1)
    assert.include(alone.log, "127.0.0.1:1")
  }, testMs)
})
