import { assert, describe, it } from "@effect/vitest"
import { type Arrival, handover } from "../../src/listeners/pauses.ts"

const at = (index: number, partition: number, ms: number): Arrival => ({
  index,
  partition,
  atNs: BigInt(ms) * 1_000_000n
})
const times = { comesNs: 100_000_000n, goesNs: 200_000_000n, endsNs: 300_000_000n }

describe("a handover", () => {
  it("has the longest pause of what stayed and of what moved, while a member comes and while it goes", () => {
    const first = [
      ...[90, 105, 135, 150, 199, 210, 260, 270].map((ms, i) => at(i, 0, ms)),
      ...[95, 110, 250, 290].map((ms, i) => at(100 + i, 1, ms))
    ]
    const second = [160, 198].map((ms, i) => at(200 + i, 1, ms))
    assert.deepStrictEqual(handover({ first, second, ...times }), {
      join: { retainedMs: 49, movedMs: 50 },
      leave: { retainedMs: 50, movedMs: 52 },
      seen: 14,
      distinct: 14
    })
  })

  it("takes no repeated record for progress", () => {
    const first = [at(0, 0, 90), at(1, 1, 90), at(2, 0, 110), at(3, 0, 190)]
    const second = [at(1, 1, 120), at(4, 1, 180)]
    const { distinct, join, seen } = handover({ first, second, ...times })
    assert.deepStrictEqual([seen, distinct], [6, 5])
    assert.deepStrictEqual(join, { retainedMs: 80, movedMs: 90 })
  })

  it("counts a pause where it ends, also one that began before", () => {
    const first = [at(0, 0, 10), at(1, 0, 190), at(2, 0, 250)]
    const { join, leave } = handover({ first, second: [], ...times })
    assert.deepStrictEqual([join.retainedMs, leave.retainedMs], [180, 60])
  })
})
