import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import type * as Resolution from "@weft/config/Resolution"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { empty, migrated, migratedUrl, pool } from "./support/database.ts"
import { type Proxy, proxy } from "./support/proxy.ts"

/** Reads for longer than a busy machine may take for it: the next poll would be in an hour. */
const forgetful = { queryTimeout: "20 seconds", lastKnownGood: LastKnownGood.layerNone } as const
const slowPolls = PostgresConfigStore.layerWith({ ...forgetful, pollInterval: "1 hour" })
const quickPolls = PostgresConfigStore.layerWith({ ...forgetful, pollInterval: "100 millis" })
const hasty = PostgresConfigStore.layerWith({ ...forgetful, queryTimeout: "500 millis", pollInterval: "1 hour" })

const tags = (resolved: Resolution.Resolved) => resolved.issues.map(({ _tag }) => _tag)

const isRead = (resolved: Resolution.Resolved) => tags(resolved).length === 0

const insert = Effect.fnUntraced(function*(row: Record<string, unknown>) {
  const sql = yield* PgClient.PgClient
  yield* sql`INSERT INTO pipeline_consumer_configs ${sql.insert(row)}`
})

const setRecords = Effect.fnUntraced(function*(service: string, records: number) {
  const sql = yield* PgClient.PgClient
  yield* sql`UPDATE pipeline_consumer_configs SET max_poll_records = ${records} WHERE service_name = ${service}`
})

/** The changes of a service, as they come; `until` drops them up to the first one that fits. */
const watch = Effect.fnUntraced(function*(service: string) {
  const store = yield* ConfigStore.ConfigStore
  const seen = yield* Queue.unbounded<Resolution.Resolved>()
  yield* Effect.forkScoped(Stream.runForEach(store.changes(service), (resolved) => Queue.offer(seen, resolved)))
  const until = (fits: (resolved: Resolution.Resolved) => boolean): Effect.Effect<Resolution.Resolved> =>
    Effect.filterOrElse(Queue.take(seen), fits, () => until(fits))
  return { seen, until }
})

/** A store whose line to a real database can be cut, and a pool with a line of its own to the same database. */
const behindProxy = Effect.fnUntraced(function*<A, E, R>(
  store: typeof slowPolls,
  isOpen: boolean,
  f: (line: Proxy) => Effect.Effect<A, E, R>
) {
  const url = yield* migratedUrl
  const line = yield* proxy(url, isOpen)
  return yield* Effect.provide(f(line), Layer.merge(Layer.provide(store, pool(line.url)), pool(url)))
})

describe("PostgresConfigStore: reading", () => {
  it.live("a row is resolved, field by field, and the rest is derived", () =>
    Effect.gen(function*() {
      yield* insert({ service_name: "vad", consumer_group_id: "loom-vad", session_timeout_ms: 30000 })
      const store = yield* ConfigStore.ConfigStore
      const { config, issues, provenance } = yield* store.load("vad", {
        profile: WorkloadProfile.profiles["high-volume"]
      })
      assert.deepStrictEqual(issues, [])
      assert.strictEqual(config.consumerGroupId, "loom-vad")
      assert.deepStrictEqual(provenance.heartbeatIntervalMs, { value: 10000, source: "derived" })
      assert.deepStrictEqual(provenance.maxPollRecords, { value: 500, source: "profile" })
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("8 configuration: a missing row and a missing table each have their own reason", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const sql = yield* PgClient.PgClient
      const missingRow = yield* store.load("nobody")
      assert.deepStrictEqual(tags(missingRow), ["MissingRow"])
      assert.strictEqual(missingRow.config.consumerGroupId, "nobody-consumer-group")
      yield* sql`DROP TABLE pipeline_consumer_configs CASCADE`
      assert.deepStrictEqual(tags(yield* store.load("somebody")), ["MissingTable"])
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("8 configuration: a database without any table, and one whose table has other columns", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const sql = yield* PgClient.PgClient
      assert.deepStrictEqual(tags(yield* store.load("svc")), ["MissingTable"])
      yield* sql`CREATE TABLE pipeline_consumer_configs (name text)`
      assert.deepStrictEqual(tags(yield* store.load("svc")), ["QueryFailed"])
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, empty))))

  it.live("8 configuration: a database and a user that do not exist", () =>
    Effect.gen(function*() {
      for (const part of ["pathname", "username"] as const) {
        const url = new URL(yield* migratedUrl)
        url[part] = "nowhere"
        const { issues } = yield* Effect.flatMap(ConfigStore.ConfigStore, (store) => store.load("svc")).pipe(
          Effect.provide(Layer.provide(slowPolls, pool(url.href)))
        )
        assert.deepInclude(issues[0], { _tag: "DatabaseUnreachable" })
        assert.match(ConfigIssue.message(issues[0]!), /"(database|role) .*nowhere.* does not exist/)
      }
    }))

  it.live("a bad row falls back where it is bad, whatever the types of its columns", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const store = yield* ConfigStore.ConfigStore
      yield* sql`DROP VIEW v_consumer_config_monitoring, v_consumer_lag_alerts`
      yield* sql`ALTER TABLE pipeline_consumer_configs
        ALTER max_poll_records TYPE text, ALTER session_timeout_ms TYPE numeric, ALTER fetch_min_bytes TYPE bigint,
        ALTER enable_auto_commit TYPE int4range USING NULL, ADD extra jsonb DEFAULT '{"a": 1}'`
      yield* sql`INSERT INTO pipeline_consumer_configs
        (service_name, max_poll_records, session_timeout_ms, fetch_min_bytes, enable_auto_commit, heartbeat_interval_ms)
        VALUES ('svc', 'many', 30000.0, 9223372036854775807, '[1,5)', 20000)`
      const resolved = yield* store.load("svc")
      assert.deepStrictEqual(
        resolved.issues.map((issue) => `${issue._tag} ${"setting" in issue ? issue.setting : ""}`),
        [
          "BadValue maxPollRecords",
          "Contradiction heartbeatIntervalMs",
          "BadValue enableAutoCommit",
          "OutOfBounds fetchMinBytes",
          "UnknownColumn "
        ]
      )
      assert.deepInclude(resolved.config, {
        maxPollRecords: 100,
        sessionTimeoutMs: 30000,
        heartbeatIntervalMs: 10000,
        fetchMinBytes: 1,
        enableAutoCommit: false
      })
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live.each([
    "'; DROP TABLE pipeline_consumer_configs; --",
    "$1",
    "\"quoted\\\"",
    "%_",
    "\u{1f600} \u202e",
    "a\u0000b",
    "\ud800",
    "x".repeat(10_000),
    ""
  ])("hostile names are data (%#)", (service) =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const sql = yield* PgClient.PgClient
      yield* insert({ service_name: "innocent", consumer_group_id: service.replaceAll("\u0000", "").toWellFormed() })
      assert.deepStrictEqual(tags(yield* store.load(service)), ["MissingRow"])
      const stored = service.trim() !== "" && !service.includes("\u0000") && service.isWellFormed()
      if (stored) {
        yield* insert({ service_name: service, max_poll_records: 7 })
        assert.strictEqual((yield* store.load(service)).config.maxPollRecords, 7)
      }
      assert.strictEqual((yield* sql`SELECT 1 FROM pipeline_consumer_configs`).length, stored ? 2 : 1)
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))
})

describe("PostgresConfigStore: profiles", () => {
  const addRule = Effect.fnUntraced(function*(pattern: string, profile: string, priority = 0) {
    const sql = yield* PgClient.PgClient
    yield* sql`INSERT INTO consumer_profile_rules ${sql.insert({ pattern, profile, priority })}`
  })
  const told = ({ profile, profileSource }: Resolution.Resolved) => [profile, profileSource]

  it.live("the row's, then the rule's, then the program's; explicit columns win", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const load = (service: string) => store.load(service, { profile: WorkloadProfile.profiles.llm })
      yield* insert({ service_name: "a-vision-b", workload_profile: "network-io", max_poll_records: 3 })
      yield* insert({ service_name: "c-vision-d", session_timeout_ms: 120000 })
      yield* addRule("%-vision-%", "gpu")
      const named = yield* load("a-vision-b")
      assert.deepStrictEqual(told(named), ["network-io", "row"])
      assert.deepStrictEqual(named.provenance.maxPollRecords, { value: 3, source: "row" })
      assert.deepStrictEqual(named.provenance.retryBackoffMs, { value: 1000, source: "profile" })
      const ruled = yield* load("c-vision-d")
      assert.deepStrictEqual(told(ruled), ["gpu", "rule"])
      assert.deepStrictEqual(ruled.provenance.maxPollRecords, { value: 1, source: "profile" })
      assert.deepStrictEqual(ruled.provenance.sessionTimeoutMs, { value: 120000, source: "row" })
      const withoutRow = yield* load("e-vision-f")
      assert.deepStrictEqual(told(withoutRow), ["gpu", "rule"])
      assert.deepStrictEqual(tags(withoutRow), ["MissingRow"])
      assert.deepStrictEqual(told(yield* load("other")), ["llm", "code"])
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("of several rules the highest priority holds, then the longest pattern", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      yield* addRule("%", "high-volume")
      yield* addRule("a%", "gpu")
      assert.strictEqual((yield* store.load("abc")).profile, "gpu")
      yield* addRule("%c", "llm", 1)
      assert.strictEqual((yield* store.load("abc")).profile, "llm")
      assert.strictEqual((yield* store.load("xyz")).profile, "high-volume")
      yield* addRule("\\%\\_", "network-io", 2)
      assert.strictEqual((yield* store.load("%_")).profile, "network-io")
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("a profile can be changed, added and removed; the built-in one is the fallback", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const store = yield* ConfigStore.ConfigStore
      yield* insert({ service_name: "svc", workload_profile: "gpu" })
      yield* sql`UPDATE consumer_workload_profiles SET max_poll_records = 2 WHERE name = 'gpu'`
      assert.strictEqual((yield* store.load("svc")).config.maxPollRecords, 2)
      yield* sql`DELETE FROM consumer_workload_profiles WHERE name = 'gpu'`
      assert.strictEqual((yield* store.load("svc")).config.maxPollRecords, 1)
      yield* sql`UPDATE pipeline_consumer_configs SET workload_profile = 'ours'`
      assert.deepStrictEqual((yield* store.load("svc")).issues, [
        { _tag: "UnknownProfile", service: "svc", profile: "ours", namedBy: "row", used: "default" }
      ])
      yield* sql`INSERT INTO consumer_workload_profiles (name, max_poll_records) VALUES ('ours', 77)`
      const ours = yield* store.load("svc")
      assert.deepStrictEqual(ours.issues, [])
      assert.deepStrictEqual(ours.provenance.maxPollRecords, { value: 77, source: "profile" })
      yield* sql`UPDATE consumer_workload_profiles SET fetch_min_bytes = 9 WHERE name = 'default'`
      assert.strictEqual((yield* store.load("nobody")).config.fetchMinBytes, 9)
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("9 reload: a changed profile and a changed rule reach the services that have them", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const { until } = yield* watch("a-vision-b")
      yield* until(({ config }) => config.maxPollRecords === 100)
      yield* addRule("%-vision-%", "gpu")
      yield* until(({ config }) => config.maxPollRecords === 1)
      yield* sql`UPDATE consumer_workload_profiles SET max_poll_records = 2 WHERE name = 'gpu'`
      yield* until(({ config }) => config.maxPollRecords === 2)
      yield* sql`DELETE FROM consumer_profile_rules`
      yield* until(({ config }) => config.maxPollRecords === 100)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("tells the revision of the row", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      assert.strictEqual((yield* store.load("svc")).revision, undefined)
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      yield* setRecords("svc", 2)
      assert.strictEqual((yield* store.load("svc")).revision, 2)
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("a database that has only the first migrations is read all the same", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id <= 41)) })
      yield* insert({ service_name: "svc", max_poll_records: 5 })
      const resolved = yield* store.load("svc", { profile: WorkloadProfile.profiles.gpu })
      assert.deepStrictEqual(resolved.issues, [])
      assert.strictEqual(resolved.config.maxPollRecords, 5)
      assert.strictEqual(resolved.config.sessionTimeoutMs, 300000)
      assert.deepStrictEqual(tags(yield* store.load("nobody")), ["MissingRow"])
    }).pipe(Effect.provide(Layer.provideMerge(slowPolls, empty))))
})

describe("PostgresConfigStore: changes", () => {
  it.live("9 reload: a committed change arrives within a second by NOTIFY, without polling", () =>
    Effect.gen(function*() {
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      const { until } = yield* watch("svc")
      yield* until(({ config }) => config.maxPollRecords === 1)
      const took: Array<number> = []
      for (const records of [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) {
        const begin = yield* Clock.currentTimeMillis
        yield* setRecords("svc", records)
        yield* until(({ config }) => config.maxPollRecords === records)
        took.push((yield* Clock.currentTimeMillis) - begin)
      }
      // The machine may stand still for a second, and not most of the time.
      const median = took.toSorted((a, b) => a - b)[5]!
      assert.isBelow(median, 1000, `from COMMIT to seen: ${took.join(", ")} ms`)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("9 reload: without NOTIFY, a change arrives with the next poll", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      yield* sql`DROP TRIGGER weft_notify_consumer_config ON pipeline_consumer_configs`
      const { until } = yield* watch("svc")
      yield* until(({ config }) => config.maxPollRecords === 1)
      yield* setRecords("svc", 2)
      yield* until(({ config }) => config.maxPollRecords === 2)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(quickPolls, migrated))))

  it.live("9 reload: a burst ends with its last change, and no change is told twice", () =>
    Effect.gen(function*() {
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      const { seen, until } = yield* watch("svc")
      yield* until(({ config }) => config.maxPollRecords === 1)
      yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i + 2), (records) => setRecords("svc", records))
      yield* until(({ config }) => config.maxPollRecords === 101)
      yield* setRecords("svc", 101)
      yield* Effect.sleep("200 millis")
      assert.strictEqual(yield* Queue.size(seen), 0)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("9 reload: after its listening connection was terminated, the next change arrives all the same", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      const { until } = yield* watch("svc")
      yield* until(({ config }) => config.maxPollRecords === 1)
      const kill = sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'`
      // The listening may begin after the first reading.
      yield* Effect.repeat(Effect.delay(kill, "20 millis"), { until: (killed) => killed.length === 1 })
      yield* setRecords("svc", 2)
      yield* until(({ config }) => config.maxPollRecords === 2)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(slowPolls, migrated))))

  it.live("a hostile NOTIFY does nothing", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* insert({ service_name: "svc", max_poll_records: 1 })
      const { seen, until } = yield* watch("svc")
      yield* until(({ config }) => config.maxPollRecords === 1)
      for (
        const payload of [
          "'; DROP TABLE pipeline_consumer_configs; --",
          "svc ",
          "{\"svc\":1}",
          "x".repeat(7999),
          "svc",
          ""
        ]
      ) {
        yield* sql.notify("weft_config", payload)
      }
      yield* setRecords("svc", 2)
      yield* until(({ config }) => config.maxPollRecords === 2)
      assert.strictEqual(yield* Queue.size(seen), 0)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(slowPolls, migrated))))
})

describe("PostgresConfigStore: the database comes and goes", () => {
  it.live("8 configuration: away at the start, the defaults hold; when it comes, the row does", () =>
    behindProxy(slowPolls, false, (line) =>
      Effect.gen(function*() {
        yield* insert({ service_name: "svc", max_poll_records: 5 })
        const store = yield* ConfigStore.ConfigStore
        const first = yield* store.load("svc")
        assert.deepStrictEqual(tags(first), ["DatabaseUnreachable"])
        assert.strictEqual(first.config.maxPollRecords, 100)
        const { until } = yield* watch("svc")
        yield* until(({ config }) => config.maxPollRecords === 100)
        yield* line.restore
        const back = yield* until(({ config }) => config.maxPollRecords === 5)
        assert.deepStrictEqual(back.issues, [])
      })).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("8 configuration: cut off while running, the last row holds; a change made meanwhile is found afterwards", () =>
    behindProxy(slowPolls, true, (line) =>
      Effect.gen(function*() {
        yield* insert({ service_name: "svc", max_poll_records: 5 })
        const store = yield* ConfigStore.ConfigStore
        const { until } = yield* watch("svc")
        yield* until(({ config }) => config.maxPollRecords === 5)
        yield* line.cut
        const during = yield* store.load("svc")
        assert.deepStrictEqual(tags(during), ["DatabaseUnreachable"])
        assert.strictEqual(during.config.maxPollRecords, 5)
        yield* setRecords("svc", 6)
        yield* Effect.sleep("500 millis")
        yield* line.restore
        const back = yield* until(({ config }) => config.maxPollRecords === 6)
        assert.deepStrictEqual(back.issues, [])
      })).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("a line that has gone silent is a timeout, not a wait", () =>
    behindProxy(hasty, true, (line) =>
      Effect.gen(function*() {
        yield* insert({ service_name: "svc", max_poll_records: 5 })
        const store = yield* ConfigStore.ConfigStore
        yield* Effect.repeat(store.load("svc"), { until: isRead })
        yield* line.silence
        const begin = yield* Clock.currentTimeMillis
        const during = yield* store.load("svc")
        assert.isBelow((yield* Clock.currentTimeMillis) - begin, 8000)
        assert.deepStrictEqual(tags(during), ["DatabaseTimeout"])
        assert.strictEqual(during.config.maxPollRecords, 5)
      })).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("a locked table and an exhausted pool are timeouts, not waits", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const store = yield* ConfigStore.ConfigStore
      yield* insert({ service_name: "svc", max_poll_records: 5 })
      const locked = yield* Deferred.make<void>()
      const holder = yield* sql`LOCK TABLE pipeline_consumer_configs`.pipe(
        Effect.andThen(Deferred.succeed(locked, undefined)),
        Effect.andThen(Effect.never),
        sql.withTransaction,
        Effect.forkScoped
      )
      yield* Deferred.await(locked)
      const during = yield* store.load("svc")
      assert.deepStrictEqual(tags(during), ["DatabaseTimeout"])
      yield* Fiber.interrupt(holder)
      const after = yield* Effect.repeat(store.load("svc"), { until: isRead })
      assert.strictEqual(after.config.maxPollRecords, 5)

      const holders = yield* Effect.forEach(
        Array.from({ length: 12 }),
        () => Effect.forkScoped(sql`SELECT pg_sleep(90)`)
      )
      // Once they have all connections of the pool.
      yield* Effect.repeat(store.load("svc"), { until: (resolved) => tags(resolved).includes("DatabaseTimeout") })
      yield* Effect.forEach(holders, Fiber.interrupt, { concurrency: "unbounded" })
      yield* Effect.repeat(store.load("svc"), { until: isRead })
    }).pipe(Effect.scoped, Effect.timeout("100 seconds"), Effect.provide(Layer.provideMerge(hasty, migrated))))
})
