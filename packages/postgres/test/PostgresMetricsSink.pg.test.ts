import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as LagHistory from "@weft/postgres/LagHistory"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { empty, migrated, migratedUrl, pool } from "./support/database.ts"
import { lagSample as sample, memberMetrics as member, processingMetrics as metrics } from "./support/measurements.ts"
import { proxy } from "./support/proxy.ts"

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
        members: [member(now)],
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
        dead_letters: 2n,
        durations: [[2, 400], [5, 80], [9, 20]],
        batches: 5n,
        full_batches: 1n,
        partitions: 3,
        busiest_partition_records: 300n,
        busiest_key_records: 40n
      })
      const [{ id: _, ...fared } = { id: 0 }] = yield* sql`SELECT * FROM consumer_member_metrics`
      assert.deepStrictEqual(fared, {
        service_name: "georegion-detector",
        consumer_group_id: "loom-georegion",
        member: "m1",
        timestamp: new Date(now),
        interval_ms: 5000,
        partitions: 3,
        paused_partitions: 1,
        queued_records: 1000n,
        queued_bytes: 200000n,
        in_flight: 20n,
        oldest_in_flight_ms: 12.5,
        uncommitted_records: 60n,
        commits: 4n,
        commit_failures: 1n,
        commit_mean_ms: 3.5,
        commit_p99_ms: 8,
        rebalances: 1n,
        lost: 0n,
        crashes: 0n,
        stalls: 0n,
        memory_usage_mb: 80.5,
        heap_used_mb: 30.5,
        event_loop_delay_ms: 15,
        late_completions: 2n
      })
      const lags = yield* sql`
        SELECT
          service_name, topic, partition, lag, consumer_offset, end_offset, consumer_group_id, member, lag_seconds, status,
          timestamp
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
        status: "slow",
        timestamp: new Date(now)
      })
      const transactions = yield* sql`SELECT DISTINCT xmin::text FROM (
        SELECT xmin FROM consumer_processing_metrics UNION ALL SELECT xmin FROM consumer_lag_history
        UNION ALL SELECT xmin FROM consumer_member_metrics) AS all_rows`
      assert.strictEqual(transactions.length, 1)
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("a write that is repeated adds nothing, and nothing is written for nothing", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const batch = { metrics: [metrics(now)], members: [member(now)], lag: [sample(now, 0)] }
      yield* sink.write(batch)
      yield* sink.write(batch)
      yield* sink.write({ metrics: [], members: [], lag: [] })
      // Another member of the same moment, and the same one a moment later.
      yield* sink.write({
        ...batch,
        metrics: [metrics(now, { member: "m2" })],
        members: [member(now, { member: "m2" })]
      })
      yield* sink.write({ ...batch, lag: [sample(now, 0), sample(now + 1, 0)] })
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_processing_metrics`).length, 2)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_member_metrics`).length, 2)
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
        members: [member(0, { service, commitMeanMs: Number.NaN, oldestInFlightMs: Infinity })],
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
      const batch = { metrics: [metrics(now)], members: [member(now)], lag: [sample(now, 0)] }
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
        // A new connection may take longer than that; a write that is repeated adds nothing.
        yield* Effect.retry(write, Schedule.spaced("50 millis"))
        yield* line.silence
        const begin = yield* Clock.currentTimeMillis
        const silent = yield* Effect.flip(write)
        assert.isBelow((yield* Clock.currentTimeMillis) - begin, 8000)
        assert.include(silent.message, "no answer from the database within 300 ms")
      }).pipe(Effect.provide(sink))
    }).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("a database without the last migrations takes what it has columns for, and that is told once", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id < 47)) })
      const now = yield* Clock.currentTimeMillis
      const told: Array<unknown> = []
      const listener = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") told.push(message)
      })
      const batch = { metrics: [metrics(now)], members: [member(now)], lag: [sample(now, 0)] }
      yield* Effect.gen(function*() {
        yield* sink.write(batch)
        yield* sink.write(batch)
        yield* sink.write({ ...batch, metrics: [metrics(now + 1)] })
      }).pipe(Effect.provide(Logger.layer([listener])))
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_processing_metrics`).length, 2)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_lag_history`).length, 1)
      assert.lengthOf(told, 1)
      assert.include(String(told[0]), "run weft migrate")
      // The rows are all there after it, and a sink that begins then writes everything.
      yield* SqlMigrator.run()
      yield* Effect.provide(
        Effect.flatMap(MetricsSink.MetricsSink, (later) => later.write({ ...batch, metrics: [metrics(now + 2)] })),
        PostgresMetricsSink.layerWith({ maintenance: false })
      )
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_processing_metrics`).length, 3)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_member_metrics`).length, 1)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_lag_history`).length, 1)
    }).pipe(Effect.provide(sinkOn(empty))))

  it.live("a database that has no status of lag yet takes everything else, and the history is read from it", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const history = yield* LagHistory.LagHistory
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id < 51)) })
      const now = yield* Clock.currentTimeMillis
      const batch = { metrics: [metrics(now)], members: [member(now)], lag: [sample(now, 0)] }
      yield* sink.write(batch)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_member_metrics`).length, 1)
      const statuses = Effect.map(
        history.history("georegion-detector", "1 hour"),
        (points) => points.map(({ partition, status }) => [partition, status])
      )
      assert.deepStrictEqual(yield* statuses, [[0, null]])
      yield* SqlMigrator.run()
      yield* Effect.provide(
        Effect.flatMap(MetricsSink.MetricsSink, (later) => later.write({ ...batch, lag: [sample(now, 1)] })),
        PostgresMetricsSink.layerWith({ maintenance: false })
      )
      assert.deepStrictEqual(yield* statuses, [[0, null], [1, "slow"]])
    }).pipe(Effect.provide(sinkOn(empty))))

  it.live("from SQL alone: what is told not to read, what nobody reads, and what has no word", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const told = (["stop", "halted", "paused", undefined] as const).map((status, partition) =>
        sample(now, partition, { status })
      )
      yield* sink.write({ metrics: [], members: [], lag: told })
      assert.deepStrictEqual(yield* sql`SELECT partition, status FROM v_current_partition_lag ORDER BY partition`, [
        { partition: 0, status: "stop" },
        { partition: 1, status: "halted" },
        { partition: 2, status: "paused" },
        { partition: 3, status: null }
      ])
    }).pipe(Effect.provide(sinkOn(migrated))))

  it.live("10,000 partitions are one write, and a repeated one adds nothing", () =>
    Effect.gen(function*() {
      const sink = yield* MetricsSink.MetricsSink
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const lag = Array.from({ length: 10_000 }, (_, partition) => sample(now, partition))
      const batch = { metrics: [metrics(now)], members: [member(now)], lag }
      const [took] = yield* Effect.timed(sink.write(batch))
      const [again] = yield* Effect.timed(sink.write(batch))
      const [read, found] = yield* Effect.timed(Effect.flatMap(LagHistory.LagHistory, (history) => history.current()))
      const ms = [took, again, read].map((duration) => Math.round(Duration.toMillis(duration)))
      yield* Effect.logInfo(`10,000 partitions: written in ${ms[0]} ms, again in ${ms[1]} ms, read in ${ms[2]} ms`)
      assert.strictEqual((yield* sql`SELECT 1 FROM consumer_lag_history`).length, 10_000)
      assert.deepInclude(found[0], { partitionCount: 10_000, totalLag: 200_000n })
      assert.isBelow(ms[0]!, 10_000)
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
