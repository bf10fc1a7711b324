import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import { type Alert, stateOf } from "@weft/pipeline/Alert"
import * as AlertFacts from "@weft/pipeline/AlertFacts"
import * as AlertRules from "@weft/pipeline/AlertRules"
import * as AlertSink from "@weft/pipeline/AlertSink"
import * as AlertStore from "@weft/pipeline/AlertStore"
import * as AlertWatch from "@weft/pipeline/AlertWatch"
import * as PostgresAlerts from "@weft/postgres/PostgresAlerts"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { migratedUrl, pool } from "./support/database.ts"
import { proxy } from "./support/proxy.ts"
import { until } from "./support/until.ts"

/** Found dead soon, and not so soon that a busy machine takes the living for dead. */
const quick: PostgresAlerts.Options = { lease: "3 seconds", queryTimeout: "2 seconds" }

/** A process of its own: another pool, another token. */
const storeOf = (url: string, options?: PostgresAlerts.Options, connectTimeout: Duration.Input = "20 seconds") =>
  Layer.fresh(Layer.provide(PostgresAlerts.layerWith(options), pool(url, { connectTimeout })))

const process = (url: string, options?: PostgresAlerts.Options) =>
  Effect.map(Layer.build(storeOf(url, options)), Context.get(AlertStore.AlertStore))

const alert = (more: Partial<Alert> = {}): Alert => ({
  service: "s",
  kind: "lag",
  topic: "t",
  partition: undefined,
  severity: "warning",
  openedAt: 1_800_000_000_000,
  closedAt: undefined,
  message: "behind",
  evidence: { lag: 5 },
  ...more
})

const opened = (one: Alert) => ({ _tag: "Opened", alert: one }) as const
const changed = (one: Alert) => ({ _tag: "Changed", alert: one, from: "warning" }) as const
const closed = (one: Alert) =>
  ({ _tag: "Closed", alert: { ...one, closedAt: one.openedAt + 60_000 }, because: "recovered" }) as const

const rows = (url: string) =>
  Effect.flatMap(
    PgClient.PgClient,
    (sql) =>
      sql<{ service_name: string; severity: string; is_open: boolean; partition: number | null }>`
      SELECT service_name, severity, closed_at IS NULL AS is_open, partition FROM consumer_alerts ORDER BY id`
  )
    .pipe(Effect.provide(pool(url)))

/** One partition whose lag is read from a cell, measured anew at each look. */
const factsOf = (cell: { lag: number }) =>
  Layer.succeed(AlertFacts.AlertFacts, {
    look: Effect.map(Clock.currentTimeMillis, (now) => ({
      partitions: [{
        service: "s",
        topic: "t",
        partition: 0,
        at: now,
        lag: cell.lag,
        lagSeconds: undefined,
        offset: 0n,
        end: BigInt(cell.lag),
        member: "m",
        status: "ok" as const
      }],
      services: [],
      thresholds: new Map()
    }))
  })

const eager = {
  openAfterLooks: 2,
  openAfterMs: 0,
  closeAfterLooks: 2,
  closeAfterMs: 0,
  clearUpTo: 0.8
}
const rules = AlertRules.rules.filter(({ kind }) => kind === "lag").map((rule) => ({ ...rule, hysteresis: eager }))

describe("PostgresAlerts", () => {
  it.live("keeps an alert from its opening to its closing, every subject in a row of its own", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const store = yield* process(url)
      assert.strictEqual(yield* store.turn("evaluate"), "taken")
      assert.strictEqual(yield* store.turn("evaluate"), "kept")
      const partition = alert({ kind: "stuck", partition: 3, severity: "critical" })
      const service = alert({ kind: "crashing", topic: undefined })
      assert.isTrue(yield* store.record({ transitions: [alert(), partition, service].map(opened), refreshed: [] }))
      const found = yield* store.open
      assert.deepStrictEqual(
        found.map(({ acknowledgedAt, acknowledgedBy, closedBecause, id, ...rest }) => rest),
        [alert(), partition, service]
      )
      const worse = alert({ severity: "critical", message: "far behind", evidence: { lag: 50_000 } })
      const fresh = { ...partition, message: "still stuck" }
      yield* store.record({ transitions: [changed(worse), closed(service)], refreshed: [fresh] })
      const then = yield* store.open
      assert.deepStrictEqual(then.map(({ message, severity }) => [severity, message]), [
        ["critical", "far behind"],
        ["critical", "still stuck"]
      ])
      assert.strictEqual(then[0]!.id, found[0]!.id)
      const all = yield* Effect.provide(PostgresAlerts.list({ all: true }), pool(url))
      assert.deepStrictEqual(all.map(({ closedBecause, kind }) => [kind, closedBecause]), [
        ["crashing", "recovered"],
        ["stuck", undefined],
        ["lag", undefined]
      ])
      assert.strictEqual(all[0]!.closedAt, service.openedAt + 60_000)
      yield* store.record({ transitions: [opened(service)], refreshed: [] })
      assert.lengthOf(yield* rows(url), 4)
    }).pipe(Effect.scoped))

  it.live("there is never more than one open row for a subject, whoever writes", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const store = yield* process(url)
      yield* store.turn("evaluate")
      yield* store.record({ transitions: [opened(alert())], refreshed: [] })
      yield* store.record({ transitions: [opened(alert({ severity: "critical" }))], refreshed: [] })
      assert.deepStrictEqual((yield* rows(url)).map(({ severity }) => severity), ["critical"])
      const insert = Effect.flatMap(PgClient.PgClient, (sql) =>
        sql`INSERT INTO consumer_alerts (service_name, kind, topic, severity, message)
          VALUES ('s', 'lag', 't', 'warning', '')`)
      const refused = yield* Effect.exit(Effect.provide(insert, pool(url)))
      assert.isTrue(Exit.isFailure(refused))
      assert.lengthOf(yield* rows(url), 1)
    }).pipe(Effect.scoped))

  it.live("whoever has lost the turn writes nothing", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const a = yield* process(url, quick)
      const b = yield* process(url, quick)
      assert.deepStrictEqual([yield* a.turn("evaluate"), yield* b.turn("evaluate")], ["taken", "others"])
      assert.isFalse(yield* b.record({ transitions: [opened(alert())], refreshed: [] }))
      yield* Effect.sleep("3200 millis")
      // It has expired, and nobody has taken it yet.
      assert.isFalse(yield* a.record({ transitions: [opened(alert())], refreshed: [] }))
      assert.deepStrictEqual([yield* b.turn("evaluate"), yield* a.turn("evaluate")], ["taken", "others"])
      assert.isFalse(yield* a.record({ transitions: [opened(alert())], refreshed: [] }))
      assert.deepStrictEqual(yield* rows(url), [])
      assert.isTrue(yield* b.record({ transitions: [opened(alert())], refreshed: [] }))
      yield* b.giveBack("evaluate")
      // What it knew may be old by now.
      assert.strictEqual(yield* a.turn("evaluate"), "taken")
      assert.strictEqual(yield* b.turn("another"), "taken")
    }).pipe(Effect.scoped))

  it.live("names and figures that PostgreSQL cannot hold are kept as far as it can", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const store = yield* process(url)
      yield* store.turn("evaluate")
      const strange = alert({ service: "a\u0000b\ud800", message: "\u0000", evidence: { at: "\u0000x", n: Infinity } })
      assert.isTrue(yield* store.record({ transitions: [opened(strange)], refreshed: [] }))
      yield* store.record({ transitions: [closed(strange)], refreshed: [] })
      assert.deepStrictEqual((yield* rows(url)).map(({ is_open, service_name }) => [service_name, is_open]), [
        ["ab\ufffd", false]
      ])
    }).pipe(Effect.scoped))

  it.live("every change is told on the channel, and what only brings figures up to date is not", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const told = yield* Effect.gen(function*() {
        const sql = yield* PgClient.PgClient
        const queue = yield* sql.listen(PostgresAlerts.channel)
        const store = yield* process(url)
        yield* store.turn("evaluate")
        const long = alert({ service: "x".repeat(9_000) })
        yield* store.record({ transitions: [opened(alert()), opened(long)], refreshed: [] })
        yield* store.record({ transitions: [], refreshed: [alert({ message: "still" })] })
        yield* store.record({ transitions: [changed(alert({ severity: "critical" }))], refreshed: [] })
        const [one] = yield* PostgresAlerts.list({ service: "s" })
        assert.lengthOf(yield* PostgresAlerts.acknowledge({ ids: [one!.id] }, "ann"), 1)
        yield* store.record({ transitions: [closed(alert({ severity: "critical" }))], refreshed: [] })
        return yield* Effect.forEach(Array.from({ length: 5 }), () => Queue.take(queue)).pipe(
          Effect.timeout("1 minute")
        )
        // The listening ends before its pool does.
      }).pipe(Effect.scoped, Effect.provide(pool(url)))
      const payloads = told.map(({ payload }) => JSON.parse(payload) as Record<string, unknown>)
      assert.deepStrictEqual(
        payloads.map(({ acknowledged, kind, service, state }) => [String(service).length, kind, state, acknowledged]),
        [
          [1, "lag", "warning", false],
          [200, "lag", "warning", false],
          [1, "lag", "critical", false],
          [1, "lag", "critical", true],
          [1, "lag", "closed", true]
        ]
      )
    }))

  it.live("is acknowledged once, by its id or with its service", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const store = yield* process(url)
      yield* store.turn("evaluate")
      const some = [alert(), alert({ kind: "stuck" }), alert({ service: "other" })]
      yield* store.record({ transitions: some.map(opened), refreshed: [] })
      yield* Effect.gen(function*() {
        const [first] = yield* PostgresAlerts.list()
        const acknowledged = yield* PostgresAlerts.acknowledge({ ids: [first!.id, "999"] }, "ann")
        assert.deepStrictEqual(acknowledged.map(({ acknowledgedBy, id }) => [id, acknowledgedBy]), [[first!.id, "ann"]])
        assert.deepStrictEqual(
          (yield* PostgresAlerts.acknowledge({ service: "s" }, "bob")).map(({ acknowledgedBy }) => acknowledgedBy),
          ["ann", "bob"]
        )
        assert.deepStrictEqual(yield* PostgresAlerts.acknowledge({ ids: [] }, "bob"), [])
        assert.lengthOf((yield* PostgresAlerts.list({ service: "other" })).filter((one) => one.acknowledgedAt), 0)
      }).pipe(Effect.provide(pool(url)))
    }).pipe(Effect.scoped))

  it.live("a sink's deliveries are its own, and the next process goes on with what was not told", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const a = yield* process(url)
      const b = yield* process(url)
      yield* a.turn("evaluate")
      yield* a.record({ transitions: [opened(alert()), opened(alert({ kind: "stuck" }))], refreshed: [] })
      const [first, second] = yield* a.untold("slack", 10)
      yield* a.told("slack", [{ id: first!.id, state: "warning" }])
      assert.deepStrictEqual((yield* b.untold("slack", 10)).map(({ id }) => id), [second!.id])
      assert.lengthOf(yield* b.untold("pager", 10), 2)
      assert.lengthOf(yield* b.untold("pager", 1), 1)
      yield* a.record({ transitions: [changed(alert({ severity: "critical" }))], refreshed: [] })
      assert.deepStrictEqual((yield* b.untold("slack", 10)).map(stateOf), ["critical", "warning"])
      // Closed long ago: an end is told for a day to who knew of the beginning, for an hour to others.
      const long = (ago: string) =>
        Effect.flatMap(PgClient.PgClient, (sql) => sql`UPDATE consumer_alerts SET closed_at = now() - ${ago}::interval`)
          .pipe(Effect.provide(pool(url)))
      yield* long("50 minutes")
      assert.lengthOf(yield* b.untold("slack", 10), 2)
      yield* long("23 hours")
      assert.deepStrictEqual((yield* b.untold("slack", 10)).map(({ id }) => id), [first!.id])
      yield* long("25 hours")
      assert.deepStrictEqual(yield* b.untold("slack", 10), [])
    }).pipe(Effect.scoped))

  it.live("what is to be told is found among years of what is over", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      yield* Effect.gen(function*() {
        const sql = yield* PgClient.PgClient
        // What migrated has scanned the table, and tells so when it ends.
        yield* until(
          "nobody else there",
          Effect.map(
            sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
            ({ length }) => length === 0
          )
        )
        const store = yield* process(url)
        yield* sql`
          INSERT INTO consumer_alerts (service_name, kind, severity, message, opened_at, closed_at)
          SELECT 's' || i, 'lag', 'warning', 'behind', now() - INTERVAL '30 days', now() - INTERVAL '29 days'
          FROM generate_series(1, 20000) AS i`
        yield* sql`INSERT INTO consumer_alerts (service_name, kind, severity, message) VALUES ('s', 'lag', 'warning', '')`
        yield* sql`VACUUM ANALYZE consumer_alerts`.unprepared
        const scans = Effect.map(
          sql<{ sequential: number; all: number }>`
            SELECT seq_scan::int AS sequential, (seq_scan + idx_scan)::int AS all
            FROM pg_stat_user_tables WHERE relname = 'consumer_alerts'`,
          ([row]) => row!
        )
        // What this session did is told by then; nothing since has scanned the table.
        yield* Effect.sleep("1500 millis")
        const before = yield* scans
        assert.lengthOf(yield* store.untold("slack", 100), 1)
        // A session tells its counts once a second, while it has something to do.
        const isCounted = Effect.andThen(
          store.untold("slack", 100),
          Effect.map(scans, ({ all }) => all > before.all)
        )
        yield* until("the scan is counted", Effect.orDie(isCounted))
        assert.strictEqual((yield* scans).sequential, before.sequential)
      }).pipe(Effect.provide(pool(url)))
    }).pipe(Effect.scoped))

  it.live("three members look at the same facts: one row, told once; a new one goes on where a dead one ended", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const cell = { lag: 50_000 }
      const told: Array<string> = []
      const sink = (member: string) =>
        Layer.succeed(AlertSink.AlertSink, {
          name: "slack",
          batchSize: 10,
          deliver: (alerts) => Effect.sync(() => void told.push(...alerts.map((one) => `${member} ${stateOf(one)}`)))
        })
      const start = (member: string) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
          const watch = Layer.mergeAll(
            AlertWatch.layer({ interval: "100 millis", rules }).pipe(Layer.provide(factsOf(cell))),
            AlertWatch.layerDelivery({ interval: "100 millis" }).pipe(Layer.provide(sink(member)))
            // Whoever stops gives its turn back; a machine that stands still for seconds must not take it from the others.
          ).pipe(Layer.provide(storeOf(url, { lease: "30 seconds", queryTimeout: "20 seconds" })))
          yield* Layer.buildWithScope(watch, scope)
          return { stop: Scope.close(scope, Exit.void) }
        })
      const members = yield* Effect.forEach(["a", "b", "c"], start)
      yield* until("one is told", Effect.sync(() => told.length === 1))
      yield* Effect.sleep("700 millis")
      assert.deepStrictEqual((yield* rows(url)).map(({ is_open, severity }) => [severity, is_open]), [[
        "critical",
        true
      ]])
      assert.lengthOf(told, 1)
      // Whoever has the turns is gone, one after the other.
      yield* members[0]!.stop
      yield* members[1]!.stop
      cell.lag = 0
      yield* until("it is told that it is over", Effect.sync(() => told.length === 2))
      assert.strictEqual(told[1], "c closed")
      assert.deepStrictEqual((yield* rows(url)).map(({ is_open }) => is_open), [false])
      cell.lag = 5_000
      yield* until("it opens again", Effect.sync(() => told.length === 3))
      // What ends between the telling and its note is told again.
      const store = yield* process(url)
      yield* until("it is noted", Effect.map(Effect.orDie(store.untold("slack", 10)), (untold) => untold.length === 0))
      yield* members[2]!.stop
      const last = yield* start("d")
      cell.lag = 0
      yield* until("the next one closes what it did not open", Effect.sync(() => told.length === 4))
      assert.deepStrictEqual(told.slice(2), ["c warning", "d closed"])
      yield* last.stop
      assert.lengthOf(yield* rows(url), 2)
    }).pipe(Effect.scoped))

  it.live("a database that is away, or silent, stops nothing, and alerts go on when it is back", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const line = yield* proxy(url)
      const cell = { lag: 0 }
      yield* Layer.build(
        AlertWatch.layer({ interval: "100 millis", rules }).pipe(
          Layer.provide(factsOf(cell)),
          Layer.provide(storeOf(line.url, quick, "2 seconds"))
        )
      )
      yield* line.cut
      yield* Effect.sleep("500 millis")
      cell.lag = 50_000
      yield* line.silence
      yield* Effect.sleep("1500 millis")
      yield* line.restore
      yield* until("it is open", Effect.map(Effect.orDie(rows(url)), (found) => found.length === 1))
      yield* line.cut
      cell.lag = 0
      yield* Effect.sleep("1 second")
      yield* line.restore
      yield* until("it is closed", Effect.map(Effect.orDie(rows(url)), ([one]) => one?.is_open === false))
      assert.lengthOf(yield* rows(url), 1)
    }).pipe(Effect.scoped))

  it.live("ten thousand alerts are written and read in bounded time", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const store = yield* process(url, { queryTimeout: "30 seconds" })
      yield* store.turn("evaluate")
      const many = Array.from({ length: 10_000 }, (_, i) => alert({ kind: "stuck", partition: i }))
      const begin = yield* Clock.currentTimeMillis
      assert.isTrue(yield* store.record({ transitions: many.map(opened), refreshed: [] }))
      assert.isTrue(yield* store.record({ transitions: [], refreshed: many }))
      assert.lengthOf(yield* store.open, 10_000)
      assert.lengthOf(yield* store.untold("slack", 100), 100)
      assert.isBelow((yield* Clock.currentTimeMillis) - begin, 30_000)
    }).pipe(Effect.scoped))
})
