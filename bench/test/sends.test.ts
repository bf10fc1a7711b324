import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeSizes, oneByOne, sendsUnderWay, together, underWay } from "../src/contenders/sends.ts"

describe("sends", () => {
  it("hand out each record once, and are full but for the last", () =>
    fc.assert(fc.property(fc.nat({ max: 5_000 }), fc.constantFrom(together, oneByOne), (records, sends) => {
      const next = makeSizes(records, sends)
      const sizes: Array<number> = []
      for (let size = next(); size > 0; size = next()) sizes.push(size)
      assert.strictEqual(sizes.reduce((sum, size) => sum + size, 0), records)
      assert.isTrue(sizes.slice(0, -1).every((size) => size === sends.recordsPerSend))
      assert.strictEqual(next(), 0, "for each of those who still ask")
    })))

  it("keep the same number of records under way", () => {
    for (const sends of [together, oneByOne]) {
      assert.strictEqual(sendsUnderWay(sends) * sends.recordsPerSend, underWay)
    }
  })
})
