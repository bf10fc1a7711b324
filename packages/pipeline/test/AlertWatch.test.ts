import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { type AlertState, type StoredAlert, stateOf } from "../src/Alert.ts"
import * as AlertFacts from "../src/AlertFacts.ts"
import * as AlertRules from "../src/AlertRules.ts"
import * as AlertSink from "../src/AlertSink.ts"
import * as AlertStore from "../src/AlertStore.ts"
import * as AlertWatch from "../src/AlertWatch.ts"

/** A world with one partition whose lag can be set, measured anew at each look. */
const world = () => {
  const state = { lag: 0, isAway: false, looks: 0 }
  const layer = Layer.succeed(AlertFacts.AlertFacts, {
    look: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      state.looks++
      if (state.isAway) return Effect.fail(new AlertFacts.AlertFactsError({ message: "away", cause: undefined }))
      return Effect.succeed({
        partitions: [{
          service: "s",
          topic: "t",
          partition: 0,
          at: now,
          lag: state.lag,
          lagSeconds: 0,
          offset: 0n,
          end: BigInt(state.lag),
          member: "m",
          status: "ok" as const
        }],
        services: [],
        thresholds: new Map()
      })
    })
  })
  return { layer, state }
}

/** A receiver that notes what it is told, and can be away or take its time. */
const receiver = (name = "receiver") => {
  const state = { told: [] as Array<AlertState>, mode: "ok" as "ok" | "away" | "silent" | "dying", attempts: 0 }
  const layer = Layer.succeed(AlertSink.AlertSink, {
    name,
    batchSize: 100,
    deliver: (alerts: ReadonlyArray<StoredAlert>) =>
      Effect.suspend(() => {
        state.attempts++
        if (state.mode === "silent") return Effect.never
        if (state.mode === "dying") throw new Error("a bug")
        if (state.mode === "away") {
          return Effect.fail(new AlertSink.AlertSinkError({ message: "away", retryAfterMs: undefined }))
        }
        state.told.push(...alerts.map(stateOf))
        return Effect.void
      })
  })
  return { layer, state }
}

const open = Effect.flatMap(AlertStore.AlertStore, (store) => store.open)

describe("AlertWatch", () => {
  it.effect("opens, changes and closes alerts as the facts do, and tells each state once", () => {
    const { layer: facts, state } = world()
    const { layer: sink, state: told } = receiver()
    return Effect.gen(function*() {
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual([yield* open, told.told], [[], []])
      state.lag = 2_000
      yield* TestClock.adjust("2 minutes")
      const [alert, ...others] = yield* open
      assert.deepStrictEqual(others, [])
      assert.deepInclude(alert, { service: "s", kind: "lag", topic: "t", partition: undefined, severity: "warning" })
      assert.deepStrictEqual(told.told, ["warning"])
      state.lag = 50_000
      yield* TestClock.adjust("2 minutes")
      assert.deepInclude((yield* open)[0], { severity: "critical", id: alert!.id, openedAt: alert!.openedAt })
      state.lag = 0
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* open, [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(told.told, ["warning", "critical", "closed"])
    }).pipe(Effect.provide(
      Layer.mergeAll(AlertWatch.layer(), AlertWatch.layerDelivery()).pipe(
        Layer.provide([facts, sink]),
        Layer.provideMerge(AlertStore.layerMemory)
      )
    ))
  })

  it.effect("a receiver that is away is asked again with pauses, stops nothing, and is told what holds then", () => {
    const { layer: facts, state } = world()
    const { layer: sink, state: told } = receiver()
    return Effect.gen(function*() {
      told.mode = "away"
      state.lag = 2_000
      yield* TestClock.adjust("2 minutes")
      const early = told.attempts
      assert.isAbove(early, 3)
      const looks = state.looks
      yield* TestClock.adjust("10 minutes")
      // A minute apart by now, give or take a fifth.
      assert.isAtMost(told.attempts - early, 14)
      assert.isAtLeast(told.attempts - early, 7)
      assert.isAbove(state.looks - looks, 30)
      state.lag = 50_000
      yield* TestClock.adjust("3 minutes")
      told.mode = "ok"
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(told.told, ["critical"])
    }).pipe(Effect.provide(
      Layer.mergeAll(AlertWatch.layer(), AlertWatch.layerDelivery()).pipe(
        Layer.provide([facts, sink]),
        Layer.provideMerge(AlertStore.layerMemory)
      )
    ))
  })

  it.effect("one that opened and closed unseen is told for an hour, and that it is over to those who knew, for a day", () => {
    const { layer: facts, state } = world()
    const late = receiver("late")
    const knowing = receiver("knowing")
    return Effect.gen(function*() {
      late.state.mode = "away"
      state.lag = 2_000
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(knowing.state.told, ["warning"])
      knowing.state.mode = "away"
      state.lag = 0
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(yield* open, [])
      yield* TestClock.adjust("2 hours")
      late.state.mode = "ok"
      knowing.state.mode = "ok"
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual([late.state.told, knowing.state.told], [[], ["warning", "closed"]])
    }).pipe(Effect.provide(
      Layer.mergeAll(
        AlertWatch.layer().pipe(Layer.provide(facts)),
        AlertWatch.layerDelivery().pipe(Layer.provide(late.layer)),
        AlertWatch.layerDelivery().pipe(Layer.provide(knowing.layer))
      ).pipe(Layer.provideMerge(AlertStore.layerMemory))
    ))
  })

  it.effect("facts that cannot be had leave the alerts as they are, and it goes on by itself", () => {
    const { layer: facts, state } = world()
    return Effect.gen(function*() {
      state.lag = 2_000
      yield* TestClock.adjust("2 minutes")
      assert.lengthOf(yield* open, 1)
      state.isAway = true
      yield* TestClock.adjust("10 minutes")
      assert.lengthOf(yield* open, 1)
      state.isAway = false
      state.lag = 0
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* open, [])
    }).pipe(Effect.provide(
      AlertWatch.layer().pipe(Layer.provide(facts), Layer.provideMerge(AlertStore.layerMemory))
    ))
  })

  it.effect("a rule that throws, and a receiver that dies, end nothing: both are asked again", () => {
    const { layer: facts, state } = world()
    const { layer: sink, state: told } = receiver()
    let bugs = 0
    const rules = AlertRules.rules.map((rule): AlertRules.AlertRule => ({
      ...rule,
      read: (...given) => {
        if (bugs > 0) {
          bugs--
          throw new Error("a bug")
        }
        return rule.read(...given)
      }
    }))
    return Effect.gen(function*() {
      bugs = 3
      state.lag = 2_000
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(bugs, 0)
      assert.lengthOf(yield* open, 1)
      told.mode = "dying"
      state.lag = 50_000
      yield* TestClock.adjust("3 minutes")
      told.mode = "ok"
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(told.told, ["warning", "critical"])
    }).pipe(Effect.provide(
      Layer.mergeAll(AlertWatch.layer({ rules }), AlertWatch.layerDelivery()).pipe(
        Layer.provide([facts, sink]),
        Layer.provideMerge(AlertStore.layerMemory)
      )
    ))
  })

  it.effect("a receiver that never answers holds up nothing but itself", () => {
    const { layer: facts, state } = world()
    const silent = receiver("silent")
    const other = receiver("other")
    return Effect.gen(function*() {
      silent.state.mode = "silent"
      state.lag = 2_000
      yield* TestClock.adjust("5 minutes")
      state.lag = 0
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(other.state.told, ["warning", "closed"])
    }).pipe(Effect.provide(
      Layer.mergeAll(
        AlertWatch.layer().pipe(Layer.provide(facts)),
        AlertWatch.layerDelivery().pipe(Layer.provide(silent.layer)),
        AlertWatch.layerDelivery().pipe(Layer.provide(other.layer))
      ).pipe(Layer.provideMerge(AlertStore.layerMemory))
    ))
  })

  it.effect("the store in memory forgets the oldest closed alerts, and no open one", () =>
    Effect.gen(function*() {
      const store = yield* AlertStore.AlertStore
      const alert = (service: string) => ({
        service,
        kind: "lag",
        topic: undefined,
        partition: undefined,
        severity: "warning" as const,
        openedAt: 0,
        closedAt: undefined,
        message: service,
        evidence: {}
      })
      const record = (transitions: Parameters<typeof store.record>[0]["transitions"]) =>
        store.record({ transitions, refreshed: [] })
      yield* record([{ _tag: "Opened", alert: alert("stays") }])
      for (let i = 0; i < 1_500; i++) {
        yield* record([{ _tag: "Opened", alert: alert(`s${i}`) }])
        yield* record([{ _tag: "Closed", alert: { ...alert(`s${i}`), closedAt: 1 }, because: "recovered" }])
      }
      assert.deepStrictEqual((yield* store.open).map(({ service }) => service), ["stays"])
      const untold = yield* store.untold("anybody", 10_000)
      assert.lengthOf(untold, 1_001)
      assert.deepInclude(untold.at(-1), { service: "s1499", closedAt: 1, closedBecause: "recovered" })
    }).pipe(Effect.provide(AlertStore.layerMemory)))
})
