import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as LagHistory from "@weft/postgres/LagHistory"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { sqlSplit } from "../src/internal/sqlSplit.ts"
import { empty } from "./support/database.ts"
import * as Loom from "./support/loom.ts"

const guide = sqlSplit(readFileSync(new URL("fixtures/guide.sql", import.meta.url), "utf8"))

const scene = Effect.provide(
  Layer.mergeAll(
    PostgresConfigStore.layerWith({ pollInterval: "1 hour", lastKnownGood: LastKnownGood.layerNone }),
    PostgresMetricsSink.layer,
    LagHistory.layer
  ).pipe(Layer.provideMerge(empty))
)

const execute = Effect.fnUntraced(function*(...scripts: ReadonlyArray<string>) {
  const sql = yield* PgClient.PgClient
  for (const statement of scripts.flatMap(sqlSplit)) yield* sql.unsafe(statement).unprepared
})

const rows = (query: string) => Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe(query).unprepared)

/** Everything that a table holds, as text. */
const content = (table: string) =>
  Effect.map(
    rows(`SELECT to_jsonb(t)::text AS row FROM ${table} AS t ORDER BY 1`),
    (found) => found.map((row) => JSON.parse((row as { row: string }).row) as Record<string, unknown>)
  )

/** The names of all migrations. */
const bundled = Effect.map(SqlMigrator.bundled, (files) => files.map(({ name }) => name))

const checkConfigs = Effect.gen(function*() {
  const store = yield* ConfigStore.ConfigStore
  const vision = yield* store.load("minicpm-vision")
  assert.deepStrictEqual(vision.issues, [])
  assert.strictEqual(vision.profile, "default")
  assert.deepInclude(vision.config, {
    consumerGroupId: "loom-minicpm-vision",
    maxPollRecords: 1,
    sessionTimeoutMs: 300000,
    maxPollIntervalMs: 600000,
    heartbeatIntervalMs: 60000,
    requestTimeoutMs: 605000
  })
  // The guide's INSERTs, for services that no table of services knows, and its queries.
  yield* Effect.forEach(guide, (statement) => rows(statement))
  for (const service of ["my-vad-service", "my-vision-service", "my-geocoder"]) {
    const resolved = yield* store.load(service)
    assert.deepStrictEqual(resolved.issues, [])
    assert.strictEqual(resolved.provenance.fetchMinBytes.source, "default")
  }
  const [left] = yield* rows(
    "SELECT heartbeat_interval_ms, fetch_max_bytes FROM pipeline_consumer_configs WHERE service_name = 'my-vad-service'"
  )
  assert.deepStrictEqual(left, { heartbeat_interval_ms: null, fetch_max_bytes: null })
  const history = yield* rows(
    "SELECT service_name, revision, reason FROM consumer_config_history WHERE service_name = 'silero-vad'"
  )
  assert.deepStrictEqual(history, [{ service_name: "silero-vad", revision: 1, reason: "there when the history began" }])
})

const checkMetrics = Effect.gen(function*() {
  const sink = yield* MetricsSink.MetricsSink
  yield* sink.write({
    metrics: [],
    members: [],
    lag: [{
      service: "unheard-of",
      group: "g",
      member: "m",
      topic: "t",
      partition: 0,
      lag: 5n,
      consumerOffset: 1n,
      endOffset: 6n,
      lagSeconds: 1,
      timestamp: Date.now()
    }]
  })
  const lag = yield* LagHistory.LagHistory
  const current = yield* lag.current()
  assert.deepInclude(current.find(({ service }) => service === "unheard-of"), { totalLag: 5n })
})

describe("adoption of a database of Loom v2", () => {
  it.live.each([["", "with defaults"], ["NOT NULL", "NOT NULL with defaults"]] as const)(
    "its 038 and 041, settings %s: no row is lost, rows resolve, the guide's INSERTs work",
    ([notNull]) =>
      Effect.gen(function*() {
        yield* execute(Loom.services, Loom.configs(notNull), Loom.configView, Loom.metrics)
        const before = yield* content("pipeline_consumer_configs")
        assert.isNotEmpty((yield* SqlMigrator.status()).adopts)
        assert.deepStrictEqual(yield* SqlMigrator.run(), yield* bundled)
        const after = yield* content("pipeline_consumer_configs")
        assert.lengthOf(after, before.length)
        for (const [i, row] of before.entries()) assert.deepInclude(after[i], row)
        assert.deepStrictEqual((yield* SqlMigrator.status()).adopts, [])
        assert.deepStrictEqual(yield* SqlMigrator.run(), [])

        const lag = yield* rows(
          "SELECT service_name, partition, lag, consumer_offset FROM consumer_lag_history ORDER BY partition"
        )
        assert.deepStrictEqual(lag, [
          { service_name: "silero-vad", partition: 0, lag: 10n, consumer_offset: 5n },
          { service_name: "silero-vad", partition: 1, lag: 2000n, consumer_offset: 7n }
        ])
        const done = yield* rows(
          "SELECT messages_processed, processing_time_ms, messages_per_second FROM consumer_processing_metrics ORDER BY processing_time_ms"
        )
        assert.deepStrictEqual(done, [
          { messages_processed: 1n, processing_time_ms: 3, messages_per_second: 300 },
          { messages_processed: 1n, processing_time_ms: 12.5, messages_per_second: 80.25 }
        ])
        assert.lengthOf(yield* content("consumer_lag_history_before_weft"), 2)
        assert.lengthOf(yield* content("v_consumer_config_monitoring_before_weft"), 3)
        assert.lengthOf(yield* content("consumer_lag_hourly"), 0)
        yield* checkConfigs
        yield* checkMetrics
        const alerts = yield* rows("SELECT alert_level FROM v_consumer_lag_alerts WHERE service_name = 'silero-vad'")
        assert.deepStrictEqual(alerts, [{ alert_level: "warning" }])

        // Its own programs go on writing as they did.
        yield* execute(`
          INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset) VALUES ('x', 't', 0, 1, 1);
          INSERT INTO consumer_processing_metrics
            (service_name, messages_processed, processing_time_ms, messages_per_second, memory_usage_mb)
            VALUES ('x', 1, 1.5, 2.5, 80.1);
          DELETE FROM pipeline_stages WHERE service_name = 'silero-vad'`)
        const kept = yield* rows("SELECT 1 FROM pipeline_consumer_configs WHERE service_name = 'silero-vad'")
        assert.lengthOf(kept, 1)
      }).pipe(scene)
  )

  it.live("its 038 and 040, whose tables of metrics have other columns: their rows are there in ours", () =>
    Effect.gen(function*() {
      yield* execute(Loom.services, Loom.configs("NOT NULL"), Loom.olderMetrics)
      assert.deepStrictEqual(yield* SqlMigrator.run(), yield* bundled)
      const lag = yield* rows(
        `SELECT service_name, topic, partition, lag, consumer_offset, end_offset, consumer_group_id
        FROM consumer_lag_history ORDER BY partition DESC`
      )
      assert.deepStrictEqual(lag, [
        {
          service_name: "silero-vad",
          topic: "t",
          partition: 3,
          lag: 10n,
          consumer_offset: 5n,
          end_offset: 15n,
          consumer_group_id: "loom-vad-processor"
        },
        {
          service_name: "of-nobody",
          topic: "t",
          partition: 0,
          lag: 0n,
          consumer_offset: 1n,
          end_offset: 1n,
          consumer_group_id: "of-nobody"
        }
      ])
      const done = yield* rows(
        "SELECT messages_processed, processing_time_ms, failures FROM consumer_processing_metrics ORDER BY 1"
      )
      assert.deepStrictEqual(done, [
        { messages_processed: 0n, processing_time_ms: null, failures: 1n },
        { messages_processed: 40n, processing_time_ms: 12.5, failures: 10n }
      ])
      assert.lengthOf(yield* content("v_consumer_performance_monitor"), 1)
      assert.lengthOf(yield* content("consumer_processing_metrics_before_weft"), 2)
      yield* checkConfigs
      yield* checkMetrics
    }).pipe(scene))

  it.live("its 038 alone, then its 041 after Weft's 0038", () =>
    Effect.gen(function*() {
      yield* execute(Loom.services, Loom.configs())
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id === 38)) })
      yield* execute(Loom.metrics)
      assert.deepStrictEqual(yield* SqlMigrator.run(), (yield* bundled).slice(1))
      yield* checkConfigs
      yield* checkMetrics
    }).pipe(scene))

  it.live("who could use its tables can use what takes their place", () =>
    Effect.gen(function*() {
      const role = `loom "app" ${Math.floor(performance.now() * 1000)}`
      const quoted = `"${role.replaceAll("\"", "\"\"")}"`
      yield* execute(Loom.services, Loom.configs(), Loom.metrics)
      yield* execute(`CREATE ROLE ${quoted}; GRANT SELECT, INSERT ON consumer_lag_history TO ${quoted};
        GRANT SELECT ON v_current_consumer_lag TO PUBLIC; GRANT SELECT, UPDATE ON pipeline_consumer_configs TO ${quoted}`)
      yield* SqlMigrator.run()
      const sql = yield* PgClient.PgClient
      yield* sql.withTransaction(execute(`SET LOCAL ROLE ${quoted};
        INSERT INTO consumer_lag_history (service_name, topic, partition, lag) VALUES ('x', 't', 0, 1);
        SELECT * FROM v_current_consumer_lag;
        UPDATE pipeline_consumer_configs SET max_poll_records = 3`))
      yield* execute(`DROP OWNED BY ${quoted}; DROP ROLE ${quoted}`)
    }).pipe(scene))

  it.live("tables in a schema of their own, and columns and constraints that a team has added, stay", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* execute(`CREATE SCHEMA "our schema"; SET LOCAL search_path = "our schema", public`)
        yield* execute(Loom.services, Loom.configs("NOT NULL"), Loom.metrics)
        yield* execute(`ALTER TABLE pipeline_consumer_configs ADD COLUMN owner_team text NOT NULL DEFAULT 'data'
          CHECK (owner_team <> ''), ADD COLUMN cost numeric`)
        assert.deepStrictEqual(yield* SqlMigrator.run(), yield* bundled)
        yield* execute("UPDATE pipeline_consumer_configs SET max_poll_records = 7, owner_team = 'vision'")
        const error = yield* Effect.flip(
          sql.withTransaction(execute("UPDATE pipeline_consumer_configs SET owner_team = ''"))
        )
        assert.strictEqual(error.reason._tag, "ConstraintError")
        assert.lengthOf(yield* rows("SELECT 1 FROM consumer_config_history WHERE operation = 'UPDATE'"), 3)
      }))
    }).pipe(scene))
})

describe("a schema that is not understood", () => {
  const plain = (columns: string) => `CREATE TABLE pipeline_consumer_configs (${columns})`
  const cases: ReadonlyArray<readonly [name: string, script: string, difference: RegExp]> = [
    ["a table of other columns", plain("id int PRIMARY KEY, name text"), /has no column service_name/],
    ["services twice", plain("service_name text, max_poll_records int"), /service_name is neither its primary key nor/],
    ["services as numbers", plain("service_name int PRIMARY KEY"), /service_name is int4, not text/],
    [
      "settings as text",
      plain("service_name text PRIMARY KEY, max_poll_records text"),
      /max_poll_records is text, not int4/
    ],
    [
      "settings that are too narrow",
      plain("service_name text PRIMARY KEY, session_timeout_ms smallint"),
      /session_timeout_ms is int2/
    ],
    [
      "a setting that is computed",
      plain("service_name text PRIMARY KEY, max_poll_records int GENERATED ALWAYS AS (1) STORED"),
      /is computed/
    ],
    [
      "a column that nobody fills",
      plain("service_name text PRIMARY KEY, team text NOT NULL"),
      /team is NOT NULL, and nothing/
    ],
    [
      "a view",
      "CREATE VIEW pipeline_consumer_configs AS SELECT 1 AS service_name",
      /pipeline_consumer_configs is not a table/
    ],
    [
      "metrics of other columns",
      "CREATE TABLE consumer_processing_metrics (id int, value float)",
      /has no column service_name; consumer_processing_metrics has no column messages_processed/
    ],
    [
      "lag as text",
      "CREATE TABLE consumer_lag_history (service_name text, topic text, partition int, lag text, timestamp timestamptz)",
      /lag is text/
    ],
    ["a table where a view is", "CREATE TABLE v_consumer_lag_alerts (a int)", /v_consumer_lag_alerts is not a view/],
    [
      "a place that is taken",
      "CREATE VIEW v_consumer_lag_alerts AS SELECT 1; CREATE TABLE v_consumer_lag_alerts_before_weft (a int)",
      /before_weft is there already/
    ]
  ]
  it.live.each(cases)(
    "%s: it is left alone, and the error says what differs",
    ([_, script, difference]) =>
      Effect.gen(function*() {
        yield* execute(script)
        const schema = Effect.map(
          rows(
            `SELECT coalesce(jsonb_agg(format('%s.%s %s', table_name, column_name, data_type) ORDER BY 1), '[]')::text AS all
          FROM information_schema.columns WHERE table_schema = 'public'`
          ),
          (found) => JSON.stringify(found)
        )
        const before = yield* schema
        const error = yield* Effect.flip(SqlMigrator.run())
        assert.strictEqual(error.kind, "Schema")
        assert.match(error.message, difference)
        assert.match(error.differences!.join("; "), difference)
        assert.strictEqual((yield* Effect.flip(SqlMigrator.status())).kind, "Schema")
        assert.strictEqual(yield* schema, before)
      }).pipe(scene)
  )
})
