import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as MetricsHistory from "@weft/postgres/MetricsHistory"
import * as MetricsMaintenance from "@weft/postgres/MetricsMaintenance"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { empty, migrated } from "./support/database.ts"
import { lagSample, memberMetrics, processingMetrics } from "./support/measurements.ts"

const on = (database: typeof migrated) =>
  Effect.provide(
    Layer.mergeAll(PostgresMetricsSink.layerWith({ maintenance: false }), MetricsHistory.layer).pipe(
      Layer.provideMerge(database)
    )
  )

const minute = 60_000
/** A whole minute, so that intervals are told by whole minutes, too. */
const recently = Effect.map(Clock.currentTimeMillis, (now) => Math.floor(now / minute) * minute - 10 * minute)

const write = (measurements: Partial<MetricsSink.Measurements>) =>
  Effect.flatMap(MetricsSink.MetricsSink, (sink) => sink.write({ metrics: [], members: [], lag: [], ...measurements }))

describe("MetricsHistory", () => {
  it.live("durations that are no histogram count for nothing", () =>
    Effect.gen(function*() {
      const history = yield* MetricsHistory.MetricsHistory
      const at = yield* recently
      yield* write({ metrics: [processingMetrics(at, { service: "odd", topic: "t", durations: [[2.5, 3]] })] })
      const sql = yield* PgClient.PgClient
      yield* sql`
        INSERT INTO consumer_processing_metrics (service_name, topic, messages_processed, timestamp, durations)
        SELECT 'odd', 't', 1, to_timestamp(${at / 1_000}::double precision), odd FROM unnest(
          ARRAY['{"p99": 5}', 'null', '7', '[5, "x", null, ["a", 1], [1]]']::jsonb[]
        ) AS odd`
      const intervals = yield* history.topics({ service: "odd", since: at - minute })
      assert.deepStrictEqual(intervals.map(({ durations }) => durations), [[[2.5, 3]]])
      const { metrics } = yield* history.measurements({ service: "odd", since: at - minute })
      assert.deepStrictEqual(metrics.flatMap(({ durations }) => durations), [[2.5, 3]])
      assert.lengthOf(metrics, 5)
    }).pipe(on(migrated)))

  it.live("measurements come back as they were written, oldest first", () =>
    Effect.gen(function*() {
      const history = yield* MetricsHistory.MetricsHistory
      const at = yield* recently
      const measured = {
        metrics: [
          processingMetrics(at - 1, { service: "other" }),
          processingMetrics(at + 1, { busiestKeyRecords: undefined, durations: [] }),
          processingMetrics(at + minute, { member: "m2", processingTimeMs: 0.001 })
        ],
        members: [memberMetrics(at + 1), memberMetrics(at + minute, { member: "m2" })],
        lag: [
          lagSample(at + 1, 0, { endOffset: 9223372036854775807n, consumerOffset: 9223372036854775800n }),
          lagSample(at + minute, 0, { lagSeconds: 0 }),
          lagSample(at + minute, 1)
        ]
      }
      yield* write({ ...measured, metrics: measured.metrics.toReversed(), lag: measured.lag.toReversed() })
      // What a sample meant is in its row, and not in what is measured.
      const lag = measured.lag.map(({ status: _, ...sample }) => sample)
      assert.deepStrictEqual(yield* history.measurements({ since: at - 2 }), { ...measured, lag })
      // After `since`, up to and with `until`.
      const some = yield* history.measurements({ service: "georegion-detector", since: at + 1, until: at + minute })
      assert.deepStrictEqual(some, {
        metrics: [measured.metrics[2]!],
        members: [measured.members[1]!],
        lag: lag.slice(1)
      })
      assert.deepStrictEqual(yield* history.measurements({ service: "'; DROP\u0000", since: 0 }), {
        metrics: [],
        members: [],
        lag: []
      })
    }).pipe(on(migrated)))

  it.live("what Loom's programs wrote is there, too, with nothing where they tell nothing", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const history = yield* MetricsHistory.MetricsHistory
      yield* sql`INSERT INTO consumer_processing_metrics (service_name, messages_processed, processing_time_ms, messages_per_second)
        VALUES ('loom', 100, 2, 10)`
      yield* sql`INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset)
        VALUES ('loom', 't', 0, 10, 5)`
      // The database's time has microseconds: what was written in this millisecond is not in the past yet.
      yield* Effect.sleep("5 millis")
      const since = (yield* Clock.currentTimeMillis) - minute
      const found = yield* history.measurements({ since })
      assert.deepInclude(found.metrics[0], { service: "loom", topic: "", member: "", intervalMs: 0, durations: [] })
      assert.deepInclude(found.lag[0], { lag: 10n, consumerOffset: 5n, endOffset: 15n, lagSeconds: 0 })
      const [interval] = yield* history.topics({ since })
      assert.deepInclude(interval, { topic: null, members: 0, processingTimeMs: 2, processingTimeP99Ms: null })
    }).pipe(on(migrated)))

  it.live("members are merged by interval: counts add up, histograms too, and the largest of what has no sum", () =>
    Effect.gen(function*() {
      const history = yield* MetricsHistory.MetricsHistory
      const at = yield* recently
      yield* write({
        metrics: [
          processingMetrics(at + 1000, {
            member: "a",
            messagesProcessed: 90,
            processingTimeMs: 1,
            durations: [[1, 90]]
          }),
          // The end of an interval is its last moment.
          processingMetrics(at + minute, {
            member: "b",
            messagesProcessed: 10,
            processingTimeMs: 101,
            durations: [[128, 10]]
          }),
          processingMetrics(at + minute + 1, { member: "a", messagesProcessed: 7 })
        ],
        members: [
          memberMetrics(at + 1000, { member: "a", partitions: 9, queuedRecords: 500, rebalances: 1, commits: 1 }),
          memberMetrics(at + 2000, { member: "a", partitions: 4, queuedRecords: 5, rebalances: 1, commits: 1 }),
          memberMetrics(at + minute, {
            member: "b",
            partitions: 2,
            queuedRecords: 3,
            rebalances: 1,
            commits: 2,
            commitMeanMs: 9.5,
            eventLoopDelayMs: 700
          })
        ],
        lag: [
          lagSample(at + 1000, 0, { lag: 500n }),
          lagSample(at + 2000, 0, { lag: 5n }),
          lagSample(at + 2000, 1, { lag: 3n, member: "b", lagSeconds: 9 })
        ]
      })
      const window = { service: "georegion-detector", since: at, step: "1 minute" } as const
      const topics = yield* history.topics(window)
      assert.deepStrictEqual(
        topics.map(({ members, messagesProcessed, timestamp }) => [timestamp, members, messagesProcessed]),
        [[at + minute, 2, 100], [at + 2 * minute, 1, 7]]
      )
      assert.deepInclude(topics[0], {
        intervalMs: minute,
        messagesPerSecond: 100 / 60,
        processingTimeMs: 11,
        durations: [[1, 90], [128, 10]],
        processingTimeP50Ms: 1,
        processingTimeP95Ms: 128,
        retries: 6,
        deadLetters: 4
      })
      const services = yield* history.services(window)
      assert.lengthOf(services, 1)
      assert.deepInclude(services[0], {
        timestamp: at + minute,
        members: 2,
        partitions: 6,
        queuedRecords: 8,
        commits: 4,
        // Both of a's, as b saw one of them.
        rebalances: 2,
        commitMeanMs: (3.5 + 3.5 + 2 * 9.5) / 4,
        eventLoopDelayMs: 700
      })
      assert.deepStrictEqual(yield* history.lag(window), [{
        service: "georegion-detector",
        topic: "location.address.geocoded",
        timestamp: at + minute,
        intervalMs: minute,
        partitions: 2,
        totalLag: 8,
        maxPartitionLag: 5,
        maxLagSeconds: 9
      }])
    }).pipe(on(migrated)))

  it.live("hours are what stays when the rows are gone", () =>
    Effect.gen(function*() {
      const history = yield* MetricsHistory.MetricsHistory
      const begin = Math.floor(((yield* Clock.currentTimeMillis) - 9 * 86_400_000) / 3_600_000) * 3_600_000
      yield* write({
        metrics: [
          processingMetrics(begin + 1000, { member: "a", messagesProcessed: 90, durations: [[1, 90]] }),
          processingMetrics(begin + 2000, { member: "b", messagesProcessed: 10, durations: [[128, 10]] })
        ]
      })
      yield* MetricsMaintenance.run()
      assert.deepStrictEqual(yield* history.topics({ since: begin, step: "1 hour" }), [])
      const [hour, ...others] = yield* history.hours({ service: "georegion-detector", since: begin })
      assert.deepStrictEqual(others, [])
      assert.deepInclude(hour, {
        timestamp: begin + 3_600_000,
        intervalMs: 3_600_000,
        members: 2,
        messagesProcessed: 100,
        processingTimeMs: 2.5,
        processingTimeP50Ms: 1,
        processingTimeP99Ms: 128
      })
    }).pipe(on(migrated)))

  it.live("long windows of many partitions stay bounded: about thirty samples of each, the last one among them", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const history = yield* MetricsHistory.MetricsHistory
      const now = yield* Clock.currentTimeMillis
      yield* sql`
        INSERT INTO consumer_lag_history (service_name, topic, partition, lag, member, timestamp)
        SELECT 's', 't', partition, sample, 'm', to_timestamp(${
        now / 1000
      }::double precision) - sample * interval '10 seconds'
        FROM generate_series(0, 99) AS partition, generate_series(0, 359) AS sample`
      const { lag } = yield* history.measurements({ service: "s", since: now - 3_600_000, until: now })
      const ofOne = lag.filter(({ partition }) => partition === 7)
      assert.isAtMost(ofOne.length, 31)
      assert.isAtLeast(ofOne.length, 29)
      assert.strictEqual(ofOne.at(-1)!.lag, 0n)
      assert.strictEqual(ofOne.at(-1)!.timestamp, now)
    }).pipe(on(migrated)))

  it.live("a missing table is a typed error with the server's words", () =>
    Effect.gen(function*() {
      const history = yield* MetricsHistory.MetricsHistory
      const error = yield* Effect.flip(history.topics({ since: 0 }))
      assert.strictEqual(error._tag, "MetricsHistoryError")
      assert.include(error.message, "relation \"consumer_processing_metrics\" does not exist (42P01)")
    }).pipe(on(empty)))
})
