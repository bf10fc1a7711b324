import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as Resolution from "@weft/config/Resolution"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { empty, migrated, migratedUrl, pool } from "./support/database.ts"
import { proxy } from "./support/proxy.ts"

const quick = PostgresAppliedConfigs.layerWith({ interval: "100 millis" })
/** Gives up on a database soon. */
const hasty = PostgresAppliedConfigs.layerWith({ interval: "100 millis", queryTimeout: "500 millis" })

const resolved = (columns: { readonly [column: string]: unknown } = {}, revision = 1) =>
  Resolution.resolve({ service: "svc", row: { _tag: "Row", columns, revision } })

const report = (member: string, columns?: { readonly [column: string]: unknown }, revision?: number) =>
  Effect.flatMap(
    AppliedConfigs.AppliedConfigs,
    (applied) => applied.report({ service: "svc", member, group: "g", resolved: resolved(columns, revision) })
  )

/** The members, once they are as expected. */
const members = (fits: (members: ReadonlyArray<AppliedConfigs.AppliedMember>) => boolean) =>
  Effect.flatMap(AppliedConfigs.AppliedConfigs, ({ list }) => list("svc")).pipe(
    Effect.repeat({ until: fits, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("1 minute")
  )

describe("PostgresAppliedConfigs", () => {
  it.live("what a member reports can be read, with provenance, revision and time", () =>
    Effect.gen(function*() {
      const begin = yield* Clock.currentTimeMillis
      yield* report("m1", { max_poll_records: 9999, session_timeout_ms: 30000 }, 4)
      const [member] = yield* members(({ length }) => length === 1)
      assert.deepInclude(member, { service: "svc", member: "m1", group: "g" })
      assert.deepStrictEqual(
        member!.applied,
        AppliedConfig.fromResolved(resolved({ max_poll_records: 9999, session_timeout_ms: 30000 }, 4))
      )
      assert.isAtLeast(member!.appliedAt, begin)
      const later = yield* members(([one]) => one!.lastSeen > member!.lastSeen)
      assert.strictEqual(later[0]!.appliedAt, member!.appliedAt)
    }).pipe(Effect.provide(Layer.provideMerge(quick, migrated))))

  it.live("a new report takes the place of the old one; who leaves is no longer listed, and comes back by a report", () =>
    Effect.gen(function*() {
      const applied = yield* AppliedConfigs.AppliedConfigs
      yield* report("m1", {}, 1)
      yield* report("m2", {}, 1)
      yield* members(({ length }) => length === 2)
      yield* report("m1", {}, 2)
      yield* members(([one]) => one?.applied.revision === 2)
      yield* applied.leave({ service: "svc", member: "m1" })
      const [left] = yield* members(({ length }) => length === 1)
      assert.strictEqual(left!.member, "m2")
      yield* report("m1", {}, 3)
      yield* members(({ length }) => length === 2)
      assert.strictEqual((yield* applied.list("other")).length, 0)
      assert.strictEqual((yield* applied.list()).length, 2)
    }).pipe(Effect.provide(Layer.provideMerge(quick, migrated))))

  it.live("a member that says again what it runs with, runs with it since it first said so", () =>
    Effect.gen(function*() {
      const applied = yield* AppliedConfigs.AppliedConfigs
      yield* report("m1", { max_poll_records: 20 }, 1)
      const [first] = yield* members(({ length }) => length === 1)
      yield* Effect.sleep("20 millis")
      yield* report("m1", { max_poll_records: 20, description: "the same, with other words" }, 2)
      const [again] = yield* members(([one]) => one?.applied.revision === 2)
      assert.strictEqual(again!.appliedAt, first!.appliedAt)
      yield* report("m1", { max_poll_records: 30 }, 3)
      const [changed] = yield* members(([one]) => one?.applied.revision === 3)
      assert.isAbove(changed!.appliedAt, first!.appliedAt)
      yield* applied.leave({ service: "svc", member: "m1" })
      yield* Effect.sleep("20 millis")
      yield* report("m1", { max_poll_records: 30 }, 3)
      yield* members(([one]) => one !== undefined && one.appliedAt > changed!.appliedAt)
    }).pipe(Effect.provide(Layer.provideMerge(quick, migrated))))

  it.live("when a process ends, its members have left", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      yield* Effect.andThen(report("m1"), members(({ length }) => length === 1)).pipe(
        Effect.provide(Layer.fresh(Layer.provide(quick, pool(url))))
      )
      const rows = yield* Effect.flatMap(PgClient.PgClient, (client) =>
        client`SELECT member, left_at IS NOT NULL AS has_left FROM consumer_applied_configs`).pipe(
          Effect.provide(pool(url))
        )
      assert.deepStrictEqual(rows, [{ member: "m1", has_left: true }])
    }))

  it.live("without the database a report answers at once, and its last one is stored when it comes back", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const line = yield* proxy(url, false)
      yield* Effect.gen(function*() {
        const applied = yield* AppliedConfigs.AppliedConfigs
        const begin = yield* Clock.currentTimeMillis
        for (let revision = 1; revision <= 50; revision++) yield* report("m1", {}, revision)
        assert.isBelow((yield* Clock.currentTimeMillis) - begin, 5000)
        const error = yield* Effect.flip(applied.list("svc"))
        assert.strictEqual(error._tag, "AppliedConfigsError")
        yield* Effect.sleep("300 millis")
        yield* line.restore
        const [member] = yield* Effect.retry(members(({ length }) => length === 1), Schedule.spaced("100 millis"))
        assert.strictEqual(member!.applied.revision, 50)
      }).pipe(Effect.provide(Layer.provide(hasty, pool(line.url))))
    }).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("a database without the table costs nothing but the listing", () =>
    Effect.gen(function*() {
      yield* report("m1")
      const error = yield* Effect.flatMap(AppliedConfigs.AppliedConfigs, ({ list }) => Effect.flip(list()))
      assert.match(error.message, /consumer_applied_configs.*does not exist/)
    }).pipe(Effect.provide(Layer.provideMerge(quick, empty))))

  it.live("hostile names are data, and one that cannot be stored does not cost the others", () =>
    Effect.gen(function*() {
      const applied = yield* AppliedConfigs.AppliedConfigs
      const random = Array.from({ length: 10_000 }, (_, i) => String.fromCodePoint(0x4e00 + (i * 7919) % 20_000)).join(
        ""
      )
      for (const member of ["'; DROP TABLE consumer_applied_configs; --", "a\u0000b", "\ud800", random]) {
        yield* report(member, { consumer_group_id: "'; --" })
      }
      yield* report("m1")
      const stored = yield* members(({ length }) => length >= 4)
      assert.includeMembers(stored.map(({ member }) => member), [
        "'; DROP TABLE consumer_applied_configs; --",
        "ab",
        "m1"
      ])
      assert.strictEqual((yield* applied.list("' OR true; --")).length, 0)
    }).pipe(Effect.provide(Layer.provideMerge(quick, migrated))))

  it.live("what another version has stored is listed as a member without settings", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO consumer_applied_configs VALUES
        ('svc', 'older', 'g', NULL, 'gpu', '{"some": ["thing"]}', now(), now(), NULL)`
      const [member] = yield* members(({ length }) => length === 1)
      assert.deepStrictEqual(member!.applied.settings, {})
    }).pipe(Effect.provide(Layer.provideMerge(quick, migrated))))
})
