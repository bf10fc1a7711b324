import { assert, describe, it } from "@effect/vitest"
import { median, summarize, table } from "../src/Comparison.ts"

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
    const [a, b] = summarize(runs, { b: "a" })
    assert.strictEqual(a!.ratio, 1)
    assert.strictEqual(b!.ratio, 0.5)
    assert.strictEqual(b!.recordsPerSecond, 50)
  })

  it("counts less CPU time as more", () => {
    const runs = new Map([["a", [run(100, 2), run(100, 4)]], ["b", [run(100, 1), run(100, 2)]]])
    assert.strictEqual(summarize(runs, { b: "a" })[1]!.cpuRatio, 2)
  })

  it("is shown as an aligned table", () => {
    const text = table(summarize(new Map([["a", [run(1_234_567)]], ["longer", [run(1000)]]]), { longer: "a" }))
    const lines = text.split("\n")
    assert.strictEqual(new Set(lines.map((line) => line.length)).size, 1)
    assert.match(lines[2]!, /^\| a +\| 1,234,567 \| 1 +\| 2\.00 +\| 1 +\| 100 +\|$/)
    assert.match(lines[3]!, /0\.00 of a/)
  })
})
