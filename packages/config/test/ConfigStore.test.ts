import { assert, describe, it } from "@effect/vitest"
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConfigRows from "@weft/config/ConfigRows"
import * as ConfigStore from "@weft/config/ConfigStore"
import type * as Resolution from "@weft/config/Resolution"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

const away: ConfigIssue.NoRow = { _tag: "DatabaseUnreachable", service: "svc", detail: "ECONNREFUSED" }

/** Collects the lines that are logged while an effect runs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  return Effect.map(Effect.provide(effect, Logger.layer([logger])), () => lines)
}

describe("ConfigStore", () => {
  it.effect("a service without a row has the profile and the defaults", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const resolved = yield* store.load("svc", { profile: WorkloadProfile.profiles.gpu })
      assert.strictEqual(resolved.config.maxPollRecords, 1)
      assert.deepStrictEqual(resolved.issues, [{ _tag: "MissingRow", service: "svc" }])
    }).pipe(Effect.provide(ConfigStore.layerMemory())))

  it.effect("changes begin with the current configuration and emit each change once", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const rows = yield* ConfigRows.ConfigRows
      const seen = yield* Queue.unbounded<Resolution.Resolved>()
      yield* store.changes("svc").pipe(Stream.runForEach((resolved) => Queue.offer(seen, resolved)), Effect.forkScoped)
      assert.strictEqual((yield* Queue.take(seen)).config.maxPollRecords, 5)
      yield* rows.set("svc", { max_poll_records: 6 })
      assert.strictEqual((yield* Queue.take(seen)).config.maxPollRecords, 6)
      yield* rows.set("other", { max_poll_records: 9 })
      yield* rows.set("svc", { max_poll_records: 6 })
      yield* rows.set("svc", { max_poll_records: 7 })
      assert.strictEqual((yield* Queue.take(seen)).config.maxPollRecords, 7)
      yield* rows.remove("svc")
      assert.deepStrictEqual((yield* Queue.take(seen)).issues, [{ _tag: "MissingRow", service: "svc" }])
    }).pipe(Effect.provide(ConfigStore.layerMemory({ svc: { max_poll_records: 5 } }))))

  it.effect("8 configuration: an outage leaves the last row in force and is an issue", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const rows = yield* ConfigRows.ConfigRows
      yield* store.load("svc")
      yield* rows.fail("svc", away)
      const during = yield* store.load("svc")
      assert.strictEqual(during.config.maxPollRecords, 5)
      assert.strictEqual(during.provenance.maxPollRecords.source, "row")
      assert.deepStrictEqual(during.issues, [away])
      yield* rows.set("svc", { max_poll_records: 8 })
      const after = yield* store.load("svc")
      assert.strictEqual(after.config.maxPollRecords, 8)
      assert.deepStrictEqual(after.issues, [])
    }).pipe(Effect.provide(ConfigStore.layerMemory({ svc: { max_poll_records: 5 } }))))

  it.effect("8 configuration: an outage at the start leaves the defaults", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const rows = yield* ConfigRows.ConfigRows
      yield* rows.fail("svc", away)
      const resolved = yield* store.load("svc")
      assert.strictEqual(resolved.config.maxPollRecords, 100)
      assert.deepStrictEqual(resolved.issues, [away])
    }).pipe(Effect.provide(ConfigStore.layerMemory())))

  it.effect("an issue is logged when it appears and when it is gone, not each time it is met", () =>
    Effect.gen(function*() {
      const lines = yield* logged(Effect.gen(function*() {
        const store = yield* ConfigStore.ConfigStore
        const rows = yield* ConfigRows.ConfigRows
        for (let i = 0; i < 5; i++) yield* store.load("svc")
        yield* rows.fail("svc", away)
        for (let port = 0; port < 5; port++) {
          yield* rows.fail("svc", { ...away, detail: `connect ECONNREFUSED from port ${port}` })
          yield* store.load("svc")
        }
        yield* rows.set("svc", { max_poll_records: 5001 })
        for (let i = 0; i < 5; i++) yield* store.load("svc")
        yield* rows.set("svc", {})
        yield* store.load("svc")
      }))
      assert.deepStrictEqual(lines.map((line) => line.replace(/ \(.*\)/, "")), [
        "Warn configuration: max_poll_records \"many\" is not a whole number: 100 is used",
        "Warn configuration: the database is unreachable: \"connect ECONNREFUSED from port 0\"",
        "Warn configuration: max_poll_records 5001 is more than 5000 is used",
        "Info configuration: no longer: the database is unreachable: \"connect ECONNREFUSED from port 4\"",
        "Info configuration: no longer: max_poll_records \"many\" is not a whole number: 100 is used",
        "Info configuration: no longer: max_poll_records 5001 is more than 5000 is used"
      ])
    }).pipe(Effect.provide(ConfigStore.layerMemory({ svc: { max_poll_records: "many" } }))))

  it.effect("values are metrics: numbers as they are, of words the one that holds", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const rows = yield* ConfigRows.ConfigRows
      const shown = Effect.map(Metric.snapshot, (all) =>
        Object.fromEntries(all.flatMap((metric) => {
          const { service, setting, value = "" } = (metric.attributes ?? {}) as Record<string, string>
          return service === "measured" && metric.type === "Gauge"
            ? [[`${setting} ${value}`.trim(), metric.state.value]]
            : []
        })))
      yield* store.load("measured")
      assert.deepInclude(yield* shown, {
        max_poll_records: 7,
        enable_auto_commit: 0,
        "isolation_level read_committed": 1
      })
      yield* rows.set("measured", { concurrency: 12, isolation_level: "read_uncommitted" })
      yield* store.load("measured")
      assert.deepInclude(yield* shown, {
        max_poll_records: 100,
        concurrency: 12,
        "isolation_level read_committed": 0,
        "isolation_level read_uncommitted": 1
      })
    }).pipe(Effect.provide(ConfigStore.layerMemory({ measured: { max_poll_records: 7 } }))))

  it.effect("a static store gives every service its values and never changes", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const fiber = yield* Effect.forkChild(Stream.runCollect(store.changes("any")))
      const seen = yield* Fiber.join(fiber)
      assert.strictEqual(seen.length, 1)
      assert.strictEqual(seen[0]!.config.maxPollRecords, 3)
      assert.strictEqual(seen[0]!.config.consumerGroupId, "any-consumer-group")
      assert.deepStrictEqual(seen[0]!.issues, [])
    }).pipe(Effect.provide(ConfigStore.layerStatic({ maxPollRecords: 3 }))))
})
