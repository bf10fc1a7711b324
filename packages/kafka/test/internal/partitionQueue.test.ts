import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { PartitionQueue } from "../../src/internal/partitionQueue.ts"
import { batchAt } from "../batches.ts"

describe("partitionQueue", () => {
  it("hands every admitted record out once, in order, and its counts are exact", () => {
    fc.assert(fc.property(
      fc.array(
        fc.oneof(
          fc.record({ admit: fc.nat({ max: 8 }), from: fc.nat({ max: 4 }) }),
          fc.record({ take: fc.integer({ min: 1, max: 5 }) })
        ),
        { maxLength: 60 }
      ),
      (commands) => {
        const queue = new PartitionQueue()
        let next = 0n
        let waiting: Array<bigint> = []
        for (const command of commands) {
          if ("admit" in command) {
            const offsets = Array.from({ length: command.admit }, () => next++)
            const from = Math.min(command.from, command.admit)
            queue.admit(batchAt(offsets), from)
            waiting.push(...offsets.slice(from))
          } else {
            const slice = queue.take(command.take)
            const taken: Array<bigint> = []
            if (slice !== undefined) { for (let i = slice.from; i < slice.to; i++) taken.push(slice.batch.offset(i)) }
            assert.isAtMost(taken.length, command.take)
            assert.deepStrictEqual(taken, waiting.slice(0, taken.length))
            waiting = waiting.slice(taken.length)
          }
          assert.strictEqual(queue.records, waiting.length)
          assert.strictEqual(
            queue.oldest === undefined ? undefined : queue.oldest.batch.offset(queue.oldest.index),
            waiting[0]
          )
          if (queue.isEmpty) assert.strictEqual(queue.bytes, 0)
        }
        while (queue.take(3) !== undefined);
        assert.strictEqual(queue.bytes, 0)
        assert.strictEqual(queue.records, 0)
      }
    ))
  })

  it("counts a batch's bytes until its last record is taken", () => {
    const queue = new PartitionQueue()
    const batch = batchAt([0n, 1n, 2n], { bytes: 1000 })
    queue.admit(batch, 0)
    queue.take(2)
    assert.strictEqual(queue.bytes, batch.byteLength)
    queue.take(2)
    assert.strictEqual(queue.bytes, 0)
  })
})
