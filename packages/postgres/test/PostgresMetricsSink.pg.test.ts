import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as LagHistory from "@weft/postgres/LagHistory"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { empty, migrated, migratedUrl, pool } from "./support/database.ts"
import { proxy } from "./support/proxy.ts"

const metrics = (
  timestamp: number,
  change: Partial<MetricsSink.ProcessingMetrics> = {}
): MetricsSink.ProcessingMetrics => ({
  service: "georegion-detector",
  topic: "location.address.geocoded",
  member: "m1",
  timestamp,
  intervalMs: 5000,
  messagesProcessed: 500,
  processingTimeMs: 2.5,
  processingTimeP50Ms: 2,
  processingTimeP95Ms: 5,
  processingTimeP99Ms: 9,
  messagesPerSecond: 100,
  bytes: 100_000,
  retries: 3,
  failures: 4,
  skipped: 1,
  deadLetters: 2,
  durations: [[2, 400], [5, 80], [9, 20]],
  batches: 5,
  fullBatches: 1,
  partitions: 3,
  busiestPartitionRecords: 300,
  busiestKeyRecords: undefined,
  memoryUsageMb: 80.5,
  ...change
})

const sample = (
  timestamp: number,
  partition: number,
  change: Partial<MetricsSink.LagSample> = {}
): MetricsSink.LagSample => ({
  service: "georegion-detector",
  group: "loom-georegion",
  member: "m1",
  topic: "location.address.geocoded",
  partition,
  lag: 20n,
  consumerOffset: 100n,
  endOffset: 120n,
  lagSeconds: 1.5,
  timestamp,
  ...change
})

const sinkOn = (database: typeof migrated) =>
  Layer.mergeAll(PostgresMetricsSink.layer, LagHistory.layer).pipe(Layer.provideMerge(database))

describe("PostgresMetricsSink", () => {
  it.live("writes every measurement, in one statement", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      yield* sink.write({
        metrics: [metrics(now), metrics(now, { topic: "other" })],
        members: [],
        lag: [sample(now, 0), sample(now, 1, { endOffset: 9223372036854775807n })]
      })
      const rows = yield* sql`SELECT * FROM consumer_processing_metrics ORDER BY topic`
      assert.strictEqual(rows.length, 2)
      const { id, ...row } = rows[0]!
      assert.strictEqual(typeof id, "bigint")
      assert.deepStrictEqual(row, {
        service_name: "georegion-detector",
        messages_processed: 500n,
        processing_time_ms: 2.5,
        messages_per_second: 100,
        memory_usage_mb: 80.5,
        timestamp: new Date(now),
        topic: "location.address.geocoded",
        member: "m1",
        interval_ms: 5000,
        processing_time_p50_ms: 2,
        processing_time_p95_ms: 5,
        processing_time_p99_ms: 9,
        bytes: 100000n,
        retries: 3n,
        failures: 4n,
        skipped: 1n,
        dead_letters: 2n
      })
      const lags = yield* sql`
        SELECT service_name, topic, partition, lag, consumer_offset, end_offset, consumer_group_id, member, lag_seconds, timestamp
        FROM consumer_lag_history ORDER BY partition`
      assert.deepStrictEqual(lags[1], {
        service_name: "georegion-detector",
        topic: "location.address.geocoded",
        partition: 1,
        lag: 20n,
        consumer_offset: 100n,
        end_offset: 9223372036854775807n,
        consumer_group_id: "loom-georegion",
        member: "m1",
        lag_seconds: 1.5,
        timestamp: new Date(now)
      })
      const transactions = yield* sql`SELECT DISTINCT xmin::text FROM (
        SELECT xmin FROM consumer_processing_metrics UNION ALL SELECT xmin FROM consumer_lag_history) AS all_rows`
      assert.strictEqual(transactions.length, 1)
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("a write that is repeated adds nothing, and nothing is written for nothing", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const batch = { metrics: [metrics(now)], members: [], lag: [sample(now, 0)] }
      yield* sink.write(batch)
      yield* sink.write(batch)
      yield* sink.write({ metrics: [], members: [], lag: [] })
      yield* sink.write({ metrics: [metrics(now, { member: "m2" })], members: [], lag: [] })
      yield* sink.write({ metrics: [], members: [], lag: [sample(now + 1, 0)] })
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_processing_metrics`).length, 2)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_lag_history`).length, 2)
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("hostile names and impossible numbers are stored as far as they can be", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const service = "'; DROP TABLE consumer_lag_history; --\u0000\ud800\"\\"
      yield* sink.write({
        metrics: [
          metrics(0, { service, processingTimeMs: Number.NaN, messagesPerSecond: Infinity, messagesProcessed: 0 })
        ],
        members: [],
        lag: [sample(0, 0, { service, lagSeconds: Number.NaN })]
      })
      const [row] =
        yield* sql`SELECT service_name, processing_time_ms, messages_per_second FROM consumer_processing_metrics`
      assert.deepStrictEqual(row, {
        service_name: "'; DROP TABLE consumer_lag_history; --\ufffd\"\\",
        processing_time_ms: null,
        messages_per_second: null
      })
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_lag_history`).length, 1)
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("10 metrics: a missing table, an absent and a silent database are typed errors, in bounded time", () =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const batch = { metrics: [metrics(now)], members: [], lag: [sample(now, 0)] }
      const write = Effect.flatMap(MetricsSink.MetricsSink, (sink) => sink.write(batch))
      const missing = yield* Effect.flip(Effect.provide(write, sinkOn(empty)))
      assert.strictEqual(missing._tag, "MetricsSinkError")

      const url = yield* migratedUrl
      const line = yield* proxy(url)
      const sink = PostgresMetricsSink.layerWith({ writeTimeout: "300 millis" }).pipe(Layer.provide(pool(line.url)))
      yield* Effect.gen(function*() {
        yield* line.cut
        assert.strictEqual((yield* Effect.flip(write))._tag, "MetricsSinkError")
        yield* line.restore
        yield* write
        yield* line.silence
        const begin = yield* Clock.currentTimeMillis
        const silent = yield* Effect.flip(write)
        assert.isBelow((yield* Clock.currentTimeMillis) - begin, 1500)
        assert.include(silent.message, "no answer from the database within 300 ms")
      }).pipe(Effect.provide(sink))
    }).pipe(Effect.scoped, Effect.timeout("25 seconds")))

  it.live("prunes what is older than the retention, in pieces", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const hour = 3_600_000
      yield* sink.write({
        metrics: [1, 2, 3, 4, 5].map((hours) => metrics(now - hours * hour)),
        members: [],
        lag: [1, 2, 3, 4, 5].map((hours) => sample(now - hours * hour, 0))
      })
      const deleted = yield* PostgresMetricsSink.prune({ retention: "150 minutes", pruneSize: 2 })
      assert.strictEqual(deleted, 6)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_processing_metrics`).length, 2)
      assert.strictEqual(yield* PostgresMetricsSink.prune(), 0)
    }).pipe(Effect.provide(sinkOn(migrated))))
})

describe("LagHistory", () => {
  it.live("answers the lag as it is, as it was, and rated", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const history = yield* LagHistory.LagHistory
      const now = yield* Clock.currentTimeMillis
      yield* sink.write({
        metrics: [],
        members: [],
        lag: [
          sample(now - 60_000, 0, { lag: 5000n }),
          sample(now - 1000, 0, { lag: 30n }),
          sample(now - 1000, 1, { lag: 10n }),
          sample(now - 1000, 0, { service: "other", lag: 20_000n })
        ]
      })
      const [current, ...more] = yield* history.current("georegion-detector")
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(current, {
        service: "georegion-detector",
        topic: "location.address.geocoded",
        partitionCount: 2,
        totalLag: 40n,
        avgLagPerPartition: 20,
        maxPartitionLag: 30n,
        lastUpdate: new Date(now - 1000)
      })
      assert.strictEqual((yield* history.current()).length, 2)
      assert.deepStrictEqual((yield* history.alerts()).map(({ level, service }) => [service, level]), [
        ["other", "critical"],
        ["georegion-detector", "warning"]
      ])
      const points = yield* history.history("georegion-detector", "1 hour")
      assert.deepStrictEqual(points.map(({ lag, partition }) => [partition, lag]), [[0, 5000n], [0, 30n], [1, 10n]])
      assert.deepStrictEqual(yield* history.history("'; DROP TABLE consumer_lag_history; --\u0000", "1 hour"), [])
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("a missing view is a typed error with the server's words", () =>
    Effect.gen(function*() {
      const history = yield* LagHistory.LagHistory
      const error = yield* Effect.flip(history.current())
      assert.strictEqual(
        error.message,
        "the lag cannot be read: relation \"v_current_consumer_lag\" does not exist (42P01)"
      )
    }).pipe(Effect.provide(sinkOn(empty))))
})
