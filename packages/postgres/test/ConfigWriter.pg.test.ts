import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ReloadPlan from "@weft/config/ReloadPlan"
import * as Resolution from "@weft/config/Resolution"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import type { ConfigChangeError } from "@weft/postgres/ConfigChange"
import * as ConfigHistory from "@weft/postgres/ConfigHistory"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { empty, migrated, pool } from "./support/database.ts"

const writing = Layer.merge(ConfigWriter.layer, ConfigHistory.layer).pipe(Layer.provideMerge(migrated))
const scene = Effect.provide(writing)

const rowOf = Effect.fnUntraced(function*(service: string) {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<{ columns: Record<string, unknown> }>`
    SELECT jsonb_strip_nulls(to_jsonb(row) - 'created_at' - 'updated_at') AS columns
    FROM pipeline_consumer_configs AS row WHERE service_name = ${service}`
  return row?.columns
})

const fault = <A, R>(change: Effect.Effect<A, ConfigChangeError, R>) =>
  Effect.map(Effect.flip(change), ({ kind, message }) => `${kind}: ${message}`)

describe("ConfigWriter: set", () => {
  it.live("makes the row, takes texts as a command line gives them, and tells the plan", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const made = yield* writer.set("svc", { max_poll_records: "500", enableAutoCommit: "true", description: "mine" })
      assert.deepStrictEqual(yield* rowOf("svc"), {
        service_name: "svc",
        max_poll_records: 500,
        enable_auto_commit: true,
        description: "mine"
      })
      assert.deepInclude(made, { service: "svc", before: undefined, isWritten: true, revision: 1, refused: [] })
      assert.strictEqual(
        ReloadPlan.render(made.plan),
        "max_poll_records 100 -> 500 hot; enable_auto_commit false -> true hot; queue_max_records 5000 -> 25000 hot"
      )
      const changed = yield* writer.set("svc", { session_timeout_ms: 45000 })
      assert.strictEqual(
        ReloadPlan.render(changed.plan),
        "session_timeout_ms 60000 -> 45000 rejoin; heartbeat_interval_ms 20000 -> 15000 rejoin"
      )
      assert.strictEqual(changed.resolved.revision, 2)
      assert.deepInclude(changed.before, { max_poll_records: 500 })
    }).pipe(scene))

  it.live("refuses what would fall back, and writes nothing of it unless it is forced", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      yield* writer.set("svc", { session_timeout_ms: 30000 })
      const error = yield* Effect.flip(writer.set("svc", { max_poll_records: 9999, fetch_min_bytes: 5 }))
      assert.strictEqual(error.kind, "Refused")
      assert.deepStrictEqual(error.issues?.map(({ _tag }) => _tag), ["OutOfBounds"])
      assert.match(error.message, /^nothing was written for "svc": max_poll_records 9999 is more than 5000/)
      assert.deepStrictEqual(yield* rowOf("svc"), { service_name: "svc", session_timeout_ms: 30000 })
      // A contradiction with what is there already.
      assert.match(
        yield* fault(writer.set("svc", { heartbeat_interval_ms: "20000" })),
        /^Refused: .*heartbeat_interval_ms .*20000.* contradicts session_timeout_ms 30000 \(row\)/
      )
      // One that makes another value of the row fall back.
      yield* writer.set("svc", { heartbeat_interval_ms: 10000 })
      assert.match(
        yield* fault(writer.set("svc", { session_timeout_ms: 12000 })),
        /^Refused: .*heartbeat_interval_ms 10000/
      )
      const forced = yield* writer.set("svc", { session_timeout_ms: 12000 }, { force: true })
      assert.strictEqual(forced.refused.length, 1)
      assert.deepInclude(yield* rowOf("svc"), { session_timeout_ms: 12000, heartbeat_interval_ms: 10000 })
      // What was refused before this change does not stop another one.
      assert.isTrue((yield* writer.set("svc", { max_poll_records: 7 })).isWritten)
    }).pipe(scene))

  it.live("a dry run tells the same, the refused included, and writes nothing", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const told = yield* writer.set("svc", { max_poll_records: 500, session_timeout_ms: 1 }, { dryRun: true })
      assert.isFalse(told.isWritten)
      assert.strictEqual(told.refused.length, 1)
      assert.match(
        ReloadPlan.render(told.plan),
        /^max_poll_records 100 -> 500 hot; queue_max_records 5000 -> 25000 hot; refused: session_timeout_ms 1 is less/
      )
      assert.isUndefined(yield* rowOf("svc"))
    }).pipe(scene))

  it.live("names that are no setting, values that no column holds, services without a name", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      assert.strictEqual(
        yield* fault(writer.set("svc", { max_pol_records: 5 })),
        "UnknownSetting: \"max_pol_records\" is no setting: max_poll_records is meant?"
      )
      assert.match(yield* fault(writer.set("svc", { updated_at: "now" })), /^UnknownSetting/)
      assert.match(yield* fault(writer.set("svc", { __proto__x: 1 })), /^UnknownSetting/)
      assert.match(yield* fault(writer.set("svc", { max_poll_records: [1] })), /^BadValue/)
      assert.match(yield* fault(writer.set("svc", { max_poll_records: "many" }, { force: true })), /^BadValue/)
      assert.match(yield* fault(writer.set("svc", { max_poll_records: 2 ** 40 }, { force: true })), /^BadValue/)
      for (const service of ["", "  ", "a\u0000b", "\ud800"]) {
        assert.match(yield* fault(writer.set(service, { max_poll_records: 5 })), /^BadService/)
      }
      assert.isUndefined(yield* rowOf("svc"))
    }).pipe(scene))

  it.live("what the row says already is not written, and makes no revision", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      yield* writer.set("svc", { max_poll_records: 5 })
      const again = yield* writer.set("svc", { max_poll_records: "5" })
      assert.deepInclude(again, { isWritten: false, revision: 1 })
      assert.isFalse((yield* writer.unset("nobody", ["max_poll_records"])).isWritten)
      assert.isUndefined(yield* rowOf("nobody"))
    }).pipe(scene))

  it.live("unset leaves a setting out, remove removes the row", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      yield* writer.set("svc", { max_poll_records: 5, fetch_min_bytes: 2 })
      const unset = yield* writer.unset("svc", ["maxPollRecords"])
      assert.strictEqual(
        ReloadPlan.render(unset.plan),
        "max_poll_records 5 -> 100 hot; queue_max_records 250 -> 5000 hot"
      )
      assert.deepStrictEqual(yield* rowOf("svc"), { service_name: "svc", fetch_min_bytes: 2 })
      const removed = yield* writer.remove("svc", { dryRun: true })
      assert.strictEqual(ReloadPlan.render(removed.plan), "fetch_min_bytes 2 -> 1 hot")
      assert.isDefined(yield* rowOf("svc"))
      assert.isUndefined((yield* writer.remove("svc")).after)
      assert.isUndefined(yield* rowOf("svc"))
      assert.isFalse((yield* writer.remove("svc")).isWritten)
    }).pipe(scene))

  it.live("a profile is changed as well, and one that nobody knows is refused", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      yield* writer.setProfile("ours", { max_poll_records: "42" }, {})
      const set = yield* writer.set("svc", { workload_profile: "ours" })
      assert.strictEqual(
        ReloadPlan.render(set.plan),
        "max_poll_records 100 -> 42 hot; queue_max_records 5000 -> 2100 hot"
      )
      assert.match(
        yield* fault(writer.set("svc", { workload_profile: "theirs" })),
        /^Refused: .*the workload profile "theirs" of the row is not known/
      )
      const code = { profile: WorkloadProfile.profiles["network-io"] }
      const unset = yield* writer.unset("svc", ["workload_profile"], code)
      assert.strictEqual(unset.resolved.profile, "network-io")
    }).pipe(scene))

  it.live("tells what it does to each member: with its own overrides, its program's profile and what it has applied", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const applied = yield* AppliedConfigs.AppliedConfigs
      yield* writer.set("svc", { max_poll_records: 5 })
      const base = { service: "svc", row: { _tag: "Row", columns: { max_poll_records: 5 } } } as const
      const pinned = Resolution.resolve({
        ...base,
        environment: [{ maxPollRecords: { variable: "WEFT_SVC_MAX_POLL_RECORDS", raw: "9" } }, {}]
      })
      const old = Resolution.resolve({ ...base, row: { _tag: "Row", columns: {} } })
      for (const [member, resolved] of [["a", Resolution.resolve(base)], ["b", pinned], ["c", old]] as const) {
        yield* applied.report({ service: "svc", member, group: "g", resolved })
      }
      yield* Effect.repeat(applied.list("svc"), { until: ({ length }) => length === 3 })
      const { members } = yield* writer.set("svc", { max_poll_records: 7 }, { dryRun: true })
      assert.deepStrictEqual(members.map(({ member, plan }) => [member, ReloadPlan.render(plan)]), [
        ["a", "max_poll_records 5 -> 7 hot; queue_max_records 250 -> 350 hot"],
        ["b", "no change"],
        ["c", "max_poll_records 100 -> 7 hot; queue_max_records 5000 -> 350 hot"]
      ])
    }).pipe(
      Effect.provide(Layer.provideMerge(Layer.merge(ConfigWriter.layer, PostgresAppliedConfigs.layer), migrated))
    ))
})

describe("ConfigWriter: many rows", () => {
  it.live("exports what is set, and imports it again, all or nothing", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      yield* writer.set("b", { max_poll_records: 5, description: "quote ' and \n line" })
      yield* writer.set("a", { consumer_group_id: "g", enable_auto_commit: false, workload_profile: "gpu" })
      const rows = yield* writer.exportRows()
      assert.deepStrictEqual(rows, [
        { service_name: "a", consumer_group_id: "g", enable_auto_commit: false, workload_profile: "gpu" },
        { service_name: "b", max_poll_records: 5, description: "quote ' and \n line" }
      ])
      assert.deepStrictEqual(yield* writer.exportRows(["b"]), [rows[1]!])
      yield* writer.remove("a")
      yield* writer.set("b", { fetch_min_bytes: 9 })
      const imported = yield* writer.importRows(rows, { mode: "replace", actor: "ada", reason: "restore" })
      assert.deepStrictEqual(imported.map(({ service }) => service), ["a", "b"])
      assert.deepStrictEqual(yield* writer.exportRows(), rows)

      const bad = [{ service_name: "c", max_poll_records: 1 }, { service_name: "d", max_poll_records: 0 }]
      assert.match(yield* fault(writer.importRows(bad)), /^Refused: nothing was written for "d"/)
      assert.deepStrictEqual(yield* writer.exportRows(), rows)
      assert.match(yield* fault(writer.importRows([rows[0]!, rows[0]!])), /^BadService: there are two rows of "a"/)
      assert.match(yield* fault(writer.importRows([{ service_name: 7 as never }])), /^BadService/)
      assert.match(yield* fault(writer.importRows([{ service_name: "e", maxPoll: 7 }])), /^UnknownSetting/)
      const merged = yield* writer.importRows([{ service_name: "b", fetch_min_bytes: 3 }])
      assert.deepInclude(merged[0]!.after, { max_poll_records: 5, fetch_min_bytes: 3 })
    }).pipe(scene))

  it.live("lists and checks every row with its rule and profile", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('bad', -1), ('a-vision-b', NULL)`
      yield* writer.setRule({ pattern: "%-vision-%", profile: "gpu" })
      const [vision, bad] = yield* writer.list
      assert.deepInclude(vision, { service: "a-vision-b", profile: "gpu", profileSource: "rule", revision: 1 })
      assert.deepStrictEqual(bad!.issues.map(({ _tag }) => _tag), ["OutOfBounds"])
      const [checked] = yield* writer.check([{ service_name: "c-vision-d", max_poll_records: "x" }])
      assert.strictEqual(checked!.profile, "gpu")
      assert.strictEqual(
        ConfigIssue.message(checked!.issues[0]!),
        "max_poll_records \"x\" is not a whole number: 1 (profile) is used"
      )
      assert.deepInclude(yield* writer.get("bad"), { service: "bad", revision: 1 })
    }).pipe(scene))

  it.live("profiles and rules are listed, set and removed", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const names = (profiles: ReadonlyArray<ConfigWriter.Profile>) =>
        profiles.map(({ name, source }) => `${name} ${source}`)
      assert.include(names(yield* writer.profiles), "gpu table")
      const removed = yield* writer.removeProfile("gpu")
      assert.include(names(removed), "gpu built-in")
      assert.deepInclude(removed.find(({ name }) => name === "gpu")!.values, { max_poll_records: 1 })
      const set = yield* writer.setProfile("ours", { maxPollRecords: "7", description: "of the team" })
      assert.deepInclude(set.find(({ name }) => name === "ours"), {
        description: "of the team",
        values: { max_poll_records: 7 },
        source: "table"
      })
      assert.match(
        yield* fault(writer.setProfile("ours", { max_poll_records: 0 })),
        /^Refused: .*of the profile 0 is less/
      )
      assert.match(yield* fault(writer.setProfile("ours", { consumer_group_id: "g" })), /^UnknownSetting/)
      yield* writer.setRule({ pattern: "a%", profile: "ours" })
      yield* writer.setRule({ pattern: "%", profile: "gpu", priority: 1, description: "all" })
      const rules = yield* writer.setRule({ pattern: "a%", profile: "llm" })
      assert.deepStrictEqual(rules.map(({ pattern, profile }) => [pattern, profile]), [["%", "gpu"], ["a%", "llm"]])
      assert.match(yield* fault(writer.setRule({ pattern: "a\\", profile: "gpu" })), /^BadValue/)
      assert.strictEqual((yield* writer.removeRule("%")).length, 1)
    }).pipe(scene))
})

describe("ConfigHistory", () => {
  it.live("lists who changed what and why, newest first", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const history = yield* ConfigHistory.ConfigHistory
      yield* writer.set("svc", { max_poll_records: 5 }, { actor: "ada", reason: "why; not'" })
      yield* writer.set("svc", { max_poll_records: 6, fetch_min_bytes: 2 }, { actor: "bob" })
      yield* writer.remove("svc")
      const revisions = yield* history.list("svc")
      assert.deepStrictEqual(revisions.map(({ operation, revision }) => [revision, operation]), [
        [3, "DELETE"],
        [2, "UPDATE"],
        [1, "INSERT"]
      ])
      assert.deepInclude(revisions[2], { changedBy: "ada", reason: "why; not'", oldRow: undefined })
      assert.deepInclude(revisions[1], { changedBy: "bob", reason: undefined })
      assert.sameDeepMembers([...revisions[1]!.changes], [
        { column: "max_poll_records", from: 5, to: 6 },
        { column: "fetch_min_bytes", from: null, to: 2 }
      ])
      assert.deepStrictEqual((yield* history.list("svc", { limit: 1, before: 3 })).map(({ revision }) => revision), [2])
      assert.deepStrictEqual(yield* history.list("nobody"), [])
    }).pipe(scene))

  it.live("goes back to a revision as a new one, also over a deletion, and to none", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const history = yield* ConfigHistory.ConfigHistory
      yield* writer.set("svc", { max_poll_records: 5, description: "first" })
      yield* writer.set("svc", { max_poll_records: 6, session_timeout_ms: 30000 })
      const back = yield* history.revert("svc", 1, { actor: "ada" })
      assert.strictEqual(
        ReloadPlan.render(back.plan),
        "max_poll_records 6 -> 5 hot; session_timeout_ms 30000 -> 60000 rejoin; "
          + "heartbeat_interval_ms 10000 -> 20000 rejoin; queue_max_records 300 -> 250 hot"
      )
      assert.deepStrictEqual(yield* rowOf("svc"), { service_name: "svc", max_poll_records: 5, description: "first" })
      const [newest] = yield* history.list("svc")
      assert.deepInclude(newest, { revision: 3, changedBy: "ada", reason: "back to revision 1" })
      yield* writer.remove("svc")
      assert.strictEqual((yield* history.revert("svc", 2)).after?.["max_poll_records"], 6)
      assert.isUndefined((yield* history.revert("svc", 4)).after)
      assert.isUndefined(yield* rowOf("svc"))
      assert.isFalse((yield* history.revert("svc", 4)).isWritten)
      for (const revision of [0, 99, -1, 2 ** 31, 1.5, Number.NaN]) {
        assert.match(yield* fault(history.revert("svc", revision)), /^UnknownRevision/)
      }
      assert.isTrue((yield* history.revert("svc", 1, { dryRun: true })).refused.length === 0)
    }).pipe(scene))

  it.live("going back to values that are refused today needs force", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const history = yield* ConfigHistory.ConfigHistory
      yield* writer.set("svc", { max_poll_records: 0 }, { force: true })
      yield* writer.set("svc", { max_poll_records: 5 })
      assert.match(yield* fault(history.revert("svc", 1)), /^Refused/)
      assert.strictEqual((yield* history.revert("svc", 1, { force: true })).after?.["max_poll_records"], 0)
    }).pipe(scene))
})

describe("ConfigWriter: the database", () => {
  it.live("without the migrations, without the database, behind a lock: typed errors", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      assert.match(yield* fault(writer.set("svc", { max_poll_records: 5 })), /^MissingTable: .*run the migrations$/)
      assert.match(yield* fault(writer.list), /^MissingTable/)
      const away = Layer.fresh(Layer.provide(ConfigWriter.layer, pool("postgres://u:p@127.0.0.1:1/weft")))
      assert.match(
        yield* fault(Effect.flatMap(ConfigWriter.ConfigWriter, (other) => other.get("svc")).pipe(Effect.provide(away))),
        /^Database: /
      )
      yield* SqlMigrator.run()
      yield* writer.set("svc", { max_poll_records: 5 })
      const sql = yield* PgClient.PgClient
      const locked = yield* Deferred.make<void>()
      yield* sql`SELECT 1 FROM pipeline_consumer_configs FOR UPDATE`.pipe(
        Effect.andThen(Deferred.succeed(locked, undefined)),
        Effect.andThen(Effect.never),
        sql.withTransaction,
        Effect.forkScoped
      )
      yield* Deferred.await(locked)
      assert.match(yield* fault(writer.set("svc", { max_poll_records: 6 })), /^Database: .*lock timeout/)
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(ConfigWriter.layer, empty))))

  it.live("concurrent changes of different settings are all kept", () =>
    Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const history = yield* ConfigHistory.ConfigHistory
      const values = { max_poll_records: 5, fetch_min_bytes: 2, retry_backoff_ms: 7, auto_commit_interval_ms: 300 }
      yield* Effect.forEach(Object.entries(values), ([name, value]) => writer.set("svc", { [name]: value }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* rowOf("svc"), { service_name: "svc", ...values })
      assert.strictEqual((yield* history.list("svc")).length, 4)
    }).pipe(scene))
})
