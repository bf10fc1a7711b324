import { assert, describe, it } from "@effect/vitest"
import * as Setting from "@weft/config/Setting"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { freshDatabase } from "../../../test-support/servers.ts"
import { database, json, weft } from "./support/weft.ts"

/** Runs with a database of its own that has Weft's tables, and these rows. */
const withRows = <A, E, R>(insert: string, test: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(freshDatabase)
    yield* Effect.gen(function*() {
      yield* SqlMigrator.run()
      const sql = yield* SqlClient.SqlClient
      if (insert !== "") yield* sql.unsafe(insert)
    }).pipe(Effect.provide(Postgres.layerUrl(Redacted.make(url))))
    return yield* Effect.provide(test, database(url))
  })

const guide = `
  INSERT INTO pipeline_consumer_configs (
    service_name, consumer_group_id, max_poll_records, session_timeout_ms, max_poll_interval_ms
  ) VALUES ('my-vad-service', 'loom-vad', 500, 30000, 60000), ('my-bad-service', 'loom-bad', 9999, 30000, 60000)`

interface Explained {
  readonly profile: string
  readonly settings: ReadonlyArray<{
    readonly setting: string
    readonly value: unknown
    readonly source: string
    readonly reload: string
    readonly refused: { readonly raw: unknown; readonly reason: string } | null
  }>
}

describe("weft config", () => {
  it.live("get: all settings, some, or the value of one", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        assert.strictEqual((yield* weft("config get my-vad-service max_poll_records")).out, "500")
        // Kafka's own names and those in code are understood as well.
        assert.deepStrictEqual(yield* json("config get my-vad-service group.id heartbeatIntervalMs"), {
          consumer_group_id: "loom-vad",
          heartbeat_interval_ms: 10_000
        })
        const { out } = yield* weft("config get my-vad-service")
        assert.strictEqual(out.split("\n").length, Setting.keys.length)
        assert.include(out, "session_timeout_ms=30000\n")
      })
    ))

  it.live("explain: where each value comes from, how a change applies, and what was refused", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        const explained = (yield* json("config explain my-bad-service")) as Explained
        const bySetting = new Map(explained.settings.map((one) => [one.setting, one]))
        const records = bySetting.get("max_poll_records")
        assert.deepStrictEqual([records?.value, records?.source, records?.reload], [100, "default", "hot"])
        assert.strictEqual(records?.refused?.raw, 9999)
        assert.deepStrictEqual(bySetting.get("heartbeat_interval_ms")?.source, "derived")
        const { code, out } = yield* weft("config explain my-bad-service max_poll_records")
        assert.strictEqual(code, 0)
        assert.match(out, /max_poll_records +100 +records +default +hot +refused/)
        assert.include(out, "! max_poll_records 9999 is more than 5000")
      })
    ))

  it.live("list: every service with a row", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* json("config list"), [
          { service: "my-bad-service", group: "loom-bad", profile: "default", set: 3, refused: 1, revision: 1 },
          { service: "my-vad-service", group: "loom-vad", profile: "default", set: 4, refused: 0, revision: 1 }
        ])
      })
    ))

  it.live("a service without a row is not found; near names are told", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        const { code, err } = yield* weft("config explain my-vda-service")
        assert.strictEqual(code, 3)
        assert.include(err, "did you mean my-vad-service")
        const setting = yield* weft("config get my-vad-service max_pol_records")
        assert.strictEqual(setting.code, 2)
        assert.include(setting.err, "did you mean max_poll_records")
      })
    ))

  it.live("names with quotes, semicolons and much more are data", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        for (const name of ["'; DROP TABLE pipeline_consumer_configs; --", "\"", "x".repeat(10_000), "\u0000"]) {
          assert.strictEqual((yield* weft(["config", "get", name])).code, 3)
        }
        assert.strictEqual((yield* weft("config list")).code, 0)
      })
    ))

  it.live("validate: says what would not apply, and ends with 6", () =>
    withRows(
      guide,
      Effect.gen(function*() {
        const { code, out } = yield* weft("config validate")
        assert.strictEqual(code, 6)
        assert.include(out, "1 of 2 configurations would not apply in full")
        assert.notInclude(out, "my-vad-service")
        const one = yield* weft("config validate my-vad-service")
        assert.deepStrictEqual([one.code, one.out], [0, "1 configuration, all valid"])
      })
    ))

  it.live("migrate --status tells what becomes of Loom's tables", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          sql`CREATE TABLE pipeline_consumer_configs (
            service_name text PRIMARY KEY, max_poll_records integer NOT NULL DEFAULT 100
          )`),
        Postgres.layerUrl(Redacted.make(url))
      )
      const { code, out } = yield* Effect.provide(weft("migrate --status"), database(url))
      assert.strictEqual(code, 0)
      assert.include(out, "  pipeline_consumer_configs: max_poll_records may be left out, and is NULL then\n")
    }))

  it.live("without the tables it says how to get them", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      for (
        const line of [
          "config list",
          "config get x",
          "config validate",
          "config set x max_poll_records=1",
          "config history x"
        ]
      ) {
        const { code, err } = yield* Effect.provide(weft(line), database(url))
        assert.strictEqual(code, 4, line)
        assert.include(err, "weft migrate", line)
      }
    }))

  it.live("profiles: the built-in ones, with their values", () =>
    withRows(
      "",
      Effect.gen(function*() {
        const profiles = (yield* json("config profiles")) as ReadonlyArray<
          { readonly name: string; readonly values: object }
        >
        assert.includeMembers(profiles.map(({ name }) => name), ["default", "gpu", "llm"])
      })
    ))
})

describe("weft migrate", () => {
  it.live("--status changes nothing; a changed file is refused with 5", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const run = (line: string) => Effect.provide(weft(line), database(url))
      const before = JSON.parse((yield* run("migrate --status --json")).out) as {
        readonly pending: ReadonlyArray<string>
      }
      assert.isAtLeast(before.pending.length, 2)
      assert.deepStrictEqual(yield* run("migrate --dry-run"), yield* run("migrate --status"))
      yield* run("migrate")
      assert.include((yield* run("migrate --status")).out, "nothing to do")
      yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE weft_migrations SET checksum = 'x' WHERE id = 38`),
        Postgres.layerUrl(Redacted.make(url))
      )
      assert.strictEqual((yield* run("migrate")).code, 5)
    }))
})
