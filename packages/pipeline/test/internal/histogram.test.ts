import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Histogram } from "../../src/internal/histogram.ts"

describe("histogram", () => {
  it("is 0 without any durations", () => {
    const histogram = new Histogram()
    assert.deepStrictEqual([histogram.mean, histogram.quantile(0.99)], [0, 0])
  })

  it("property: a quantile is never below the true one, and at most a sixteenth (and a microsecond) above it", () => {
    const durations = fc.array(fc.double({ min: 0, max: 86_400_000, noNaN: true }), { minLength: 1, maxLength: 200 })
    fc.assert(fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99, 1), (values, q) => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(q * values.length) - 1]!
      const found = histogram.quantile(q)
      assert.isAtLeast(found * (1 + 1e-9) + 0.001, exact)
      assert.isAtMost(found, exact * 17 / 16 + 0.002)
      assert.closeTo(histogram.mean, values.reduce((a, b) => a + b, 0) / values.length, 1e-3)
    }))
  })

  it("counts many at once, and starts anew", () => {
    const histogram = new Histogram()
    histogram.record(1, 98)
    histogram.record(500, 2)
    assert.closeTo(histogram.quantile(0.5), 1, 0.07)
    assert.closeTo(histogram.quantile(0.99), 500, 32)
    histogram.clear()
    assert.strictEqual(histogram.count, 0)
    assert.strictEqual(histogram.quantile(0.99), 0)
  })
})
