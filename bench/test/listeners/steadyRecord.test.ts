import { assert, describe, it } from "@effect/vitest"
import { decode, dueAt, dueBy, encode } from "../../src/listeners/steadyRecord.ts"

describe("a steady record", () => {
  it("comes back as it was, from any place in a buffer, and is as long as it should be", () => {
    const record = { index: 4_000_000_000, dueNs: 12_345_678_901_234_567n, sentNs: 12_345_678_901_999_999n }
    const value = encode(record, 200)
    assert.strictEqual(value.length, 200)
    const shifted = Buffer.concat([Buffer.from("abc"), value])
    assert.deepStrictEqual(decode(shifted.subarray(3)), record)
  })
})

describe("a constant schedule", () => {
  const schedule = { startNs: 5_000_000_000n, perSecond: 1_000, records: 10 }

  it("has nothing due before it starts, and no more than all", () => {
    assert.strictEqual(dueBy(4_999_999_999n, schedule), 0)
    assert.strictEqual(dueBy(5_000_000_000n, schedule), 1)
    assert.strictEqual(dueBy(99_000_000_000n, schedule), 10)
  })

  it("catches up after a pause, and each record is due when it would have been without", () => {
    assert.strictEqual(dueBy(5_004_500_000n, schedule), 5)
    for (let index = 0; index < schedule.records; index++) {
      const due = dueAt(index, schedule.startNs, schedule.perSecond)
      assert.strictEqual(dueBy(due, schedule), index + 1)
      assert.strictEqual(dueBy(due - 1n, schedule), index)
    }
  })
})
