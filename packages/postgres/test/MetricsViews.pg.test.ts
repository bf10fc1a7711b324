import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as Resolution from "@weft/config/Resolution"
import * as Histogram from "@weft/pipeline/Histogram"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as MetricsMaintenance from "@weft/postgres/MetricsMaintenance"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { empty, migrated } from "./support/database.ts"
import { lagSample, memberMetrics, processingMetrics } from "./support/measurements.ts"

const monitoring = readFileSync(new URL("../../../docs/monitoring.md", import.meta.url), "utf8")

const views = [
  "v_current_consumer_lag",
  "v_current_partition_lag",
  "v_consumer_lag_alerts",
  "v_consumer_members",
  "v_consumer_config_monitoring",
  "v_service_health"
]

const services = Layer.mergeAll(
  PostgresMetricsSink.layerWith({ maintenance: false }),
  PostgresAppliedConfigs.layer
)
const scene = Layer.provideMerge(services, migrated)

const write = (measurements: Partial<MetricsSink.Measurements>) =>
  Effect.flatMap(MetricsSink.MetricsSink, (sink) => sink.write({ metrics: [], members: [], lag: [], ...measurements }))

const rows = <A extends object>(query: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(query).unprepared)

const count = (table: string) =>
  Effect.map(rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`), ([row]) => row!.n)

/** A member that runs with a row, as the resolver makes a configuration of it. */
const report = Effect.fnUntraced(function*(
  service: string,
  member: string,
  columns: Readonly<Record<string, unknown>>
) {
  const applied = yield* AppliedConfigs.AppliedConfigs
  const resolved = Resolution.resolve({ service, row: { _tag: "Row", columns, revision: 3 } })
  yield* applied.report({ service, group: resolved.config.consumerGroupId, member, resolved })
  yield* applied.list(service).pipe(
    Effect.filterOrFail((found) => found.some((one) => one.member === member)),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("1 minute")
  )
})

layer(migrated)("the views and what is said of them", (it) => {
  it.effect.each(views)(
    "%s: every column has a comment, and the page has the same ones",
    (view) =>
      Effect.gen(function*() {
        const found = yield* rows<{ name: string; comment: string | null }>(`
        SELECT attname AS name, col_description(attrelid, attnum) AS comment
        FROM pg_attribute WHERE attrelid = '${view}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`)
        for (const { comment, name } of found) assert.isNotNull(comment, `${view}.${name}`)
        const section = monitoring.split(`### ${view}\n`)[1]?.split("\n#")[0] ?? ""
        const told = [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name, comment]) => ({ name, comment }))
        assert.deepStrictEqual(
          told,
          found.map(({ comment, name }) => ({ name, comment: comment!.replaceAll("|", "\\|") }))
        )
        const [whole] = yield* rows<{ comment: string }>(
          `SELECT obj_description('${view}'::regclass, 'pg_class') AS comment`
        )
        assert.include(section, whole!.comment)
      })
  )

  it.effect("there is no view that the page does not have", () =>
    Effect.gen(function*() {
      const found = yield* rows<{ name: string }>(
        "SELECT viewname AS name FROM pg_views WHERE schemaname = 'public' AND viewname LIKE 'v\\_%'"
      )
      const told = [...monitoring.matchAll(/^### (v_\w+)$/gm)].map(([, name]) => name)
      assert.includeMembers(told, found.map(({ name }) => name))
      assert.includeMembers(found.map(({ name }) => name), views)
    }))

  it.effect("a quantile in SQL is that of the pipeline", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const histogram = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 100 })), {
        selector: ([bound]) => bound,
        maxLength: 12
      }).map((pairs) => pairs.toSorted(([a], [b]) => a - b))
      const cases = fc.sample(fc.tuple(histogram, fc.constantFrom(0, 0.01, 0.5, 0.95, 0.99, 1)), 200)
      const found = yield* sql<{ value: number | null }>`
        SELECT weft_duration_quantile(pair->0, (pair->>1)::double precision) AS value
        FROM jsonb_array_elements(${sql.json(cases)}) WITH ORDINALITY AS row (pair, place) ORDER BY place`
      assert.deepStrictEqual(
        found.map(({ value }) => value),
        cases.map(([pairs, share]) => pairs.length === 0 ? null : Histogram.quantile(pairs, share))
      )
    }))
})

layer(scene, { excludeTestServices: true })("lag", (it) => {
  it.effect("thresholds are those of the service, in records and in seconds, and the worse one counts", () =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO consumer_lag_thresholds (service_name, warning_lag, critical_lag, warning_seconds, critical_seconds)
        VALUES ('own', 5, 50, NULL, NULL), ('slow', NULL, NULL, 5000, 'Infinity')`
      yield* write({
        lag: [
          lagSample(now, 0, { service: "own", lag: 6n, lagSeconds: 0 }),
          lagSample(now, 1, { service: "own", lag: 1n, lagSeconds: 1801 }),
          lagSample(now, 0, { service: "slow", lag: 5n, lagSeconds: 4000 }),
          lagSample(now, 0, { service: "plain", lag: 5n, lagSeconds: 301 })
        ]
      })
      assert.deepStrictEqual(
        yield* rows(
          `SELECT service_name, alert_level, max_lag::int, warning_lag::int, critical_lag::int, warning_seconds,
          critical_seconds FROM v_consumer_lag_alerts ORDER BY 1`
        ),
        [
          {
            service_name: "own",
            alert_level: "critical",
            max_lag: 6,
            warning_lag: 5,
            critical_lag: 50,
            warning_seconds: 300,
            critical_seconds: 1800
          },
          {
            service_name: "plain",
            alert_level: "warning",
            max_lag: 5,
            warning_lag: 1000,
            critical_lag: 10000,
            warning_seconds: 300,
            critical_seconds: 1800
          },
          {
            service_name: "slow",
            alert_level: "ok",
            max_lag: 5,
            warning_lag: 1000,
            critical_lag: 10000,
            warning_seconds: 5000,
            critical_seconds: Infinity
          }
        ]
      )
    }))

  it.effect("a partition that moved to another member counts once, with its newest sample", () =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      yield* write({
        lag: [
          lagSample(now - 20_000, 0, { service: "moved", member: "a", lag: 100n }),
          lagSample(now - 10_000, 0, { service: "moved", member: "b", lag: 10n }),
          lagSample(now - 20_000, 1, { service: "moved", member: "a", lag: 5n }),
          // A rebalance between two samples of the same moment.
          lagSample(now - 20_000, 1, { service: "moved", member: "b", lag: 7n })
        ]
      })
      assert.deepStrictEqual(
        yield* rows("SELECT partition, member, lag::int FROM v_current_partition_lag WHERE service_name = 'moved'"),
        [{ partition: 0, member: "b", lag: 10 }, { partition: 1, member: "b", lag: 7 }]
      )
      assert.deepStrictEqual(
        yield* rows("SELECT partition_count, total_lag::int FROM v_current_consumer_lag WHERE service_name = 'moved'"),
        [{ partition_count: 2, total_lag: 17 }]
      )
    }))
})

layer(scene, { excludeTestServices: true })("configurations beside what is observed", (it) => {
  it.effect("each member has a row with what it runs with, profiles and defaults included", () =>
    Effect.gen(function*() {
      yield* report("vision", "a", { max_poll_interval_ms: 100_000, workload_profile: "gpu" })
      yield* report("vision", "b", { max_poll_interval_ms: 100_000, workload_profile: "gpu" })
      // What was measured before the configuration was applied says nothing of it.
      const [{ at } = { at: 0 }] = yield* rows<{ at: number }>(`
        SELECT (extract(epoch FROM applied_at) * 1000)::double precision AS at FROM v_consumer_members WHERE member = 'a'`)
      const then = at + 10_000
      yield* write({
        metrics: [
          processingMetrics(at - 1, { service: "vision", member: "a", messagesProcessed: 1_000_000 }),
          processingMetrics(then, {
            service: "vision",
            member: "a",
            messagesProcessed: 200,
            processingTimeMs: 50,
            durations: [[50, 190], [90_000, 10]],
            batches: 200,
            fullBatches: 200
          }),
          processingMetrics(then, {
            service: "vision",
            member: "b",
            messagesProcessed: 10,
            batches: 10,
            fullBatches: 5
          })
        ],
        members: [
          memberMetrics(then, { service: "vision", member: "a", rebalances: 2, memoryUsageMb: 900 }),
          memberMetrics(then + 1, { service: "vision", member: "b", partitions: 1, stalls: 0, oldestInFlightMs: 10 })
        ],
        lag: [lagSample(then, 0, { service: "vision", member: "a", lag: 40n, lagSeconds: 3 })]
      })
      const found = yield* rows(`
        SELECT
          member, configuration_source, profile, revision, max_poll_records, max_poll_interval_ms, session_timeout_ms,
          settings->>'max_partition_fetch_bytes' AS fetch, messages_processed::int, avg_messages_per_second,
          processing_time_p99_ms, poll_interval_used, batch_fill, full_batch_share, rebalances::int, peak_memory_mb,
          partitions, total_lag::int, max_lag_seconds, fit
        FROM v_consumer_config_monitoring WHERE service_name = 'vision' ORDER BY member`)
      const applied = {
        configuration_source: "applied",
        profile: "gpu",
        revision: 3,
        max_poll_records: 1,
        max_poll_interval_ms: 100_000,
        session_timeout_ms: 100_000,
        fetch: "52428800"
      }
      assert.deepStrictEqual(found, [
        {
          member: "a",
          ...applied,
          messages_processed: 200,
          avg_messages_per_second: 40,
          processing_time_p99_ms: 90_000,
          poll_interval_used: 0.9,
          batch_fill: 1,
          full_batch_share: 1,
          rebalances: 2,
          peak_memory_mb: 900,
          partitions: 3,
          total_lag: 40,
          max_lag_seconds: 3,
          fit: "too slow"
        },
        {
          member: "b",
          ...applied,
          messages_processed: 10,
          avg_messages_per_second: 2,
          processing_time_p99_ms: 9,
          poll_interval_used: 0.0001,
          batch_fill: 1,
          full_batch_share: 0.5,
          rebalances: 1,
          peak_memory_mb: 80.5,
          partitions: 1,
          total_lag: null,
          max_lag_seconds: null,
          fit: "ok"
        }
      ])
    }))

  it.effect("where no member reports, the row counts with its profile or that of a rule, never with bare defaults", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, workload_profile, session_timeout_ms)
        VALUES ('x-named', 'gpu', NULL), ('x-vision-y', NULL, NULL), ('x-bare', NULL, 400000)`
      yield* sql`INSERT INTO consumer_profile_rules (pattern, profile) VALUES ('%-vision-%', 'high-volume')`
      const found = yield* rows<{ service_name: string }>(`
        SELECT service_name, configuration_source AS source, profile, max_poll_records, max_poll_interval_ms, session_timeout_ms
        FROM v_consumer_config_monitoring WHERE service_name LIKE 'x-%' ORDER BY 1`)
      assert.deepStrictEqual(found.map((row) => Object.values(row)), [
        ["x-bare", "row", "default", 100, 400000, 400000],
        ["x-named", "row", "gpu", 1, 600000, 300000],
        ["x-vision-y", "row", "high-volume", 500, 60000, 30000]
      ])
      // The resolver says the same.
      const bare = Resolution.resolve({
        service: "x-bare",
        row: { _tag: "Row", columns: { session_timeout_ms: 400_000 } }
      })
      assert.strictEqual(bare.config.maxPollIntervalMs, 400_000)
    }))

  it.effect("a configuration that another version has stored in another form breaks nothing", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      for (
        const [i, configuration] of ["1", "{}", `{"settings":[]}`, `{"settings":{"max_poll_records":"x"}}`].entries()
      ) {
        yield* sql`INSERT INTO consumer_applied_configs
          (service_name, member, consumer_group_id, profile, configuration, applied_at, last_seen)
          VALUES ('odd', ${`m${i}`}, 'g', 'p', ${configuration}::jsonb, now(), now())`
      }
      const found = yield* rows<{ max_poll_records: null; fit: string }>(
        "SELECT max_poll_records, fit FROM v_consumer_config_monitoring WHERE service_name = 'odd'"
      )
      assert.deepStrictEqual(found, Array.from({ length: 4 }, () => ({ max_poll_records: null, fit: "no data" })))
      yield* rows("SELECT * FROM v_consumer_lag_alerts")
    }))
})

layer(scene, { excludeTestServices: true })("v_service_health", (it) => {
  it.effect("says of each service how it is, and why", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const now = yield* Clock.currentTimeMillis
      const cases: ReadonlyArray<readonly [service: string, Partial<MetricsSink.MemberMetrics>, lag: bigint]> = [
        ["fine", {}, 5n],
        ["behind", {}, 1001n],
        ["far-behind", {}, 10_001n],
        ["stalled", { stalls: 1 }, 5n],
        ["restless", { rebalances: 4 }, 5n],
        ["crashed", { crashes: 2, lost: 3 }, 5n]
      ]
      const quiet = { rebalances: 0, lost: 0, crashes: 0, stalls: 0 }
      for (const [service] of cases) yield* report(service, "a", {})
      for (const [service] of cases) yield* report(service, "b", {})
      yield* write({
        metrics: cases.map(([service]) => processingMetrics(now, { service, deadLetters: 0, member: "a" })),
        members: cases.flatMap(([service, change]) =>
          ["a", "b"].map((member) =>
            memberMetrics(now, {
              service,
              member,
              ...quiet,
              ...(member === "a" || service === "restless" ? change : {})
            })
          )
        ),
        lag: cases.map(([service, , lag]) => lagSample(now, 0, { service, lag, lagSeconds: 1 }))
      })
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES ('never-ran')`
      yield* sql`INSERT INTO consumer_applied_configs
        (service_name, member, consumer_group_id, profile, configuration, applied_at, last_seen, left_at) VALUES
        ('gone', 'm', 'g', 'default', '{}', now(), now() - interval '1 hour', NULL),
        ('left', 'm', 'g', 'default', '{}', now(), now() - interval '1 hour', now() - interval '1 hour'),
        ('fine', 'old', 'g', 'default', '{}', now(), now() - interval '1 hour', now() - interval '1 hour'),
        ('crashed', 'old', 'g', 'default', '{}', now(), now() - interval '5 minutes', NULL)`
      // One whose programs are not Weft's.
      yield* sql`INSERT INTO consumer_processing_metrics (service_name, messages_processed, processing_time_ms, messages_per_second)
        VALUES ('foreign', 10, 1.5, 2.5)`
      const found = yield* rows<
        { service_name: string; status: string; reason: string; members: number; rebalances: bigint }
      >(
        "SELECT service_name, status, reason, members, rebalances FROM v_service_health ORDER BY service_name"
      )
      const of = Object.fromEntries(found.map(({ service_name, ...row }) => [service_name, row]))
      assert.deepStrictEqual(
        Object.fromEntries(found.map(({ service_name, status }) => [service_name, status])),
        {
          behind: "warning",
          crashed: "warning",
          "far-behind": "critical",
          fine: "ok",
          foreign: "ok",
          gone: "down",
          left: "stopped",
          "never-ran": "unknown",
          restless: "warning",
          stalled: "critical"
        }
      )
      assert.deepStrictEqual(of["fine"], { status: "ok", reason: "it keeps up", members: 2, rebalances: 0n })
      assert.strictEqual(of["behind"]!.reason, "a partition is 1001 records behind")
      assert.strictEqual(
        of["crashed"]!.reason,
        "failures of the client library: 2; members gone without leaving: 1; partitions lost without a revoke: 3"
      )
      // Two members saw the same four.
      assert.strictEqual(of["restless"]!.rebalances, 4n)
      assert.match(of["gone"]!.reason, /^nobody has been heard of since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
    }))
})

describe("migration 0047 on tables that are in use", () => {
  const before47 = Effect.flatMap(
    SqlMigrator.bundled,
    (files) => SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id < 47)) })
  )

  it.live("no row is lost, identities go on, other views read all rows, and writes add nothing twice", () =>
    Effect.gen(function*() {
      yield* before47
      const role = `weft_reader_${Math.floor(performance.now() * 1000)}`
      yield* rows(`CREATE ROLE ${role}`)
      yield* rows(`GRANT SELECT, INSERT ON consumer_lag_history, consumer_processing_metrics TO ${role}`)
      yield* rows(
        "CREATE VIEW ours WITH (security_barrier) AS SELECT service_name, lag FROM consumer_lag_history WHERE lag > 1"
      )
      yield* rows("CREATE VIEW on_ours AS SELECT max(lag) AS most FROM ours")
      yield* rows("ALTER TABLE consumer_lag_history ADD COLUMN note text DEFAULT 'n'")
      const now = yield* Clock.currentTimeMillis
      const days = [-3000, -400, -8, -7, -1, 0, 1, 4000].map((day) => now + day * 86_400_000)
      const batch = {
        metrics: days.map((timestamp) => processingMetrics(timestamp)),
        lag: days.map((timestamp, i) => lagSample(timestamp, i))
      }
      yield* write(batch)
      const ids = yield* rows<{ id: bigint; partition: number }>(
        "SELECT id, partition FROM consumer_lag_history ORDER BY id"
      )
      assert.lengthOf(ids, days.length)
      yield* SqlMigrator.run()

      assert.deepStrictEqual(yield* rows("SELECT id, partition FROM consumer_lag_history ORDER BY id"), ids)
      assert.strictEqual(yield* count("consumer_processing_metrics"), days.length)
      assert.strictEqual(yield* count("ours"), days.length)
      yield* write(batch)
      assert.strictEqual(yield* count("consumer_lag_history"), days.length)
      assert.strictEqual(yield* count("consumer_processing_metrics"), days.length)
      yield* rows(
        "INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset) VALUES ('loom', 't', 0, 777, 1)"
      )
      const [fresh] = yield* rows<{ id: bigint; note: string }>(
        "SELECT id, note FROM consumer_lag_history WHERE service_name = 'loom'"
      )
      assert.isTrue(fresh!.id > ids.at(-1)!.id)
      assert.strictEqual(fresh!.note, "n")
      assert.deepStrictEqual(yield* rows("SELECT most::int FROM on_ours"), [{ most: 777 }])
      assert.deepStrictEqual(yield* rows("SELECT reloptions FROM pg_class WHERE relname = 'ours'"), [
        { reloptions: ["security_barrier=true"] }
      ])
      const sql = yield* PgClient.PgClient
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* rows(`SET LOCAL ROLE ${role}`)
        yield* rows("INSERT INTO consumer_lag_history (service_name, topic, partition, lag) VALUES ('r', 't', 0, 1)")
        yield* rows("INSERT INTO consumer_member_metrics (service_name, member) VALUES ('r', 'm')")
      }))
      yield* rows(`DROP OWNED BY ${role}`)
      yield* rows(`DROP ROLE ${role}`)
      yield* MetricsMaintenance.run()
      // What was there stays in one partition until the last of its days is too old.
      assert.strictEqual(yield* count("consumer_processing_metrics"), days.length)
    }).pipe(Effect.provide(Layer.provideMerge(services, empty))))

  it.live("an INSERT fails for no day", () =>
    Effect.gen(function*() {
      for (
        const time of ["-infinity", "1970-01-01", "2026-03-29 02:30+01", "now", "tomorrow", "2286-11-20", "infinity"]
      ) {
        yield* rows(
          `INSERT INTO consumer_processing_metrics (service_name, messages_processed, processing_time_ms, messages_per_second,
            memory_usage_mb, timestamp) VALUES ('x', 1, 1.5, 2.5, 80.1, '${time}')`
        )
        yield* rows(
          `INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset, timestamp)
            VALUES ('x', 't', 0, 1, 1, '${time}')`
        )
      }
      yield* MetricsMaintenance.run()
      assert.strictEqual(yield* count("consumer_lag_history"), 4)
      yield* rows("SELECT * FROM v_service_health")
    }).pipe(Effect.provide(Layer.provideMerge(services, migrated))))

  it.live("a materialized view on a table is named, and nothing is changed", () =>
    Effect.gen(function*() {
      yield* before47
      yield* rows("CREATE MATERIALIZED VIEW theirs AS SELECT count(*) FROM consumer_lag_history")
      const error = yield* Effect.flip(SqlMigrator.run())
      assert.include(error.message, "a materialized view reads consumer_lag_history")
      yield* rows("DROP MATERIALIZED VIEW theirs")
      yield* SqlMigrator.run()
    }).pipe(Effect.provide(empty)))
})
