import { assert, describe, it } from "@effect/vitest"
import { type Relayed, verdict } from "./support/verdict.ts"

const one = (sourceOffset: number, offset: number, rest: Partial<Relayed> = {}): Relayed => ({
  sourcePartition: 0,
  sourceOffset,
  key: "k",
  member: "a",
  partition: 0,
  offset,
  ...rest
})

const expected = new Map([[0, new Set([0, 1, 2])]])

describe("the verdict on a run", () => {
  it("finds nothing wrong where everything is there in order", () => {
    assert.deepStrictEqual(verdict(expected, [one(0, 0), one(1, 1), one(2, 2, { member: "b" })]), {
      relayed: 3,
      missing: 0,
      duplicates: 0,
      outOfOrder: 0,
      outOfOrderByKey: 0,
      byMember: { a: 2, b: 1 }
    })
  })

  it("finds what is missing", () => {
    assert.strictEqual(verdict(expected, [one(0, 0), one(2, 1)]).missing, 1)
    assert.strictEqual(verdict(expected, []).missing, 3)
  })

  it("finds what came twice, also when it is not out of order", () => {
    const again = verdict(expected, [one(0, 0), one(1, 1), one(2, 2), one(1, 3)])
    assert.deepInclude(again, { duplicates: 1, outOfOrder: 0, missing: 0 })
  })

  it("finds what overtook another record", () => {
    assert.deepInclude(verdict(expected, [one(1, 0), one(0, 1), one(2, 2)]), { outOfOrder: 1, outOfOrderByKey: 1 })
  })

  it("knows that only records of one key must be in order where the order is by key", () => {
    const output = [one(1, 0, { key: "b" }), one(0, 1, { key: "a" }), one(2, 2, { key: "a" })]
    assert.deepInclude(verdict(expected, output), { outOfOrder: 1, outOfOrderByKey: 0 })
  })

  it("goes by the output's own order, not by the order in which it was read", () => {
    assert.strictEqual(verdict(expected, [one(2, 2), one(0, 0), one(1, 1)]).outOfOrder, 0)
  })
})
