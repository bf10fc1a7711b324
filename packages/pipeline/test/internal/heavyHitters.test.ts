import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { HeavyHitters } from "../../src/internal/heavyHitters.ts"

describe("heavyHitters", () => {
  it("property: never too high, and too low by n / (k + 1) at most", () => {
    const keys = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom("a", "b", "c") }, fc.string()))
    fc.assert(fc.property(keys, fc.integer({ min: 1, max: 8 }), (keys, counters) => {
      const hitters = new HeavyHitters(counters)
      for (const key of keys) hitters.add(key)
      const counts = Map.groupBy(keys, (key) => key)
      const most = Math.max(0, ...[...counts.values()].map(({ length }) => length))
      assert.isAtMost(hitters.most, most)
      assert.isAtLeast(hitters.most, most - keys.length / (counters + 1))
    }))
  })

  it("a hot key among a hundred thousand others stands out; what is cleared begins anew", () => {
    const hitters = new HeavyHitters(64)
    for (let i = 0; i < 100_000; i++) hitters.add(i % 3 === 0 ? "hot" : `key ${i}`)
    assert.isAtLeast(hitters.most, 33_334 - 100_000 / 65)
    assert.isAtMost(hitters.most, 33_334)
    hitters.clear()
    assert.strictEqual(hitters.most, 0)
  })
})
