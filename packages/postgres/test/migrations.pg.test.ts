import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { readFileSync } from "node:fs"
import { sqlSplit } from "../src/internal/sqlSplit.ts"
import { migrated } from "./support/database.ts"

const guide = readFileSync(new URL("fixtures/guide.sql", import.meta.url), "utf8")

layer(migrated)("the guide's SQL", (it) => {
  it.effect("its three INSERTs and its queries run as they stand", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const statements = sqlSplit(guide)
      assert.strictEqual(statements.filter((statement) => statement.startsWith("INSERT")).length, 3)
      assert.strictEqual(statements.filter((statement) => statement.startsWith("SELECT")).length, 3)
      yield* sql`INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset)
        VALUES ('my-service', 't', 0, 10, 5), ('my-service', 't', 1, 30, 7), ('my-geocoder', 'g', 0, 20000, 0)`
      yield* sql`INSERT INTO consumer_processing_metrics
        (service_name, messages_processed, processing_time_ms, messages_per_second, memory_usage_mb)
        VALUES ('my-service', 100, 2, 10, 80), ('my-service', 300, 4, 30, 120)`
      const results = yield* Effect.forEach(statements, (statement) => sql.unsafe(statement).unprepared)
      const [lag, alerts, metrics] = results.slice(3)
      assert.strictEqual(lag!.length, 1)
      assert.deepInclude(lag![0], {
        service_name: "my-service",
        topic: "t",
        partition_count: 2,
        total_lag: 40n,
        avg_lag_per_partition: 20,
        max_partition_lag: 30n
      })
      assert.strictEqual(alerts!.length, 1)
      assert.deepInclude(alerts![0], {
        service_name: "my-geocoder",
        avg_lag: 20000,
        max_lag: 20000n,
        max_poll_records: 10,
        max_poll_interval_ms: null,
        alert_level: "critical",
        alert_message: "my-geocoder is up to 20000 records behind on a partition of g: raise max_poll_records (10) or "
          + "add members"
      })
      assert.deepStrictEqual(metrics, [{
        service_name: "my-service",
        avg_throughput: 20,
        avg_processing_time: 3,
        peak_memory: 120
      }])
      const rows = yield* sql<{ service_name: string; heartbeat_interval_ms: null }>`
        SELECT service_name, heartbeat_interval_ms FROM pipeline_consumer_configs ORDER BY 1`
      assert.deepStrictEqual(rows, [
        { service_name: "my-geocoder", heartbeat_interval_ms: null },
        { service_name: "my-vad-service", heartbeat_interval_ms: null },
        { service_name: "my-vision-service", heartbeat_interval_ms: null }
      ])
    }))

  it.effect("the view that the guide names tells how each configuration fits", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO consumer_processing_metrics
        (service_name, messages_processed, processing_time_ms, messages_per_second, memory_usage_mb)
        VALUES ('my-vad-service', 1000, 200, 5, 80), ('my-vision-service', 10, 2000, 0.5, 4000)`
      const rows = yield* sql<{ service_name: string; has_row: boolean; batch_time_ms: number | null; fit: string }>`
        SELECT service_name, has_row, batch_time_ms, fit FROM v_consumer_config_monitoring ORDER BY service_name`
      assert.deepStrictEqual(rows, [
        { service_name: "my-geocoder", has_row: true, batch_time_ms: null, fit: "no data" },
        { service_name: "my-service", has_row: false, batch_time_ms: 350, fit: "ok" },
        { service_name: "my-vad-service", has_row: true, batch_time_ms: 100000, fit: "batch too slow" },
        { service_name: "my-vision-service", has_row: true, batch_time_ms: 2000, fit: "ok" }
      ])
    }))
})

layer(migrated)("migration 0038", (it) => {
  it.effect("has a column and the comment of the table of settings for each setting", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const rows = yield* sql<{ name: string; comment: string; nullable: string; given: string | null }>`
        SELECT
          column_name AS name, is_nullable AS nullable, column_default AS given,
          col_description('pipeline_consumer_configs'::regclass, ordinal_position) AS comment
        FROM information_schema.columns WHERE table_name = 'pipeline_consumer_configs' ORDER BY ordinal_position`
      const comments = new Map(rows.map((row) => [row.name, row.comment]))
      for (const key of Setting.keys) {
        const setting = Setting.get(key)
        assert.strictEqual(comments.get(setting.sql), Setting.sqlComment(setting), setting.sql)
      }
      const settings = rows.filter(({ name }) => Setting.fromSql(name) !== undefined)
      assert.strictEqual(settings.length, Setting.keys.length)
      for (const { given, nullable } of settings) {
        assert.deepStrictEqual({ given, nullable }, { given: null, nullable: "YES" })
      }
      assert.deepStrictEqual(
        rows.map(({ name }) => name).filter((name) => Setting.fromSql(name) === undefined),
        ["service_name", "description", "created_at", "updated_at", "workload_profile"]
      )
    }))

  it.effect("uses in the monitoring view the defaults of the table of settings", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES ('bare')`
      const [row] = yield* sql`
        SELECT max_poll_records, max_poll_interval_ms, session_timeout_ms
        FROM v_consumer_config_monitoring WHERE service_name = 'bare'`
      assert.deepStrictEqual(row, {
        max_poll_records: Setting.settings.maxPollRecords.default,
        max_poll_interval_ms: Setting.settings.maxPollIntervalMs.default,
        session_timeout_ms: Setting.settings.sessionTimeoutMs.default
      })
    }))

  it.effect("keeps updated_at, and announces every change with the service's name", () =>
    Effect.scoped(Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const told = yield* sql.listen("weft_config")
      const payloads = (count: number) =>
        Effect.forEach(Array.from({ length: count }), () => Effect.map(Queue.take(told), ({ payload }) => payload))
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES ('a'), ('b')`
      assert.deepStrictEqual(yield* payloads(2), ["a", "b"])
      yield* sql`UPDATE pipeline_consumer_configs SET max_poll_records = 5 WHERE service_name = 'a'`
      assert.deepStrictEqual(yield* payloads(1), ["a"])
      const [row] = yield* sql<{ later: boolean }>`
        SELECT updated_at > created_at AS later FROM pipeline_consumer_configs WHERE service_name = 'a'`
      assert.deepStrictEqual(row, { later: true })
      yield* sql`UPDATE pipeline_consumer_configs SET service_name = 'c' WHERE service_name = 'a'`
      assert.deepStrictEqual((yield* payloads(2)).toSorted(), ["a", "c"])
      yield* sql`DELETE FROM pipeline_consumer_configs WHERE service_name = 'b'`
      assert.deepStrictEqual(yield* payloads(1), ["b"])
      const long = "x".repeat(9000)
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES (${long})`
      assert.deepStrictEqual(yield* payloads(1), [""])
      yield* sql`TRUNCATE pipeline_consumer_configs`
      assert.deepStrictEqual(yield* payloads(1), [""])
    })))

  it.effect("takes every value that only falls back, and refuses a service without a name", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs
        (service_name, max_poll_records, session_timeout_ms, heartbeat_interval_ms, auto_offset_reset)
        VALUES ('wrong', -1, 5, 900000, 'sometimes')`
      const error = yield* Effect.flip(sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES (' ')`)
      assert.strictEqual(error.reason._tag, "ConstraintError")
    }))
})

layer(migrated)("migration 0041", (it) => {
  it.effect.each([[1000, "ok"], [1001, "warning"], [10000, "warning"], [10001, "critical"]] as const)(
    "a lag of %i is %s",
    ([lag, level]) =>
      Effect.gen(function*() {
        const sql = yield* PgClient.PgClient
        yield* sql`INSERT INTO consumer_lag_history (service_name, topic, partition, lag) VALUES (${`s${lag}`}, 't', 0, ${lag})`
        const rows = yield* sql<{ alert_level: string }>`
          SELECT alert_level FROM v_consumer_lag_alerts WHERE service_name = ${`s${lag}`}`
        assert.deepStrictEqual(rows, [{ alert_level: level }])
      })
  )

  it.effect("the current lag is that of the last sample of each partition, and of the last 5 minutes", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO consumer_lag_history (service_name, topic, partition, lag, timestamp) VALUES
        ('now', 't', 0, 999, now() - interval '2 minutes'), ('now', 't', 0, 4, now() - interval '1 minute'),
        ('now', 't', 1, 6, now() - interval '1 minute'), ('now', 't', 2, 999, now() - interval '6 minutes')`
      const rows = yield* sql`
        SELECT partition_count, total_lag, avg_lag_per_partition, max_partition_lag
        FROM v_current_consumer_lag WHERE service_name = 'now'`
      assert.deepStrictEqual(rows, [
        { partition_count: 2, total_lag: 10n, avg_lag_per_partition: 5, max_partition_lag: 6n }
      ])
    }))
})

layer(migrated)("migration 0042", (it) => {
  const history = Effect.fnUntraced(function*(service: string) {
    const sql = yield* PgClient.PgClient
    return yield* sql<{
      revision: number
      operation: string
      before: number | null
      after: number | null
      changed_by: string
      reason: string | null
    }>`
      SELECT
        revision, operation, (old_row->>'max_poll_records')::int AS before, (new_row->>'max_poll_records')::int AS after,
        changed_by, reason
      FROM consumer_config_history WHERE service_name = ${service} ORDER BY revision`
  })
  const told = (rows: ReadonlyArray<{ operation: string; before: number | null; after: number | null }>) =>
    rows.map(({ after, before, operation }) => [operation, before, after])

  it.effect("keeps every change of a row, with who made it and why", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('h', 1)`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`SELECT set_config('weft.actor', 'ada', true), set_config('weft.reason', 'it''s slow', true)`
        yield* sql`UPDATE pipeline_consumer_configs SET max_poll_records = 2 WHERE service_name = 'h'`
      }))
      yield* sql`UPDATE pipeline_consumer_configs SET max_poll_records = 2 WHERE service_name = 'h'`
      yield* sql`DELETE FROM pipeline_consumer_configs WHERE service_name = 'h'`
      const rows = yield* history("h")
      assert.deepStrictEqual(told(rows), [["INSERT", null, 1], ["UPDATE", 1, 2], ["DELETE", 2, null]])
      assert.deepStrictEqual(rows.map(({ revision }) => revision), [1, 2, 3])
      const [{ user } = { user: "" }] = yield* sql<{ user: string }>`SELECT session_user::text AS user`
      assert.deepStrictEqual(rows.map(({ changed_by, reason }) => [changed_by, reason]), [
        [user, null],
        ["ada", "it's slow"],
        [user, null]
      ])
    }))

  it.effect("a rename ends one history and begins another; TRUNCATE ends them all", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('old', 1), ('stays', 5)`
      yield* sql`UPDATE pipeline_consumer_configs SET service_name = 'new', max_poll_records = 2
        WHERE service_name = 'old'`
      yield* sql`TRUNCATE pipeline_consumer_configs`
      assert.deepStrictEqual(told(yield* history("old")), [["INSERT", null, 1], ["DELETE", 1, null]])
      assert.deepStrictEqual(told(yield* history("new")), [["INSERT", null, 2], ["DELETE", 2, null]])
      assert.deepStrictEqual(told(yield* history("stays")), [["INSERT", null, 5], ["DELETE", 5, null]])
    }))

  it.effect("counts concurrent changes one by one", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('c', 0)`
      yield* Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i),
        (i) =>
          i % 4 === 0
            ? sql`DELETE FROM pipeline_consumer_configs WHERE service_name = 'c'`
            : sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('c', ${i})
              ON CONFLICT (service_name) DO UPDATE SET max_poll_records = EXCLUDED.max_poll_records`,
        { concurrency: 8 }
      )
      const rows = yield* history("c")
      assert.deepStrictEqual(rows.map(({ revision }) => revision), rows.map((_, i) => i + 1))
      // Each row begins where the one before it ended.
      for (const [i, { before }] of rows.entries()) assert.strictEqual(before, rows[i - 1]?.after ?? null)
      assert.isAtLeast(rows.length, 30)
    }))

  it.effect("a user who may change rows writes their history, and cannot alter it", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const role = `weft_writer_${Math.floor(performance.now() * 1000)}`
      yield* sql`CREATE ROLE ${sql(role)}`.unprepared
      yield* sql`GRANT SELECT, INSERT, UPDATE ON pipeline_consumer_configs TO ${sql(role)}`.unprepared
      const denied = yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`SET LOCAL ROLE ${sql(role)}`.unprepared
        yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('mine', 1)`
        return yield* Effect.flip(sql.withTransaction(sql`DELETE FROM consumer_config_history`))
      }))
      assert.match(String(denied.reason.cause), /permission denied/)
      assert.deepStrictEqual(told(yield* history("mine")), [["INSERT", null, 1]])
      yield* sql`DROP OWNED BY ${sql(role)}`.unprepared
      yield* sql`DROP ROLE ${sql(role)}`.unprepared
    }))
})

layer(migrated)("migration 0043", (it) => {
  it.effect("has the profiles that are built in, and a column for each setting that a profile may set", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const rows = yield* sql<{ profile: Record<string, unknown> }>`
        SELECT to_jsonb(profile) AS profile FROM consumer_workload_profiles AS profile`
      const byName = new Map(rows.map(({ profile }) => [profile["name"], profile]))
      assert.sameMembers([...byName.keys()], Object.keys(WorkloadProfile.profiles))
      for (const { description, name, values } of Object.values(WorkloadProfile.profiles)) {
        const row = byName.get(name)!
        assert.strictEqual(row["description"], description)
        for (const key of Setting.keys) {
          if (key !== "consumerGroupId") assert.strictEqual(row[Setting.settings[key].sql], values[key] ?? null)
        }
      }
    }))

  it.effect("announces every change of profiles and rules to all services", () =>
    Effect.scoped(Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const told = yield* sql.listen("weft_config")
      for (
        const statement of [
          sql`UPDATE consumer_workload_profiles SET max_poll_records = 2 WHERE name = 'gpu'`,
          sql`INSERT INTO consumer_profile_rules (pattern, profile) VALUES ('%-vision-%', 'gpu')`,
          sql`DELETE FROM consumer_profile_rules`,
          sql`TRUNCATE consumer_profile_rules`
        ]
      ) {
        yield* statement
        assert.strictEqual((yield* Queue.take(told)).payload, "")
      }
    })))

  it.effect.each(["a\\", "\\", "a\\\\\\"])(
    "refuses the pattern %j, on which LIKE would fail",
    (pattern) =>
      Effect.gen(function*() {
        const sql = yield* PgClient.PgClient
        const insert = (text: string) =>
          sql`INSERT INTO consumer_profile_rules (pattern, profile) VALUES (${text}, 'gpu')`
        const error = yield* Effect.flip(insert(pattern))
        assert.strictEqual(error.reason._tag, "ConstraintError")
        yield* insert(`${pattern}\\`)
        yield* sql`SELECT 'any' LIKE pattern AS fits FROM consumer_profile_rules`
      })
  )
})

describe("the guide's copy", () => {
  it("holds the six statements of the guide", () => assert.strictEqual(sqlSplit(guide).length, 6))
})
