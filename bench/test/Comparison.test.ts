import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compare, interval, median, ratioTable, summarize, summaryTable } from "../src/Comparison.ts"

const run = (recordsPerSecond: number, cpuSecondsPerMillion = 2) => ({
  recordsPerSecond,
  cpuSecondsPerMillion,
  peakRssMb: 100
})

describe("a comparison", () => {
  it("takes the middle, or the mean of the two in the middle", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([4, 1, 2, 9]), 3)
  })

  it("compares round by round, so that a slow minute counts for both", () => {
    const runs = new Map([["a", [run(100), run(10), run(1000)]], ["b", [run(50), run(5), run(900)]]])
    const [ratio] = compare(runs, [{ name: "b", baseline: "a" }])
    assert.strictEqual(ratio!.ratio, 0.5)
    const [, b] = summarize(runs)
    assert.strictEqual(b!.recordsPerSecond, 50)
    assert.deepStrictEqual(b!.spread, [5, 900])
  })

  it("counts less CPU time as more, and leaves out what is not known", () => {
    const runs = new Map([["a", [run(100, 2), run(100, 4)]], ["b", [run(100, 1), run(100, 2)]], [
      "java",
      [{ recordsPerSecond: 50 }, { recordsPerSecond: 50 }]
    ]])
    const ratios = compare(runs, [
      { name: "b", baseline: "a" },
      { name: "b", baseline: "java" },
      { name: "b", baseline: "did not run" }
    ])
    assert.deepStrictEqual(ratios.map(({ cpuRatio, ratio }) => [ratio, cpuRatio]), [[1, 2], [2, undefined]])
  })

  it("knows how sure a median is: it lies within its interval, which lies within the rounds", () =>
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1, maxLength: 9 }),
        (values) => {
          const [low, high] = interval(values)
          assert.isAtMost(low, median(values))
          assert.isAtLeast(high, median(values))
          assert.isAtLeast(low, Math.min(...values))
          assert.isAtMost(high, Math.max(...values))
          assert.deepStrictEqual(interval(values), [low, high])
        }
      ),
      { numRuns: 30 }
    ))

  it("is shown as aligned tables, with what was missed", () => {
    const runs = new Map([["a", [run(1_234_567)]], ["longer", [run(1000)]]])
    const lines = summaryTable(summarize(runs)).split("\n")
    assert.strictEqual(new Set(lines.map((line) => line.length)).size, 1)
    assert.match(lines[2]!, /^\| a +\| 1,234,567 +\| 1,234,567 to 1,234,567 +\| 2\.00 +\| 100 +\|$/)
    const ratios = ratioTable(
      compare(runs, [{ name: "longer", baseline: "a", target: 3 }, { name: "a", baseline: "a", target: 1 }])
    )
    assert.match(ratios, /0\.00 +\| longer +\| a +\|.*\| 3, missed \|/)
    assert.match(ratios, /1\.00 +\| a +\| a +\|.*\| 1 +\|/)
  })
})
