import { assert, describe, it } from "@effect/vitest"
import { curve, type Point } from "../src/curve.ts"

const point = (x: number, middle: number, label?: string): Point => ({
  x,
  middle,
  least: middle * 0.9,
  most: middle * 1.1,
  label
})

const centers = (svg: string) =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3.5"/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }))

describe("a curve", () => {
  const axes = { x: "partitions", y: "CPU s per 10^6" }

  it("has as much room from 1 to 10 as from 10 to 100, and begins at 0", () => {
    const [one, ten, hundred] = centers(curve("a title", axes, [{
      name: "weft",
      points: [point(1, 1), point(10, 1), point(100, 0.5)]
    }]))
    assert.closeTo(ten!.x - one!.x, hundred!.x - ten!.x, 0.2)
    assert.strictEqual(one!.y, ten!.y)
    // The axis is at the bottom, 62 above the end of the plot: half the value is half as high.
    assert.closeTo(380 - 62 - hundred!.y, (380 - 62 - one!.y) / 2, 0.2)
  })

  it("joins the points of each series in their order along the axis, and names the series", () => {
    const svg = curve("a title", axes, [
      { name: "weft", points: [point(100, 1), point(1, 1)] },
      { name: "one & only", points: [point(1, 2), point(100, 2)] }
    ])
    const lines = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points]) =>
      points!.split(" ").map((pair) => Number(pair.split(",")[0]))
    )
    assert.strictEqual(lines.length, 2)
    for (const [from, to] of lines) assert.isBelow(from!, to!)
    assert.include(svg, ">weft</text>")
    assert.include(svg, "one &#38; only")
    assert.notInclude(svg, "& only")
  })

  it("shows a single x", () => {
    assert.notInclude(curve("a title", axes, [{ name: "weft", points: [point(4, 1)] }]), "NaN")
  })

  it("shows whether y is above x", () => {
    const svg = curve("a title", { x: "MiB", y: "MiB", isIdentityShown: true }, [{
      name: "alive",
      points: [point(10, 10, "as much"), point(100, 50, "less"), point(50, 100, "more")]
    }])
    assert.notInclude(svg, "<polyline")
    assert.include(svg, "y = x")
    assert.include(svg, ">less</text>")
    const line = /<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)" stroke="#8b949e" stroke-dasharray/.exec(
      svg
    )!
    const [x1, y1, x2, y2] = line.slice(1).map(Number) as [number, number, number, number]
    const onLine = (x: number) => y1 + (x - x1) / (x2 - x1) * (y2 - y1)
    const [asMuch, more, less] = centers(svg)
    assert.closeTo(asMuch!.y, onLine(asMuch!.x), 0.3)
    assert.isBelow(more!.y, onLine(more!.x))
    assert.isAbove(less!.y, onLine(less!.x))
  })
})
