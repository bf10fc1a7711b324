import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Histogram from "../src/Histogram.ts"
import { Histogram as Recorder } from "../src/internal/histogram.ts"

/** What one member measured in one interval. */
const recorded = (durations: ReadonlyArray<number>): Histogram.Histogram => {
  const recorder = new Recorder()
  for (const duration of durations) recorder.record(duration)
  return recorder.buckets()
}

const durations = fc.array(fc.double({ min: 0, max: 3_600_000, noNaN: true }), { maxLength: 60 })

describe("Histogram", () => {
  it("property: the quantiles of several members are those of all their durations together", () => {
    fc.assert(
      fc.property(fc.array(durations, { maxLength: 5 }), fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (members, q) => {
        const merged = Histogram.merge(members.map(recorded))
        const all = members.flat().toSorted((a, b) => a - b)
        assert.deepStrictEqual(merged, recorded(all))
        assert.strictEqual(Histogram.count(merged), all.length)
        const found = Histogram.quantile(merged, q)
        if (all.length === 0) return assert.strictEqual(found, 0)
        const exact = all[Math.max(0, Math.ceil(q * all.length) - 1)]!
        assert.isAtLeast(found, exact * (1 - 1e-12))
        assert.isAtMost(found, Math.max(exact * 17 / 16, exact + 0.001) * (1 + 1e-12))
      })
    )
  })

  it("property: what was in a database, as JSON, merges like what was not", () => {
    fc.assert(fc.property(durations, durations, (one, other) => {
      const stored = JSON.parse(JSON.stringify(recorded(one))) as Histogram.Histogram
      assert.deepStrictEqual(Histogram.merge([stored, recorded(other)]), recorded([...one, ...other]))
    }))
  })

  it("the mean of the 99th percentiles is none", () => {
    const busy = recorded(Array.from({ length: 990 }, () => 1))
    const slow = recorded(Array.from({ length: 10 }, () => 1_000))
    const merged = Histogram.merge([busy, slow])
    assert.isBelow(Histogram.quantile(merged, 0.99), 2)
    assert.isAtLeast(Histogram.quantile(merged, 0.991), 1_000)
  })
})
