import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as MetricsMaintenance from "@weft/postgres/MetricsMaintenance"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { empty, migrated, migratedUrl, pool } from "./support/database.ts"
import { lagSample, memberMetrics, processingMetrics } from "./support/measurements.ts"

const hour = 3_600_000
const day = 24 * hour

const on = (database: typeof migrated) =>
  Effect.provide(PostgresMetricsSink.layerWith({ maintenance: false }).pipe(Layer.provideMerge(database)))

const tables = ["consumer_lag_history", "consumer_processing_metrics", "consumer_member_metrics"]

/** The begin of today in UTC, by the database's clock, which is this machine's. */
const today = Effect.flatMap(PgClient.PgClient, (sql) =>
  sql<{ ms: number }>`
  SELECT (extract(epoch FROM date_trunc('day', now(), 'UTC')) * 1000)::double precision AS ms`).pipe(
    Effect.map(([row]) => row!.ms)
  )

const write = (measurements: Partial<MetricsSink.Measurements>) =>
  Effect.flatMap(MetricsSink.MetricsSink, (sink) => sink.write({ metrics: [], members: [], lag: [], ...measurements }))

const rows = <A extends object>(query: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(query).unprepared)

const count = (table: string) =>
  Effect.map(rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`), ([row]) => row!.n)

const partitions = (table: string) =>
  Effect.map(
    rows<{ name: string }>(`SELECT partition::text AS name FROM weft_metrics_partitions('${table}'::regclass)`),
    (found) => found.map(({ name }) => name)
  )

const nameOf = (table: string, ms: number) => `${table}_${new Date(ms).toISOString().slice(0, 10).replaceAll("-", "")}`

/** Measurements of every kind at a moment. */
const at = (timestamp: number) => ({
  metrics: [processingMetrics(timestamp)],
  members: [memberMetrics(timestamp)],
  lag: [lagSample(timestamp, 0)]
})

describe("MetricsMaintenance", () => {
  it.live("one row whose durations are no histogram does not stop the job", () =>
    Effect.gen(function*() {
      const limit = (yield* today) - 7 * day
      yield* write(at(limit - 2 * hour))
      yield* rows(`
        INSERT INTO consumer_processing_metrics (service_name, topic, messages_processed, timestamp, durations)
        SELECT 'odd', 't', 1, to_timestamp(${limit - hour} / 1000.0), odd FROM unnest(
          ARRAY['{"p99": 5}', 'null', '7', '[5, "x", null, ["a", 1], [1], [2.5, 3]]']::jsonb[]
        ) AS odd`)
      const done = yield* MetricsMaintenance.run()
      assert.deepStrictEqual(done.map(({ outcome }) => outcome), ["done", "done", "done"])
      const kept = yield* rows<{ messages_processed: bigint; durations: unknown }>(
        `SELECT messages_processed, durations FROM consumer_processing_metrics_by_hour WHERE service_name = 'odd'`
      )
      assert.deepStrictEqual(kept, [{ messages_processed: 4n, durations: [[2.5, 3]] }])
    }).pipe(on(migrated)))

  it.live("whole days that are too old go, to the millisecond, and stay as hours", () =>
    Effect.gen(function*() {
      const limit = (yield* today) - 7 * day
      yield* write(at(limit - 1))
      yield* write(at(limit))
      yield* write(at(limit - day))
      yield* write(at(limit - 200 * day))
      const done = yield* MetricsMaintenance.run()
      for (const { outcome, rowsDeleted } of done) {
        assert.strictEqual(outcome, "done")
        assert.strictEqual(rowsDeleted, 3)
      }
      for (const table of tables) {
        const left = yield* rows<{ ms: number }>(
          `SELECT (extract(epoch FROM timestamp) * 1000)::double precision AS ms FROM ${table}`
        )
        assert.deepStrictEqual(left, [{ ms: limit }])
        assert.include(yield* partitions(table), nameOf(table, limit))
      }
      const kept = yield* rows<{ messages_processed: bigint; hour: Date }>(
        "SELECT messages_processed, hour FROM consumer_processing_metrics_by_hour ORDER BY hour"
      )
      // The hour of 200 days ago has been summed, and is too old itself.
      assert.deepStrictEqual(
        kept.map(({ hour, messages_processed }) => [hour.getTime(), messages_processed]),
        [[limit - day, 500n], [limit - hour, 500n], [limit, 500n]]
      )
      assert.strictEqual(yield* count("consumer_lag_by_hour"), 3)
      assert.strictEqual(yield* count("consumer_member_metrics_by_hour"), 3)
      const again = yield* MetricsMaintenance.run()
      assert.deepStrictEqual(
        again.map(({ partitionsDropped, partitionsMade, rowsDeleted }) => [
          partitionsMade,
          partitionsDropped.length,
          rowsDeleted
        ]),
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
      )
    }).pipe(on(migrated)))

  it.live("days are days of UTC, whatever the time zone of the database", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      // Days of 23 and of 25 hours, and shifts of half an hour.
      for (const zone of ["Europe/Berlin", "Australia/Lord_Howe"]) {
        yield* Effect.gen(function*() {
          const sql = yield* PgClient.PgClient
          yield* sql`ALTER DATABASE ${sql(decodeURIComponent(new URL(url).pathname.slice(1)))}
            SET timezone = ${sql.literal(`'${zone}'`)}`.unprepared
          yield* sql`ALTER DATABASE ${sql(decodeURIComponent(new URL(url).pathname.slice(1)))}
            SET datestyle = 'SQL, DMY'`.unprepared
        }).pipe(Effect.provide(pool(url)))
        // The connections of another pool begin with it.
        yield* Effect.gen(function*() {
          const sql = yield* PgClient.PgClient
          assert.deepStrictEqual(yield* sql`SHOW timezone`, [{ TimeZone: zone }])
          const begin = yield* today
          const partition = nameOf("consumer_lag_history", begin - 5 * day)
          yield* sql`DROP TABLE IF EXISTS ${sql(partition)}`.unprepared
          yield* write({ lag: [lagSample(begin - 5 * day, 0), lagSample(begin - 4 * day - 1, 1)] })
          assert.strictEqual((yield* MetricsMaintenance.run())[0]!.partitionsMade, 1)
          assert.strictEqual(yield* count(partition), 2)
          const bounds = yield* sql<{ ms: number }>`
            SELECT (extract(epoch FROM upper - lower) * 1000)::double precision AS ms
            FROM weft_metrics_partitions('consumer_lag_history'::regclass) WHERE upper IS NOT NULL`
          assert.isAtLeast(bounds.length, 6)
          for (const { ms } of bounds) assert.strictEqual(ms, day)
          // An hour of a zone that is half an hour off begins at its half.
          const hours = yield* sql<{ ms: number }>`
            SELECT (extract(epoch FROM hour) * 1000)::double precision AS ms FROM consumer_lag_by_hour ORDER BY 1`
          assert.deepStrictEqual(hours.map(({ ms }) => ms), [begin - 5 * day, begin - 4 * day - hour])
        }).pipe(on(pool(url)))
      }
    }))

  it.live("hours are sums and merged histograms of all members, and hold what arrives late", () =>
    Effect.gen(function*() {
      const begin = (yield* today) - 2 * day
      yield* write({
        metrics: [
          processingMetrics(begin + 10_000, { member: "a", durations: [[2, 90], [4, 10]], messagesProcessed: 100 }),
          processingMetrics(begin + 20_000, {
            member: "b",
            durations: [[4, 10], [1024, 5]],
            messagesProcessed: 15,
            processingTimeMs: 500
          })
        ],
        members: [
          memberMetrics(begin + 10_000, { member: "a", rebalances: 2, commits: 4, commitMeanMs: 1 }),
          memberMetrics(begin + 10_000, { member: "b", rebalances: 3, commits: 4, commitMeanMs: 3 })
        ],
        lag: [
          lagSample(begin + 10_000, 0, { lag: 100n }),
          lagSample(begin + 20_000, 0, { lag: 300n }),
          lagSample(begin + 10_000, 1, { lag: 7n, member: "b" })
        ]
      })
      yield* MetricsMaintenance.run()
      const [processed] = yield* rows(`
        SELECT
          members, messages_processed, processing_time_total_ms, durations,
          weft_duration_quantile(durations, 0.5) AS p50, weft_duration_quantile(durations, 0.99) AS p99
        FROM consumer_processing_metrics_by_hour`)
      assert.deepStrictEqual(processed, {
        members: 2,
        messages_processed: 115n,
        processing_time_total_ms: 100 * 2.5 + 15 * 500,
        durations: [[2, 90], [4, 20], [1024, 5]],
        p50: 2,
        p99: 1024
      })
      const [lag] = yield* rows(`
        SELECT partitions, samples, mean_total_lag, max_partition_lag, max_lag_partition
        FROM consumer_lag_by_hour`)
      assert.deepStrictEqual(lag, {
        partitions: 2,
        samples: 3n,
        mean_total_lag: 207,
        max_partition_lag: 300n,
        max_lag_partition: 0
      })
      const [fared] = yield* rows(
        "SELECT members, commits, commit_time_total_ms, rebalances FROM consumer_member_metrics_by_hour"
      )
      assert.deepStrictEqual(fared, { members: 2, commits: 8n, commit_time_total_ms: 16, rebalances: 3n })

      // Late, but before its day goes: it counts. After it has gone: it does not, and takes nothing away.
      yield* write({ metrics: [processingMetrics(begin + 30_000, { messagesProcessed: 1 })] })
      yield* MetricsMaintenance.run({ retention: "1 day" })
      const total = "SELECT sum(messages_processed)::int AS n FROM consumer_processing_metrics_by_hour"
      assert.deepStrictEqual(yield* rows(total), [{ n: 116 }])
      assert.strictEqual(yield* count("consumer_processing_metrics"), 0)
      yield* write({ metrics: [processingMetrics(begin + 40_000, { messagesProcessed: 1000 })] })
      const late = yield* MetricsMaintenance.run({ retention: "1 day" })
      assert.deepStrictEqual(late.map(({ rowsDeleted }) => rowsDeleted), [0, 1, 0])
      assert.deepStrictEqual(yield* rows(total), [{ n: 116 }])
    }).pipe(on(migrated)))

  it.live("rows of a day without a partition are taken, and move into it when it is made", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const tomorrow = (yield* today) + day
      const partition = nameOf("consumer_lag_history", tomorrow)
      yield* sql`DROP TABLE ${sql(partition)}`.unprepared
      const batch = { lag: [lagSample(tomorrow, 0), lagSample(tomorrow + day - 1, 1), lagSample(0, 2)] }
      yield* write(batch)
      yield* write({ lag: [lagSample(8_000_000_000_000, 3)] })
      assert.strictEqual(yield* count("consumer_lag_history_default"), 4)
      const [done] = yield* MetricsMaintenance.run()
      assert.deepInclude(done, { partitionsMade: 1, rowsDeleted: 1 })
      assert.strictEqual(yield* count(partition), 2)
      // Of a clock that is centuries ahead.
      assert.strictEqual(yield* count("consumer_lag_history_default"), 1)
      yield* write({ lag: batch.lag.slice(0, 2) })
      assert.strictEqual(yield* count("consumer_lag_history"), 3)
    }).pipe(on(migrated)))

  it.live("of eight members that ask at once, one does the work of each table", () =>
    Effect.gen(function*() {
      yield* write(at((yield* today) - 30 * day))
      const all = yield* Effect.all(Array.from({ length: 8 }, () => MetricsMaintenance.runIfDue()), {
        concurrency: "unbounded"
      })
      for (const i of tables.keys()) {
        assert.strictEqual(all.filter((tables) => tables[i]!.outcome === "done").length, 1)
        assert.strictEqual(all.reduce((sum, tables) => sum + tables[i]!.rowsDeleted, 0), 1)
      }
      assert.deepStrictEqual(
        (yield* MetricsMaintenance.runIfDue()).map(({ outcome }) => outcome),
        ["not due", "not due", "not due"]
      )
      assert.strictEqual((yield* MetricsMaintenance.runIfDue({ every: 0 }))[0]!.outcome, "done")
    }).pipe(on(migrated)))

  it.live("two forced runs at once: both end, and the outcome is that of one", () =>
    Effect.gen(function*() {
      const begin = yield* today
      for (const days of [1, 8, 9, 30]) yield* write(at(begin - days * day + hour))
      const [one, other] = yield* Effect.all([MetricsMaintenance.run(), MetricsMaintenance.run()], { concurrency: 2 })
      const both = [...one, ...other].filter(({ table }) => table === "consumer_processing_metrics")
      assert.strictEqual(both.reduce((sum, { rowsDeleted }) => sum + rowsDeleted, 0), 3)
      assert.deepStrictEqual(
        yield* rows("SELECT messages_processed::int AS n FROM consumer_processing_metrics_by_hour"),
        [{ n: 500 }, { n: 500 }, { n: 500 }, { n: 500 }]
      )
    }).pipe(on(migrated)))

  it.live("while another run holds the lock nothing is done, and nothing waits", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const isHeld = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
        for (const table of tables) yield* sql`SELECT pg_advisory_xact_lock(${0x77656674}::int, hashtext(${table}))`
        yield* Deferred.succeed(isHeld, undefined)
        yield* Deferred.await(release)
      })))
      yield* Deferred.await(isHeld)
      const [took, done] = yield* Effect.timed(MetricsMaintenance.run())
      assert.deepStrictEqual(done.map(({ outcome }) => outcome), ["elsewhere", "elsewhere", "elsewhere"])
      // The lock is held until this is over.
      assert.isBelow(Duration.toMillis(took), 30_000)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holder)
      assert.strictEqual((yield* MetricsMaintenance.run())[0]!.outcome, "done")
    }).pipe(on(migrated)))

  it.live("no write and no query fails or is lost while the job works", () =>
    Effect.gen(function*() {
      const begin = yield* today
      const names = Array.from({ length: 12 }, (_, i) => begin - (9 + i) * day)
      for (const table of tables) {
        for (const ms of names) {
          yield* rows(`SELECT weft_add_metrics_partition('${table}', '${new Date(ms).toISOString().slice(0, 10)}')`)
        }
      }
      let written = 0
      const writer = (member: string) =>
        Effect.suspend(() => {
          const timestamp = begin + written++
          return write({
            metrics: [processingMetrics(timestamp, { member })],
            members: [memberMetrics(timestamp, { member })],
            lag: [lagSample(timestamp, written, { member })]
          })
        })
      const reader = rows("SELECT * FROM v_service_health")
      const load = yield* Effect.forkChild(
        Effect.all([Effect.forever(writer("a")), Effect.forever(writer("b")), Effect.forever(reader)], {
          concurrency: 3
        })
      )
      yield* Effect.sleep("200 millis")
      const done = yield* MetricsMaintenance.run()
      yield* Effect.sleep("200 millis")
      assert.isUndefined(load.pollUnsafe(), "the load goes on")
      yield* Fiber.interrupt(load)
      for (const { partitionsDropped } of done) assert.strictEqual(partitionsDropped.length, names.length)
      assert.isAtLeast(yield* count("consumer_processing_metrics"), written - 2)
    }).pipe(on(migrated)))

  it.effect("a process with the sink runs it by itself, a minute or so after its start and then when it is due again", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const ran = Effect.map(
        sql<
          { n: number; at: Date }
        >`SELECT count(ran_at)::int AS n, max(ran_at) AS at FROM consumer_metrics_maintenance`,
        ([row]) => row!
      )
      const until = (isTrue: (row: { readonly n: number; readonly at: Date }) => boolean) =>
        TestClock.withLive(ran.pipe(
          Effect.tap(Effect.sleep("20 millis")),
          Effect.repeat({ until: isTrue }),
          Effect.timeout("1 minute")
        ))
      yield* Layer.build(PostgresMetricsSink.layerWith({ maintenance: { every: "4 seconds" } }))
      assert.strictEqual((yield* ran).n, 0)
      yield* TestClock.adjust("90 seconds")
      const first = yield* until(({ n }) => n === 3)
      // The database's clock says when it is due; this one only when it is asked, once it is done with the first time.
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(
        TestClock.adjust("2 seconds"),
        TestClock.withLive(Effect.sleep("100 millis"))
      )))
      yield* until(({ at }) => at.getTime() > first.at.getTime() + 4000)
    }).pipe(Effect.scoped, Effect.provide(migrated)))

  it.live("without its migration, and without rights, the error says what to do", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id < 47)) })
      const older = yield* Effect.flip(MetricsMaintenance.run())
      assert.strictEqual(older.kind, "Schema")
      assert.include(older.message, "run weft migrate")
      yield* SqlMigrator.run()
      const role = `weft_keeper_${Math.floor(performance.now() * 1000)}`
      yield* sql`CREATE ROLE ${sql(role)}`.unprepared
      yield* sql`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${sql(role)}`.unprepared
      yield* sql`DROP TABLE ${sql(nameOf("consumer_lag_history", (yield* today) + day))}`.unprepared
      const denied = yield* sql.withTransaction(Effect.andThen(
        sql`SET LOCAL ROLE ${sql(role)}`.unprepared,
        Effect.flip(MetricsMaintenance.run())
      ))
      assert.strictEqual(denied.kind, "Rights")
      assert.include(denied.message, "the job needs the owner of the tables")
      yield* sql`DROP OWNED BY ${sql(role)}`.unprepared
      yield* sql`DROP ROLE ${sql(role)}`.unprepared
    }).pipe(on(empty)))
})
