/** Promises on a real Kafka and a real PostgreSQL. */
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import {
  BaseKafkaConsumer,
  createOptimizedConsumer,
  Decoder,
  KafkaFailedError,
  loadConsumerConfig,
  type WeftRecord
} from "@weft/promise"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { execFile } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Kafka, logLevel } from "kafkajs"
import { assert, describe, it } from "vitest"
import { brokers, freshDatabase, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"

const execute = promisify(execFile)

const withDatabase = <A, E>(url: string, effect: Effect.Effect<A, E, SqlClient.SqlClient>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Postgres.layerUrl(Redacted.make(url))))

const migrated = async (): Promise<string> => {
  const url = await freshDatabase()
  await withDatabase(url, SqlMigrator.run())
  return url
}

const query = (url: string, text: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
  withDatabase(url, Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(text)))

const until = async (what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 2_000; i++) {
    if (await isTrue()) return
    await sleep(50)
  }
  assert.fail(`it never came to ${what}`)
}

const committedOffset = async (group: string, topic: string): Promise<number> => {
  const admin = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return found!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
  } finally {
    await admin.disconnect()
  }
}

interface Numbered {
  readonly n: number
}

describe("on a real Kafka, configured from a real PostgreSQL", () => {
  it("reads, sends, follows the row, measures, and leaves nothing uncommitted", { timeout: 600_000 }, async () => {
    const database = await migrated()
    const [input, output] = [await freshTopic("promise-in", 3), await freshTopic("promise-out")]
    const service = freshName("service")
    const group = freshGroup("promise")
    await query(
      database,
      `INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id, max_poll_records, session_timeout_ms)
       VALUES ('${service}', '${group}', 50, 30000)`
    )
    const consumer = await createOptimizedConsumer<Numbered>({
      database,
      service,
      topics: [input],
      brokers: [...brokers()],
      metricsIntervalMs: 500,
      logger: false,
      stopOn: false
    })
    assert.deepStrictEqual(
      [
        consumer.config.consumerGroupId,
        consumer.config.maxPollRecords,
        consumer.config.provenance.maxPollRecords.source
      ],
      [group, 50, "row"]
    )
    const count = 300
    for (let n = 0; n < count; n++) void consumer.send(input, { n }, { key: `k${n}` })
    const seen = new Set<number>()
    const running = consumer.run({
      eachRecord: async (record) => {
        await consumer.send(output, { doubled: record.value.n * 2 })
        seen.add(record.value.n)
      }
    })
    await until("all records", () => seen.size === count)

    await query(
      database,
      `UPDATE pipeline_consumer_configs SET max_poll_records = 77 WHERE service_name = '${service}'`
    )
    await until("the changed row", () => consumer.config.maxPollRecords === 77)
    const applied = `SELECT 1 AS there FROM consumer_applied_configs WHERE service_name = '${service}'
      AND configuration -> 'settings' -> 'max_poll_records' ->> 'value' = '77'`
    await until("the member's report", async () => (await query(database, applied)).length > 0)

    await consumer.close()
    await running
    assert.strictEqual(await committedOffset(group, input), count)
    const [{ processed } = { processed: 0 }] = await query(
      database,
      `SELECT sum(messages_processed)::int AS processed FROM consumer_processing_metrics WHERE service_name = '${service}'`
    )
    assert.strictEqual(processed, count)

    // Another one, by a loop, reads what the first one wrote.
    const doubled: Array<number> = []
    const reader = await createOptimizedConsumer({
      service: freshName("reader"),
      topics: [output],
      brokers: brokers().join(","),
      value: Decoder.json<{ readonly doubled: number }>(),
      logger: false,
      stopOn: false
    })
    for await (const record of reader) {
      doubled.push(record.value.doubled)
      if (doubled.length === count) {
        await record.commit()
        break
      }
    }
    assert.deepStrictEqual(new Set(doubled), new Set(Array.from({ length: count }, (_, n) => n * 2)))
    assert.strictEqual(await committedOffset(reader.config.consumerGroupId, output), count)
  })

  it("the class: dead letters, and a second life that repeats nothing", { timeout: 600_000 }, async () => {
    const topic = await freshTopic("promise-class")
    const group = freshGroup("promise-class")
    const handled: Array<number> = []
    class Doubler extends BaseKafkaConsumer<Numbered> {
      override async processMessage({ value }: WeftRecord<Numbered>): Promise<void> {
        if (value.n === 3) throw new RangeError("three")
        handled.push(value.n)
        await Promise.resolve()
      }
    }
    const life = () =>
      new Doubler({
        service: "doubler",
        groupId: group,
        topics: [topic],
        brokers: brokers(),
        onFailure: { RangeError: "dead-letter" },
        logger: false,
        stopOn: false
      })
    const first = life()
    const running = first.run()
    for (let n = 0; n < 6; n++) await first.sendToTopic(topic, { n })
    await until("six settled", () => first.totals.processed === 6)
    await first.stop()
    await running
    assert.strictEqual(first.totals.deadLetters, 1)
    assert.strictEqual(await committedOffset(group, topic), 6)

    const second = life()
    const again = second.run()
    await second.sendToTopic(topic, { n: 6 })
    await until("the new record", () => handled.includes(6))
    await second.stop()
    await again
    assert.deepStrictEqual(handled, [0, 1, 2, 4, 5, 6])
  })

  it("a topic that does not exist ends the run with a code", async () => {
    const consumer = await createOptimizedConsumer({
      service: freshName("nobody"),
      topics: [freshName("no-such-topic")],
      brokers: brokers(),
      logger: false,
      stopOn: false
    })
    const error: unknown = await consumer.run({ eachRecord: () => undefined }).catch((error: unknown) => error)
    assert.instanceOf(error, KafkaFailedError)
    assert.strictEqual((error as KafkaFailedError).code, "UNKNOWN_TOPIC")
  })
})

describe("on @platformatic/kafka", () => {
  it("a consumer takes the group protocol of its row, in place of the one before, and repeats nothing", {
    timeout: 600_000
  }, async () => {
    const database = await migrated()
    const topic = await freshTopic("promise-kip848", 2)
    const [service, group] = [freshName("service"), freshGroup("promise-kip848")]
    await query(
      database,
      `INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id) VALUES ('${service}', '${group}')`
    )
    const consumer = await createOptimizedConsumer<Numbered>({
      transport: "platformatic",
      database,
      service,
      topics: [topic],
      brokers: brokers(),
      logger: false,
      stopOn: false
    })
    const seen: Array<number> = []
    const running = consumer.run({ eachRecord: ({ value }) => void seen.push(value.n) })
    const send = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, i) => consumer.send(topic, { n: from + i }, { partition: i % 2 }))
      )
    await send(0, 50)
    await until("the first records", () => seen.length === 50)
    const generations: Array<string> = []
    consumer.on("assigned", ({ memberId }) => void generations.push(memberId))
    await query(
      database,
      `UPDATE pipeline_consumer_configs SET group_protocol = 'consumer' WHERE service_name = '${service}'`
    )
    await until("the new protocol", () => consumer.config.groupProtocol === "consumer")
    await until("a new membership", () => generations.length > 0)
    await send(50, 100)
    await until("the other records", () => seen.length >= 100)
    await consumer.close()
    await running
    assert.deepStrictEqual(seen.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, n) => n))
    assert.strictEqual(await committedOffset(group, topic), 100)
  })

  it("a package that is not installed is told by its name", async () => {
    const without = fileURLToPath(new URL("../../../test-support/withoutPlatformatic.mjs", import.meta.url))
    const program = `
      const { createOptimizedConsumer } = await import("@weft/promise")
      const options = { transport: "platformatic", service: "s", topics: ["t"], brokers: "localhost:1", logger: false }
      const error = await createOptimizedConsumer(options).catch((error) => error)
      console.log(JSON.stringify([error.code, error.option, error.message]))`
    const { stderr, stdout } = await execute(
      process.execPath,
      ["--import", without, "--input-type=module", "-e", program],
      { cwd: fileURLToPath(new URL("..", import.meta.url)) }
    )
    assert.deepStrictEqual(JSON.parse(stdout), [
      "INVALID_OPTION",
      "transport",
      "transport platformatic needs a package that is not installed here: npm install @weft/platformatic"
    ], stderr)
  })
})

describe("loadConsumerConfig", () => {
  it("answers the row, and falls back where there is none or no database", async () => {
    const database = await migrated()
    await query(
      database,
      "INSERT INTO pipeline_consumer_configs (service_name, max_poll_records, session_timeout_ms) VALUES ('geo', 9999, 30000)"
    )
    const config = await loadConsumerConfig(database, "geo")
    assert.deepStrictEqual([config.sessionTimeoutMs, config.heartbeatIntervalMs], [30_000, 10_000])
    assert.deepStrictEqual([config.maxPollRecords, config.provenance.maxPollRecords.source], [100, "default"])
    assert.strictEqual(config.provenance.maxPollRecords.refused?.raw, 9999)
    assert.deepStrictEqual(config.issues.map(({ kind }) => kind), ["OutOfBounds"])
    const missing = await loadConsumerConfig({ url: database, poolSize: 1 }, "nobody", { profile: "high-volume" })
    assert.deepStrictEqual([missing.maxPollRecords, missing.issues[0]?.kind], [500, "MissingRow"])
    const away = await loadConsumerConfig("postgres://weft@127.0.0.1:1/weft", "geo")
    assert.deepStrictEqual([away.maxPollRecords, away.issues[0]?.kind], [100, "DatabaseUnreachable"])
  })
})
