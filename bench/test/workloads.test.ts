import { assert, describe, it } from "@effect/vitest"
import { contenders, isContender } from "../src/contenders/byName.ts"
import { defaultShape, entrantsOf, shapesOf, type Workload, workloads } from "../src/workloads.ts"

describe("the workloads", () => {
  it("name only who there is, and each contender is in one", () => {
    const all = Object.values<Workload>(workloads).flatMap((workload) => [...entrantsOf(workload).values()])
    for (const { contender } of all) assert.isTrue(isContender(contender), contender)
    const used = new Set<string>(all.map(({ contender }) => contender))
    assert.deepStrictEqual(Object.keys(contenders).filter((name) => !used.has(name)), [])
  })

  it("run who is in several pairs once", () => {
    const workload: Workload = {
      about: "",
      pairs: [{ name: "a", baseline: "b" }, { name: "a", baseline: "weft process" }],
      figures: [{ figure: "p99 ms", name: "b", baseline: "a" }],
      entrants: { a: { contender: "weft process", partitions: 9 }, b: { contender: "weft processBatch" } }
    }
    assert.deepStrictEqual([...entrantsOf(workload)], [
      ["a", { contender: "weft process", partitions: 9 }],
      ["b", { contender: "weft processBatch" }],
      ["weft process", { contender: "weft process" }]
    ])
    assert.throws(() => entrantsOf({ about: "", pairs: [{ name: "nobody", baseline: "weft process" }] }), /nobody/)
  })

  it("run entrants that nobody is compared with, too", () => {
    const entrants = { alone: { contender: "weft process", records: 10 } } as const
    assert.deepStrictEqual([...entrantsOf({ about: "", pairs: [], entrants })], [["alone", entrants.alone]])
  })

  it("are measured in their own shapes, unless one is asked for", () => {
    const workload: Workload = { about: "", pairs: [], shapes: [{}, { partitions: 64 }], recordsAtMost: 500_000 }
    assert.deepStrictEqual(shapesOf(workload, {}), [
      { ...defaultShape, records: 500_000 },
      { ...defaultShape, records: 500_000, partitions: 64 }
    ])
    assert.deepStrictEqual(shapesOf(workload, { records: 1000 }).map(({ records }) => records), [1000, 1000])
    assert.deepStrictEqual(shapesOf(workload, { bytes: 50 }), [{ bytes: 50, records: 500_000, partitions: 4 }])
  })
})
