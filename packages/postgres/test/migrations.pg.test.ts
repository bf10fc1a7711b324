import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Setting from "@weft/config/Setting"
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
        ["service_name", "description", "created_at", "updated_at"]
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

describe("the guide's copy", () => {
  it("holds the six statements of the guide", () => assert.strictEqual(sqlSplit(guide).length, 6))
})
