import { assert, describe, it } from "@effect/vitest"
import type { Summary } from "../src/Comparison.ts"
import { plotsOf } from "../src/plots.ts"
import { defaultShape, entrantsOf, type WorkloadName, workloads } from "../src/workloads.ts"

const summary = (name: string, figures: Readonly<Record<string, number>> = {}): Summary => ({
  name,
  recordsPerSecond: 1_000,
  spread: [900, 1_100],
  cpuSecondsPerMillion: 0.5,
  peakRssMb: 100,
  figures: new Map(Object.entries(figures).map(([figure, middle]) => [figure, { middle, least: middle, most: middle }]))
})

const outcome = (workload: WorkloadName, summaries: ReadonlyArray<Summary>) => ({
  workload,
  shape: defaultShape,
  summaries,
  ratios: [],
  differences: [],
  runs: {}
})

const points = (svg: string) => [...svg.matchAll(/r="3.5"[^>]*><title>([^<]+)</g)].map(([, title]) => title)

describe("the plots of an outcome", () => {
  it("are bars of the speeds, or of each figure that is compared, or of all where none is", () => {
    assert.deepStrictEqual(plotsOf(outcome("batch", [summary("weft processBatch")])).map(([file]) => file), [
      "batch.svg"
    ])
    const more = { ...outcome("batch", [summary("weft processBatch")]), shape: { ...defaultShape, records: 9_000_000 } }
    assert.deepStrictEqual(plotsOf(more).map(([file]) => file), ["batch-9000000-records.svg"])
    const files = plotsOf(outcome("latency", [summary("one", { "p50 ms": 1, "p99 ms": 2 })])).map(([file]) => file)
    assert.deepStrictEqual(files, ["latency-p99-ms.svg"])
    const all = plotsOf(outcome("commits", [summary("one", { commits: 1, "records/s": 2 })])).map(([file]) => file)
    assert.deepStrictEqual(all, ["commits-commits.svg", "commits-records-s.svg"])
  })

  it("are curves over what the entrants' shapes differ by, one for each contender", () => {
    const names = [...entrantsOf(workloads.partitions).keys()]
    const plots = plotsOf(outcome("partitions", names.map((name) => summary(name))))
    assert.deepStrictEqual(plots.map(([file]) => file), ["partitions-cpu.svg", "partitions.svg"])
    const [[, cpu]] = plots as [readonly [string, string]]
    assert.strictEqual([...cpu.matchAll(/<polyline/g)].length, 3)
    assert.deepStrictEqual(
      points(cpu).filter((title) => title!.startsWith("weft processBatch")),
      ["1.00", "4.00", "16.00", "64.00", "256", "1,000"].map((at) => `weft processBatch: 0.50 at ${at}`)
    )
  })

  it("are points against the formula, each with the name of its entrant", () => {
    const names = [...entrantsOf(workloads.memory).keys()]
    const figures = { "formula, alive MiB": 100, "alive MiB": 90, "formula, in all MiB": 300, "in all MiB": 200 }
    const plots = plotsOf(outcome("memory", names.map((name) => summary(name, figures))))
    assert.deepStrictEqual(plots.map(([file]) => file), ["memory-alive.svg", "memory-in-all.svg"])
    const [[, alive]] = plots as [readonly [string, string]]
    assert.include(alive, ">16 MiB in all, 64 partitions of 1 kB</text>")
    assert.include(alive, "y = x")
    assert.strictEqual(points(alive).length, names.length)
  })
})
