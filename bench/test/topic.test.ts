import { assert, describe, it } from "@effect/vitest"
import { runLength } from "../src/topic.ts"

describe("the records of a topic", () => {
  it("lie in batches of the same size, over however many partitions", () => {
    const over = (partitions: number) => runLength({ records: 1_000_000, bytes: 200, partitions })
    assert.deepStrictEqual([1, 4, 64, 1_000].map(over), [500, 500, 500, 500])
  })

  it("are spread over all partitions where they are few", () => {
    assert.strictEqual(runLength({ records: 10_000, bytes: 200, partitions: 1_000 }), 10)
    assert.strictEqual(runLength({ records: 1, bytes: 200, partitions: 4 }), 1)
  })

  it("lie in batches that a broker takes", () => {
    assert.strictEqual(runLength({ records: 10_000, bytes: 100_000, partitions: 4 }), 9)
    assert.strictEqual(runLength({ records: 10_000, bytes: 2_000_000, partitions: 4 }), 1)
  })
})
