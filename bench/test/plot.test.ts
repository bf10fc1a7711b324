import { assert, describe, it } from "@effect/vitest"
import { bars } from "../src/plot.ts"
import { heaviest } from "../src/profile.ts"
import { contendersOf, workloads } from "../src/workloads.ts"

const summary = (name: string, recordsPerSecond: number) => ({
  name,
  recordsPerSecond,
  spread: [recordsPerSecond * 0.9, recordsPerSecond * 1.1] as const,
  cpuSecondsPerMillion: undefined,
  peakRssMb: undefined
})

describe("a plot", () => {
  it("has a bar for each, as long as its rate says, and no markup of its names", () => {
    const svg = bars("a <title>", [summary("one & only", 100), summary("other", 50)])
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
    assert.strictEqual(widths.length, 2)
    assert.closeTo(widths[0]! / widths[1]!, 2, 0.01)
    assert.notInclude(svg, "<title>a <")
    assert.notInclude(svg, "& only")
  })
})

describe("a profile", () => {
  it("adds up what a function took itself, without the time in which nothing was done", () => {
    const frame = (functionName: string, url = "") => ({ functionName, url, lineNumber: 9 })
    const found = heaviest({
      nodes: [
        { id: 1, callFrame: frame("(idle)") },
        { id: 2, callFrame: frame("work", "file:///somewhere/packages/kafka/src/A.ts") },
        { id: 3, callFrame: frame("work", "file:///somewhere/packages/kafka/src/A.ts") },
        { id: 4, callFrame: frame("", "node:net") }
      ],
      samples: [1, 2, 3, 4],
      timeDeltas: [100, 10, 20, 10]
    }, 10)
    assert.deepStrictEqual(found, [
      { where: "work packages/kafka/src/A.ts:10", share: 0.75 },
      { where: "(anonymous) node:net:10", share: 0.25 }
    ])
  })
})

describe("the workloads", () => {
  it("run each contender once a round", () => {
    for (const workload of Object.values(workloads)) {
      const names = contendersOf(workload)
      assert.strictEqual(new Set(names).size, names.length)
    }
  })
})
