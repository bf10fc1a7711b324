import { assert, describe, it } from "@effect/vitest"
import { bars } from "../src/plot.ts"
import { heaviest } from "../src/profile.ts"

const bar = (name: string, middle: number) => ({ name, middle, least: middle * 0.9, most: middle * 1.1 })

describe("a plot", () => {
  it("has a bar for each, as long as its rate says, and no markup of its names", () => {
    const svg = bars("a <title>", [bar("one & only", 100), bar("other", 50)])
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
