import { assert, describe, it } from "@effect/vitest"
import { quantile } from "../../src/listeners/quantile.ts"

describe("a quantile", () => {
  it("is the least sample that so many do not exceed", () => {
    const samples = Float64Array.from({ length: 1000 }, (_, i) => i + 1)
    assert.deepStrictEqual([0, 0.5, 0.99, 0.999, 1].map((q) => quantile(samples, q)), [1, 500, 990, 999, 1000])
    assert.deepStrictEqual([0.5, 0.51].map((q) => quantile([1, 2], q)), [1, 2])
  })

  it("is always one of the samples, and there must be one", () => {
    assert.strictEqual(quantile([7], 0.999), 7)
    assert.throws(() => quantile([], 0.5))
  })
})
