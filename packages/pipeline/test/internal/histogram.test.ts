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
      assert.isAtLeast(found * (1 + 1e-9), exact)
      assert.isAtMost(found, Math.max(exact * 17 / 16, exact + 0.001) * (1 + 1e-9))
      assert.closeTo(histogram.mean, values.reduce((a, b) => a + b, 0) / values.length, 1e-3)
    }))
  })

  it("property: how many were at most 2^n microseconds is exact", () => {
    const durations = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.double({ min: 0, max: 1e6, noNaN: true }))
    )
    fc.assert(fc.property(durations, fc.integer({ min: 0, max: 30 }), (values, n) => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const bound = 2 ** n / 1_000
      assert.strictEqual(histogram.atMost(bound), values.filter((value) => value <= bound).length)
    }))
  })

  it("property: adding one to another is as if all had been recorded in one", () => {
    const durations = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }))
    fc.assert(fc.property(durations, durations, (one, other) => {
      const of = (values: ReadonlyArray<number>) => {
        const histogram = new Histogram()
        for (const value of values) histogram.record(value)
        return histogram
      }
      const sum = of(one)
      sum.add(of(other))
      const all = of([...one, ...other])
      assert.deepStrictEqual(sum.buckets(), all.buckets())
      assert.strictEqual(sum.count, all.count)
      assert.closeTo(sum.sum, all.sum, 1e-6 * (1 + all.sum))
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
