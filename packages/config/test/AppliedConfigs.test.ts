import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as ReloadPlan from "@weft/config/ReloadPlan"
import * as Resolution from "@weft/config/Resolution"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

const resolved = Resolution.resolve({
  service: "svc",
  row: { _tag: "Row", columns: { max_poll_records: 9999, session_timeout_ms: 120000 }, revision: 3 },
  environment: [{ fetchMinBytes: { variable: "WEFT_SVC_FETCH_MIN_BYTES", raw: "7" } }, {}],
  profile: WorkloadProfile.profiles["network-io"],
  broker: { groupMinSessionTimeoutMs: 6000, groupMaxSessionTimeoutMs: 60000 }
})

const roundTrip = (applied: AppliedConfig.AppliedConfig) =>
  Schema.decodeUnknownSync(AppliedConfig.AppliedConfig)(JSON.parse(JSON.stringify(applied)))

describe("AppliedConfig", () => {
  it("keeps each value with its provenance, and comes back from JSON", () => {
    const applied = AppliedConfig.fromResolved(resolved)
    assert.deepStrictEqual(roundTrip(applied), applied)
    assert.deepInclude(applied, { profile: "network-io", profileSource: "code", revision: 3 })
    assert.deepStrictEqual(applied.settings["fetch_min_bytes"], {
      value: 7,
      source: "environment",
      variable: "WEFT_SVC_FETCH_MIN_BYTES"
    })
    assert.deepInclude(applied.settings["max_poll_records"]!.refused, { raw: "9999" })
    assert.strictEqual(applied.issues.length, resolved.issues.length)
    assert.deepStrictEqual(AppliedConfig.toConfig(roundTrip(applied)), Option.some(resolved.config))
  })

  it("resolves another row as the member would: with its profile, its environment and its brokers", () => {
    const next = AppliedConfig.resolveAgain(roundTrip(AppliedConfig.fromResolved(resolved)), "svc", {
      _tag: "Row",
      columns: { fetch_min_bytes: 1, retry_backoff_ms: null, session_timeout_ms: 90000 }
    })
    assert.strictEqual(
      ReloadPlan.render({ ...ReloadPlan.make(resolved, next), refused: [] }),
      "no change"
    )
    assert.deepInclude(next.provenance.fetchMinBytes, { value: 7, source: "environment" })
    assert.deepInclude(next.provenance.retryBackoffMs, { value: 1000, source: "profile" })
    assert.deepInclude(next.provenance.sessionTimeoutMs.refused, { raw: 90000 })
  })

  it("tells what another row would do to the member, and only what it refuses anew", () => {
    const applied = roundTrip(AppliedConfig.fromResolved(resolved))
    const plan = AppliedConfig.planFor(applied, "svc", {
      _tag: "Row",
      columns: { max_poll_records: 9999, session_timeout_ms: 120000, fetch_min_bytes: 3, fetch_max_wait_ms: 0 }
    })
    assert.match(
      ReloadPlan.render(Option.getOrThrow(plan)),
      /^refused: fetch_max_wait_ms 0 is less than 1 .+: 500 \(default\) is used$/
    )
  })

  it("works alike where only the source of a value, the revision or the issues differ", () => {
    const of = (row: ConfigRow.RowResult) => AppliedConfig.fromResolved(Resolution.resolve({ service: "s", row }))
    const twenty = of({ _tag: "Row", columns: { max_poll_records: 20 }, revision: 1 })
    const same = of({ _tag: "Row", columns: { max_poll_records: 20, heartbeat_interval_ms: "often" }, revision: 2 })
    assert.isNotEmpty(same.issues)
    assert.isTrue(AppliedConfig.worksAlike(twenty, same))
    assert.isFalse(
      AppliedConfig.worksAlike(twenty, of({ _tag: "Row", columns: { max_poll_records: 21 }, revision: 1 }))
    )
    const { max_poll_records, ...fewer } = twenty.settings
    assert.isDefined(max_poll_records)
    assert.isFalse(AppliedConfig.worksAlike({ ...twenty, settings: fewer }, twenty))
    assert.isFalse(AppliedConfig.worksAlike(twenty, { ...twenty, settings: fewer }))
  })

  it("a member of an older version is told of by the settings that it knows", () => {
    const { concurrency, queue_max_records, ...known } = AppliedConfig.fromResolved(resolved).settings
    assert.isDefined(concurrency ?? queue_max_records)
    const applied = roundTrip({ ...AppliedConfig.fromResolved(resolved), settings: known })
    const plan = AppliedConfig.planFor(applied, "svc", {
      _tag: "Row",
      columns: { max_poll_records: 20, concurrency: 8, session_timeout_ms: 30000 }
    })
    assert.strictEqual(
      ReloadPlan.render({ ...Option.getOrThrow(plan), refused: [] }),
      "max_poll_records 10 -> 20 hot; session_timeout_ms 60000 -> 30000 rejoin; "
        + "heartbeat_interval_ms 20000 -> 10000 rejoin"
    )
  })

  it("what the program says goes with it: another row is told apart from it", () => {
    const own = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns: {} },
      fixed: { maxPollRecords: 7, fetchMinBytes: Number.NaN },
      defaults: { concurrency: 3, processingOrder: "key" }
    })
    const applied = roundTrip(AppliedConfig.fromResolved(own))
    assert.deepStrictEqual([applied.fixed, applied.defaults], [
      { max_poll_records: 7 },
      { concurrency: 3, processing_order: "key" }
    ])
    assert.deepStrictEqual(applied.settings["processing_order"], { value: "key", source: "code" })
    const plan = AppliedConfig.planFor(applied, "svc", {
      _tag: "Row",
      columns: { max_poll_records: 20, concurrency: 8 }
    })
    assert.strictEqual(ReloadPlan.render(Option.getOrThrow(plan)), "concurrency 3 -> 8 hot")
  })

  it("what an older or newer version has stored is no configuration, and no defect", () => {
    const applied = AppliedConfig.fromResolved(resolved)
    const { max_poll_records, ...fewer } = applied.settings
    assert.isDefined(max_poll_records)
    assert.deepStrictEqual(AppliedConfig.toConfig({ ...applied, settings: fewer }), Option.none())
    const more = { ...applied, settings: { ...applied.settings, new_setting: { value: 1, source: "row" } }, added: 1 }
    assert.deepStrictEqual(AppliedConfig.toConfig(roundTrip(more)), Option.some(resolved.config))
  })
})

describe("AppliedConfigs", () => {
  it.effect("in memory: lists members by service and name, until they leave", () =>
    Effect.gen(function*() {
      const applied = yield* AppliedConfigs.AppliedConfigs
      for (const [service, member] of [["b", "1"], ["a", "2"], ["a", "1"]] as const) {
        yield* applied.report({ service, member, group: "g", resolved })
      }
      const names = Effect.map(applied.list(), (members) => members.map(({ member, service }) => `${service}${member}`))
      assert.deepStrictEqual(yield* names, ["a1", "a2", "b1"])
      assert.strictEqual((yield* applied.list("a")).length, 2)
      yield* TestClock.adjust("1 second")
      yield* applied.report({ service: "a", member: "1", group: "g", resolved })
      assert.deepInclude((yield* applied.list("a"))[0], { appliedAt: 0, lastSeen: 1000, group: "g" })
      yield* applied.report({ service: "a", member: "1", group: "h", resolved })
      assert.deepInclude((yield* applied.list("a"))[0], { appliedAt: 1000, group: "h" })
      yield* applied.leave({ service: "a", member: "1" })
      assert.deepStrictEqual(yield* names, ["a2", "b1"])
    }).pipe(Effect.provide(AppliedConfigs.layerMemory)))

  it.effect("none: keeps nothing", () =>
    Effect.gen(function*() {
      const applied = yield* AppliedConfigs.AppliedConfigs
      yield* applied.report({ service: "a", member: "1", group: "g", resolved })
      assert.deepStrictEqual(yield* applied.list(), [])
    }).pipe(Effect.provide(AppliedConfigs.layerNone)))
})
