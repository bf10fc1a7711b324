import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compare, differences, interval, median, summarize } from "../src/Comparison.ts"
import { differenceTable, ratioTable, summaryTable } from "../src/tables.ts"

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

  it("takes figures of the same round from each other, where both told them", () => {
    const told = (ms: number) => ({ ...run(0), figures: { "p99 ms": ms } })
    const runs = new Map([["a", [told(3), told(30), told(5)]], ["b", [told(2), told(20), told(9)]], ["c", [run(1)]]])
    const [found, ...others] = differences(runs, [
      { figure: "p99 ms", name: "a", baseline: "b", atMostMore: 2 },
      { figure: "p50 ms", name: "a", baseline: "b" },
      { figure: "p99 ms", name: "a", baseline: "c" },
      { figure: "p99 ms", name: "a", baseline: "did not run" }
    ])
    assert.deepStrictEqual(others, [])
    assert.strictEqual(found!.difference, 1)
    assert.match(differenceTable([found!]), /p99 ms +\| a +\| b +\| 1\.00 +\| -4\.00 to 10\.00 +\| 2 +\|/)
    assert.match(differenceTable([{ ...found!, difference: 2.5 }]), /2, missed/)
    assert.match(summaryTable(summarize(runs)), /a +\| 5\.00 \(3\.00 to 30\.00\)/)
  })

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
