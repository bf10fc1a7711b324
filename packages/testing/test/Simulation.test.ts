import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Simulation from "../src/Simulation.ts"

const seeds = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

/** Twenty runs are seconds of nothing but computing, and minutes where the processor is shared by many. */
const timeoutMs = 600_000

describe("Simulation", () => {
  it.live(
    "the contract holds under faults",
    () =>
      Effect.forEach(
        seeds("faults", 20),
        (seed) =>
          Effect.map(Simulation.run({ seed, faults: "all" }), ({ story, violations }) =>
            assert.deepStrictEqual(violations, [], [seed, ...story].join("\n")))
      ),
    timeoutMs
  )

  it.live(
    "planned changes lose nothing, repeat nothing and keep the order",
    () =>
      Effect.forEach(
        seeds("planned", 20),
        (seed) =>
          Effect.map(Simulation.run({ seed, faults: "planned" }), ({ story, violations }) =>
            assert.deepStrictEqual(violations, [], [seed, ...story].join("\n")))
      ),
    timeoutMs
  )

  it.live(
    "what a commit told to be settled is not repeated after a crash",
    () =>
      Effect.forEach(
        seeds("crashes", 20),
        (seed) =>
          Effect.map(Simulation.run({ seed, faults: "crashes" }), ({ story, violations }) =>
            assert.deepStrictEqual(violations, [], [seed, ...story].join("\n")))
      ),
    timeoutMs
  )

  it.live("the same seed is the same run", () =>
    Effect.gen(function*() {
      const first = yield* Simulation.run({ seed: "again" })
      assert.deepStrictEqual(yield* Simulation.run({ seed: "again" }), first)
      assert.isAbove(first.records, 0)
    }), timeoutMs)
})
