import { PgClient } from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { freshDatabase } from "../../../test-support/servers.ts"
import { database, json, weft } from "./support/weft.ts"

const fill = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* PgClient
  yield* sql`INSERT INTO pipeline_consumer_configs (service_name) VALUES ('calm')`
  yield* sql`
    INSERT INTO consumer_alerts (service_name, kind, topic, partition, severity, message, evidence, opened_at, closed_at, closed_because)
    VALUES
      ('billing', 'lag', 'orders', NULL, 'warning', 'billing is 2000 records behind', '{"lag": 2000}',
        now() - INTERVAL '3 hours', NULL, NULL),
      ('billing', 'stuck', 'orders', 3, 'critical', 'billing makes no progress', '{"offset": "17"}',
        now() - INTERVAL '5 minutes', NULL, NULL),
      ('mails', 'crashing', NULL, NULL, 'warning', 'the Kafka client of mails failed', '{}',
        now() - INTERVAL '2 days', now() - INTERVAL '1 day', 'recovered')`
})

const withAlerts = <A, E, R>(test: (url: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(freshDatabase)
    yield* Effect.provide(fill, Postgres.layerUrl(Redacted.make(url)))
    return yield* Effect.provide(test(url), database(url))
  })

const run = (url: string, statement: string) =>
  Effect.flatMap(PgClient, (sql) => sql.unsafe(statement).unprepared).pipe(
    Effect.provide(Postgres.layerUrl(Redacted.make(url)))
  )

describe("weft alerts", () => {
  it.live("shows the open ones, the worst first, with what to do about each kind", () =>
    withAlerts(() =>
      Effect.gen(function*() {
        const { code, err, out } = yield* weft("alerts")
        assert.deepStrictEqual([code, err], [0, ""])
        const lines = out.split("\n")
        assert.match(lines[0]!, /^ID +STATE +KIND +SINCE +ACKNOWLEDGED +WHAT$/)
        assert.match(lines[1]!, /^ *2 +critical +stuck +[56] minutes ago +billing makes no progress$/)
        assert.match(lines[2]!, /^ *1 +warning +lag +3 hours ago +billing is 2000 records behind$/)
        assert.deepStrictEqual(lines.slice(3, 5), ["", "2 alerts open, 1 critical"])
        assert.match(out, /^stuck: The handler does not return/m)
        assert.match(out, /^lag: Add members/m)
        assert.notInclude(out, "mails")
      })
    ))

  it.live("shows closed ones with --all, those of one service, and as many as are asked for", () =>
    withAlerts(() =>
      Effect.gen(function*() {
        const kinds = (line: string) =>
          Effect.map(json(line), (all) => (all as ReadonlyArray<{ readonly kind: string }>).map(({ kind }) => kind))
        assert.deepStrictEqual(yield* kinds("alerts --all"), ["stuck", "lag", "crashing"])
        assert.deepStrictEqual(yield* kinds("alerts --service mails"), [])
        assert.deepStrictEqual(yield* kinds("alerts --service mails --all"), ["crashing"])
        assert.deepStrictEqual(yield* kinds("alerts --limit 1"), ["stuck"])
        assert.match((yield* weft("alerts --limit 1")).out, /the first 1; --limit shows more/)
        assert.strictEqual((yield* weft("alerts --service calm")).out, "no alert is open of calm")
        assert.strictEqual((yield* weft("alerts --service calm --all")).out, "there was no alert of calm")
        const [closed] = (yield* json("alerts --service mails --all")) as ReadonlyArray<Record<string, unknown>>
        assert.deepInclude(closed, {
          id: "3",
          service: "mails",
          topic: null,
          partition: null,
          severity: "warning",
          state: "closed",
          closed_because: "recovered",
          acknowledged_by: null
        })
        const [stuck] = (yield* json("alerts")) as ReadonlyArray<Record<string, unknown>>
        assert.deepInclude(stuck, { topic: "orders", partition: 3, state: "critical", closed_at: null })
        assert.deepStrictEqual(stuck!["evidence"], { offset: "17" })
      })
    ))

  it.live("ends with 6 for scripts that ask, only where one is open", () =>
    withAlerts(() =>
      Effect.gen(function*() {
        const code = (line: string) => Effect.map(weft(line), (said) => said.code)
        assert.strictEqual(yield* code("alerts --exit-code"), 6)
        assert.strictEqual(yield* code("alerts --exit-code --json"), 6)
        assert.strictEqual(yield* code("alerts --exit-code --service mails --all"), 0)
        assert.strictEqual(yield* code("alerts --exit-code --service calm"), 0)
      })
    ))

  it.live("a service that nobody knows is told with the near names; a bad number as usage", () =>
    withAlerts(() =>
      Effect.gen(function*() {
        const { code, err } = yield* weft("alerts --service biling")
        assert.strictEqual(code, 3)
        assert.match(err, /nothing is known of a service "biling"\n {2}did you mean billing\?/)
        for (const limit of ["0", "3000000000"]) assert.strictEqual((yield* weft(`alerts --limit ${limit}`)).code, 2)
      })
    ))

  it.live("acknowledges by ids or by service, and says what there is none of", () =>
    withAlerts(() =>
      Effect.gen(function*() {
        const { code, out } = yield* weft("alerts ack 2 --by ann")
        assert.deepStrictEqual([code, out], [0, "2 billing makes no progress: acknowledged by ann"])
        assert.match((yield* weft("alerts")).out, /critical +stuck +[56] minutes ago +ann +billing/)
        const both = (yield* json("alerts ack --service billing --by bob")) as ReadonlyArray<Record<string, unknown>>
        assert.deepStrictEqual(both.map((one) => one["acknowledged_by"]), ["bob", "ann"])
        const missing = yield* weft("alerts ack 1 99")
        assert.strictEqual(missing.code, 3)
        assert.match(missing.err, /there is no alert 99; the others are acknowledged: 1/)
        assert.strictEqual((yield* weft("alerts ack")).code, 2)
        assert.strictEqual((yield* weft("alerts ack 1 --service billing")).code, 2)
        assert.match((yield* weft("alerts ack one")).err, /"one" is no id of an alert/)
        assert.strictEqual((yield* weft("alerts ack 0 --service mails")).code, 2)
        assert.strictEqual((yield* weft("alerts ack --service mails")).out, "no alert is open")
      })
    ))

  it.live("--watch looks again: what closes disappears", () =>
    withAlerts((url) =>
      Effect.gen(function*() {
        const before = ((yield* json("alerts")) as ReadonlyArray<unknown>).length
        const out: Array<string> = []
        const watching = yield* Effect.forkChild(weft("alerts --watch --interval 100ms --json", { out, err: [] }))
        const looks = (open: number) =>
          Effect.sync(() => (JSON.parse(out.at(-1) ?? "[]") as ReadonlyArray<unknown>).length === open).pipe(
            Effect.tap(Effect.sleep("20 millis")),
            Effect.repeat({ until: (is) => is }),
            Effect.timeout("100 seconds")
          )
        yield* looks(before)
        yield* run(url, "UPDATE consumer_alerts SET closed_at = now() WHERE kind = 'stuck'")
        yield* looks(before - 1)
        assert.isUndefined(watching.pollUnsafe())
        yield* Fiber.interrupt(watching)
      })
    ))

  it.live("says that the database is not migrated, or away", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const empty = yield* Effect.provide(weft("alerts"), database(url))
      assert.strictEqual(empty.code, 4)
      assert.match(empty.err, /no tables of Weft/)
      const away = yield* Effect.provide(weft("alerts"), database("postgres://u@127.0.0.1:1/db"))
      assert.strictEqual(away.code, 4)
    }))
})
