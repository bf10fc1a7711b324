import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import type * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as ConfigHistory from "@weft/postgres/ConfigHistory"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { databaseUrl, freshName } from "../../../test-support/servers.ts"
import { migrated, pool } from "./support/database.ts"

const accepts = Schema.is(ConsumerConfig.ConsumerConfig)

const store = PostgresConfigStore.layerWith({
  pollInterval: "1 hour",
  // No poll comes after a reading that a busy machine was too slow for.
  queryTimeout: "20 seconds",
  lastKnownGood: LastKnownGood.layerNone
})
const all = Layer.mergeAll(
  store,
  ConfigWriter.layer,
  ConfigHistory.layer,
  PostgresRejoinTurns.layerWith({ patience: "100 millis" }),
  PostgresAppliedConfigs.layer
)

/** Different values on each run; a failure prints its seed and the value. */
const seed = Math.floor(performance.timeOrigin + performance.now()) % 2 ** 31
const sample = <A>(arbitrary: fc.Arbitrary<A>, numRuns: number) => fc.sample(arbitrary, { seed, numRuns })
const about = (value: unknown) => `seed ${seed}: ${JSON.stringify(value)?.slice(0, 300)}`

const columns = Setting.keys.map((key) => Setting.settings[key].sql)

/** Text that the database can hold. */
const text = (maxLength: number) =>
  fc.string({ unit: "binary", maxLength }).map((value) => value.toWellFormed().replaceAll("\u0000", ""))

const injections = [
  "'; DROP TABLE pipeline_consumer_configs; --",
  "\"; DROP TABLE pipeline_consumer_configs; --",
  "$$; DELETE FROM pipeline_consumer_configs; $$",
  "$1",
  "${1}",
  "?",
  ":name",
  "%s",
  "\\",
  "\\'",
  "E'\\\\'",
  "/* */ OR 1=1 --",
  "') OR true --",
  "\u{1f4a3}'\u202e",
  "UNION SELECT pg_sleep(5) --",
  "COPY pipeline_consumer_configs TO PROGRAM 'true'",
  "{\"a\":1}",
  "{}",
  "[]",
  "NULL"
]

/** Each within noise, up to 10 kB. */
const hostile = fc.tuple(fc.constantFrom(...injections), text(50), fc.integer({ min: 0, max: 200 }))
  .map(([attack, noise, times]) => `${noise}${attack.repeat(times + 1)}`.slice(0, 10_000).toWellFormed())
  .filter((name) => name.trim() !== "")

describe("bad input, through a real database", () => {
  it.live(
    "whatever a row holds: the answer is accepted, and every value is in it or refused with a reason",
    () =>
      Effect.gen(function*() {
        const sql = yield* PgClient.PgClient
        const { load } = yield* ConfigStore.ConfigStore
        yield* sql`DROP VIEW v_consumer_config_monitoring, v_consumer_lag_alerts`
        for (const column of [...columns, "workload_profile", "description"]) {
          yield* sql`ALTER TABLE pipeline_consumer_configs ALTER COLUMN ${sql(column)} TYPE jsonb USING NULL`.unprepared
        }
        yield* sql`ALTER TABLE pipeline_consumer_configs ADD COLUMN ${
          sql("'; --")
        } jsonb, ADD COLUMN "max_pol_records" jsonb`
          .unprepared
        const numbers = fc.oneof(
          fc.integer({ min: 1, max: 700_000 }),
          fc.constantFrom(
            0,
            1,
            5000,
            5001,
            6000,
            20000,
            30000,
            60000,
            300000,
            305000,
            52428800,
            2 ** 31,
            -1,
            1e308,
            0.5
          )
        )
        const anything = fc.oneof(
          { weight: 6, arbitrary: numbers },
          { weight: 2, arbitrary: fc.constant(null) },
          fc.jsonValue().map((value) =>
            JSON.parse(JSON.stringify(value).replaceAll("\\u0000", "").toWellFormed()) as unknown
          ),
          text(40),
          fc.constantFrom("range", "latest", "true", "12", "1e3", "NaN", "gpu", "\u0085\u2028")
        )
        const row = fc.record(
          Object.fromEntries(
            [...columns, "workload_profile", "'; --", "max_pol_records"].map((name) => [name, anything])
          ),
          { requiredKeys: [] }
        )
        const rows = sample(row, 300).map((values, i) => ({ service_name: `svc${i}`, ...values }))
        yield* sql`INSERT INTO pipeline_consumer_configs
        SELECT * FROM jsonb_populate_recordset(NULL::pipeline_consumer_configs, ${
          sql.json(rows.map((values) => ({ ...values, created_at: "2026-01-01", updated_at: "2026-01-01" })))
        })`
        for (const { service_name: service, ...values } of rows) {
          const resolved = yield* load(service)
          assert.isTrue(accepts(resolved.config), about(values))
          for (const issue of resolved.issues) assert.notMatch(ConfigIssue.message(issue), /[\r\n]/)
          for (const key of Setting.keys) {
            const raw = (values as Record<string, unknown>)[Setting.settings[key].sql]
            const { refused, source } = resolved.provenance[key]
            if (raw === null || raw === undefined) assert.notStrictEqual(source, "row", about(values))
            else if (source !== "row") assert.deepStrictEqual(refused?.raw, raw, about(values))
          }
        }
      }).pipe(Effect.provide(Layer.provideMerge(store, migrated))),
    300_000
  )

  it.live("SQL in names and values is data, wherever it comes in", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const configs = yield* ConfigStore.ConfigStore
      const writer = yield* ConfigWriter.ConfigWriter
      const history = yield* ConfigHistory.ConfigHistory
      const turns = yield* RejoinTurns.RejoinTurns
      const applied = yield* AppliedConfigs.AppliedConfigs
      yield* writer.set("innocent", { max_poll_records: 7, consumer_group_id: "g" })
      for (const name of sample(hostile, 40)) {
        // A key of an index has less than 3 kB; longer ones are refused by the database, and nothing else happens.
        const set = yield* Effect.result(writer.set(name, { max_poll_records: 5, description: name }, {
          actor: name,
          reason: name,
          force: true
        }))
        if (Result.isSuccess(set)) {
          assert.strictEqual((yield* configs.load(name)).config.maxPollRecords, 5, about(name))
          const [revision] = yield* history.list(name)
          assert.deepInclude(
            revision,
            { changedBy: [...name].slice(0, 1000).join(""), operation: "INSERT" },
            about(name)
          )
          assert.strictEqual(revision!.newRow?.["description"], name)
          yield* writer.set(name, { consumer_group_id: name, workload_profile: name }, { force: true })
          yield* history.revert(name, 1)
          assert.lengthOf(yield* writer.exportRows([name]), 1)
          yield* writer.remove(name)
        } else {
          assert.strictEqual(set.failure.kind, "Database", about(name))
          assert.isAbove(name.length, 800)
        }
        const group = yield* writer.set("innocent", { consumer_group_id: name }, { force: true })
        assert.strictEqual(group.after?.["consumer_group_id"], name, about(name))
        assert.strictEqual(yield* turns.withTurn({ group: name, member: name }, Effect.succeed(1)), 1)
        yield* applied.report({ service: name, member: name, group: name, resolved: group.resolved })
        yield* Effect.ignore(applied.list(name))
        yield* Effect.ignore(writer.setRule({ pattern: name, profile: name, description: name }))
        yield* Effect.ignore(writer.removeRule(name))
        yield* Effect.ignore(writer.setProfile(name, { description: name }))
        yield* Effect.ignore(writer.removeProfile(name))
        assert.strictEqual((yield* Effect.flip(writer.set("x", { [name]: 1 }))).kind, "UnknownSetting")
        yield* Effect.ignore(writer.get(name))
      }
      const left = yield* sql`SELECT service_name, max_poll_records FROM pipeline_consumer_configs`
      assert.deepStrictEqual(left, [{ service_name: "innocent", max_poll_records: 7 }])
    }).pipe(Effect.provide(Layer.provideMerge(all, migrated))), 300_000)

  it.live("a hostile NOTIFY does nothing, and the next change arrives", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const configs = yield* ConfigStore.ConfigStore
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('svc', 1)`
      const seen = yield* Queue.unbounded<Resolution.Resolved>()
      yield* Effect.forkScoped(Stream.runForEach(configs.changes("svc"), (resolved) => Queue.offer(seen, resolved)))
      assert.strictEqual((yield* Queue.take(seen)).config.maxPollRecords, 1)
      const payloads = sample(fc.oneof(hostile, text(7000), fc.constantFrom("", "svc", "SVC", "svc ", "svc\n")), 300)
      for (const payload of payloads) {
        const short = [...payload].slice(0, 1900).join("")
        yield* sql`SELECT pg_notify('weft_config', ${short})`
      }
      yield* sql`UPDATE pipeline_consumer_configs SET max_poll_records = 2`
      const next = yield* Queue.take(seen)
      assert.strictEqual(next.config.maxPollRecords, 2)
      yield* Effect.sleep("200 millis")
      assert.strictEqual(yield* Queue.size(seen), 0)
    }).pipe(Effect.scoped, Effect.timeout("4 minutes"), Effect.provide(Layer.provideMerge(store, migrated))), 300_000)

  it.live.each(["SQL_ASCII", "LATIN1"])(
    "a database in %s is migrated and read, whatever bytes it holds",
    (encoding) =>
      Effect.gen(function*() {
        const name = freshName("encoded")
        yield* Effect.flatMap(PgClient.PgClient, (sql) =>
          sql.unsafe(
            `CREATE DATABASE "${name}" TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`
          ).unprepared).pipe(Effect.provide(pool(databaseUrl())))
        const url = new URL(databaseUrl())
        url.pathname = `/${name}`
        yield* Effect.gen(function*() {
          const sql = yield* PgClient.PgClient
          yield* SqlMigrator.run()
          // The bytes of a text in another encoding, which are no UTF-8.
          const bytes = encoding === "SQL_ASCII" ? "E'loom-\\xe9\\xff'" : "E'loom-\\u00e9'"
          yield* sql.unsafe(
            `INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id, max_poll_records, description)
          VALUES ('svc', ${bytes}, 7, ${bytes})`
          ).unprepared
          const { load } = yield* ConfigStore.ConfigStore
          const resolved = yield* load("svc")
          assert.isTrue(accepts(resolved.config))
          // What is not UTF-8 may make the row unreadable as a whole; then that is told.
          if (resolved.issues.length === 0) assert.strictEqual(resolved.config.maxPollRecords, 7)
          else assert.deepStrictEqual(resolved.issues.map(({ _tag }) => _tag), ["QueryFailed"])
          if (encoding === "LATIN1") assert.strictEqual(resolved.config.consumerGroupId, "loom-\u00e9")
        }).pipe(Effect.provide(Layer.provideMerge(store, pool(url.href))))
      }),
    300_000
  )
})
