import { assert, describe, it } from "@effect/vitest"
import * as Schedule from "effect/Schedule"
import * as FailurePolicy from "../src/FailurePolicy.ts"

const decide = (policy: FailurePolicy.FailurePolicy, attempt: number, random = 0.5, retryBackoffMs = 100) =>
  FailurePolicy.decide(policy, { attempt, retryBackoffMs, random })

describe("FailurePolicy", () => {
  it("without a retry the first failure is final", () => {
    assert.deepStrictEqual(decide(FailurePolicy.deadLetter, 1), { _tag: "Final", action: "dead-letter" })
    assert.deepStrictEqual(decide(FailurePolicy.skip, 1), { _tag: "Final", action: "skip" })
    assert.deepStrictEqual(decide(FailurePolicy.halt, 1), { _tag: "Final", action: "halt" })
  })
  it("delays double from retry_backoff_ms up to the cap, spread by a fifth to either side", () => {
    const policy = FailurePolicy.retry({ attempts: 100 })
    const delays = [1, 2, 3, 10, 11].map((attempt) => decide(policy, attempt))
    assert.deepStrictEqual(delays.map((one) => one._tag === "Retry" ? one.delayMs : -1), [
      100,
      200,
      400,
      51_200,
      60_000
    ])
    assert.deepStrictEqual(decide(policy, 1, 0), { _tag: "Retry", delayMs: 80 })
    assert.deepStrictEqual(decide(policy, 1, 0.75), { _tag: "Retry", delayMs: 110 })
  })
  it("ends after so many attempts, by default eight", () => {
    assert.strictEqual(decide(FailurePolicy.retry(), 7)._tag, "Retry")
    assert.deepStrictEqual(decide(FailurePolicy.retry(), 8), { _tag: "Final", action: "dead-letter" })
    assert.deepStrictEqual(decide(FailurePolicy.retry({ attempts: 2, finally: "skip" }), 2), {
      _tag: "Final",
      action: "skip"
    })
  })
  it("a schedule of its own ends by itself, or by attempts where both are given", () => {
    const schedule = Schedule.forever
    assert.deepStrictEqual(decide(FailurePolicy.retry({ schedule }), 1_000), { _tag: "Scheduled", schedule })
    assert.strictEqual(decide(FailurePolicy.retry({ schedule, attempts: 3 }), 3)._tag, "Final")
  })
})
