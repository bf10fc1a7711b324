import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as FaultPlan from "../src/FaultPlan.ts"

const times = (plan: FaultPlan.FaultPlan) => plan.steps.map((step) => step.atMs)

describe("FaultPlan", () => {
  it("plans are put together in the order of their times, and those of the same time in the order given", () => {
    const plan = FaultPlan.all(
      FaultPlan.at("10 seconds", FaultPlan.leaderChange("t", 0)),
      FaultPlan.at("1 second", FaultPlan.fail("commit", "NOT_COORDINATOR")),
      FaultPlan.at("1 second", FaultPlan.lose("fetch")),
      FaultPlan.none
    )
    assert.deepStrictEqual(times(plan), [1_000, 1_000, 10_000])
    assert.deepStrictEqual(plan.steps.map((s) => s.fault._tag === "Request" ? s.fault.kind : s.fault._tag), [
      "commit",
      "fetch",
      "LeaderChange"
    ])
  })

  it("delays add up, and a repeated plan begins an interval apart", () => {
    const plan = FaultPlan.at("1 minute", FaultPlan.every("10 seconds", 3, FaultPlan.brokerAway(0, "1 second")))
    assert.deepStrictEqual(times(plan), [60_000, 70_000, 80_000])
  })

  it("a fault takes one request of anybody, unless it is told otherwise", () => {
    const [first] = FaultPlan.lose("join").steps
    const [second] = FaultPlan.lose("join", { times: 3, probability: 0.5, target: { clientId: "a" } }).steps
    assert.deepInclude(first!.fault, { times: 1, probability: 1, target: {} })
    assert.deepInclude(second!.fault, { times: 3, probability: 0.5, target: { clientId: "a" } })
  })

  it.effect("a random plan is the same for the same seed, and stays within its time", () =>
    Effect.gen(function*() {
      const draw = (seed: string) =>
        FaultPlan.random({
          within: "1 minute",
          count: 50,
          choices: [FaultPlan.lose("fetch"), FaultPlan.crash({}), FaultPlan.coordinatorMove("g")]
        }).pipe(Random.withSeed(seed))
      const plan = yield* draw("a")
      assert.deepStrictEqual(yield* draw("a"), plan)
      assert.notDeepEqual(yield* draw("b"), plan)
      assert.strictEqual(plan.steps.length, 50)
      assert.isTrue(times(plan).every((t, i, all) => t >= (all[i - 1] ?? 0) && t <= 60_000))
      assert.strictEqual(new Set(plan.steps.map((s) => s.fault._tag)).size, 3)
    }))

  it.effect("of no choices nothing is drawn", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* FaultPlan.random({ within: "1 minute", count: 5, choices: [] }), FaultPlan.none)
    }))

  it("a plan can be read", () => {
    const plan = FaultPlan.at("2 seconds", FaultPlan.freeze({ clientId: "a" }, "90 seconds"))
    assert.deepStrictEqual(FaultPlan.describe(plan), ["2000 ms: Freeze {\"target\":{\"clientId\":\"a\"},\"ms\":90000}"])
  })
})
