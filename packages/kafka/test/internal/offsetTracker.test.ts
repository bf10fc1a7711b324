import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { OffsetTracker, type Span } from "../../src/internal/offsetTracker.ts"
import type { Ring } from "../../src/internal/ring.ts"
import { batchAt } from "../batches.ts"

/** Offsets with gaps, cut into batches, and an order in which all records are settled. */
const plans = fc.tuple(
  fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 12 }),
  fc.infiniteStream(fc.nat())
).map(([cuts, random]) => {
  let offset = 10n
  const batches: Array<Array<bigint>> = []
  for (const [gap, count] of cuts) {
    const batch: Array<bigint> = []
    for (let i = 0; i < count; i++) {
      offset += BigInt(gap)
      batch.push(offset)
    }
    batches.push(batch)
  }
  const records = batches.flatMap((batch, b) => batch.map((_, i) => ({ b, i })))
  for (let i = records.length - 1; i > 0; i--) {
    const j = random.next().value as number % (i + 1)
    ;[records[i], records[j]] = [records[j]!, records[i]!]
  }
  return { batches, order: records }
})

const entriesOf = (tracker: OffsetTracker): number => {
  const { entries } = tracker as unknown as { readonly entries: Ring<unknown> }
  return entries.size
}

describe("offsetTracker", () => {
  it("never moves past a record that is not settled, whatever the order", () => {
    fc.assert(fc.property(plans, ({ batches, order }) => {
      const tracker = new OffsetTracker(0n)
      const spans = batches.map((offsets) => tracker.add(batchAt(offsets), 0, offsets.length))
      const open = new Set(batches.flat())
      const all = batches.flat()
      for (const { b, i } of order) {
        assert.strictEqual(tracker.settle(spans[b]!, i), 1)
        assert.strictEqual(tracker.settle(spans[b]!, i), 0)
        open.delete(batches[b]![i]!)
        const firstOpen = all.find((offset) => open.has(offset))
        if (firstOpen === undefined) assert.strictEqual(tracker.watermark, all.at(-1)! + 1n)
        else assert.isTrue(tracker.watermark <= firstOpen, `${tracker.watermark} passed ${firstOpen}`)
        assert.strictEqual(tracker.outstanding, open.size)
        const settledBelow = all.filter((offset) => !open.has(offset) && offset < (firstOpen ?? offset + 1n))
        assert.isTrue(settledBelow.every((offset) => offset < tracker.watermark))
      }
    }))
  })

  it("tells exactly what is settled beyond the watermark", () => {
    fc.assert(fc.property(plans, fc.nat(), ({ batches, order }, stop) => {
      const tracker = new OffsetTracker(0n)
      const spans = batches.map((offsets) => tracker.add(batchAt(offsets), 0, offsets.length))
      const settled = new Set<bigint>()
      for (const { b, i } of order.slice(0, stop % order.length)) {
        tracker.settle(spans[b]!, i)
        settled.add(batches[b]![i]!)
      }
      const ranges = tracker.settledBeyond()
      for (const offset of batches.flat()) {
        const beyond = ranges.some((range) => range.start <= offset && offset < range.end)
        assert.strictEqual(beyond, settled.has(offset) && offset >= tracker.watermark, `at ${offset}`)
      }
      for (let i = 1; i < ranges.length; i++) assert.isTrue(ranges[i - 1]!.end < ranges[i]!.start)
    }))
  })

  it("settles a span as a whole, also when parts of it are settled", () => {
    const tracker = new OffsetTracker(0n)
    const span = tracker.add(batchAt([0n, 1n, 2n, 3n]), 0, 4)
    tracker.settle(span, 2)
    assert.strictEqual(tracker.settleAll(span), 3)
    assert.strictEqual(tracker.settleAll(span), 0)
    assert.strictEqual(tracker.watermark, 4n)
  })

  it("a part of a batch ends where the next record begins", () => {
    const tracker = new OffsetTracker(5n)
    const batch = batchAt([5n, 9n, 12n], { nextOffset: 20n })
    const first = tracker.add(batch, 0, 1)
    const rest = tracker.add(batch, 1, 3)
    tracker.settleAll(first)
    assert.strictEqual(tracker.watermark, 9n)
    tracker.settleAll(rest)
    assert.strictEqual(tracker.watermark, 20n)
  })

  it("a batch without records moves the watermark once everything before it is settled", () => {
    const tracker = new OffsetTracker(0n)
    const span = tracker.add(batchAt([0n]), 0, 1)
    tracker.add(batchAt([], { nextOffset: 7n }), 0, 0)
    assert.strictEqual(tracker.watermark, 0n)
    tracker.settleAll(span)
    assert.strictEqual(tracker.watermark, 7n)
  })

  it("keeps no records of what is settled beyond a gap, and one run of offsets for what lies together", () => {
    const tracker = new OffsetTracker(0n)
    const stuck = tracker.add(batchAt([0n]), 0, 1)
    const held = tracker.heldBytes
    for (let offset = 1n; offset < 10_000n; offset += 2n) {
      const batch = batchAt([offset, offset + 1n])
      const [first, second] = [tracker.add(batch, 0, 1), tracker.add(batch, 1, 2)]
      tracker.settleAll(second)
      tracker.settleAll(first)
    }
    assert.strictEqual(tracker.heldBytes, held)
    assert.deepStrictEqual(tracker.settledBeyond(), [{ start: 1n, end: 10_001n }])
    assert.isAtMost(entriesOf(tracker), 2)
    tracker.settleAll(stuck)
    assert.deepStrictEqual([tracker.watermark, tracker.heldBytes, entriesOf(tracker)], [10_001n, 0, 0])
  })

  it("forgets what is settled, however long it runs", () => {
    const tracker = new OffsetTracker(0n)
    const open: Array<Span> = []
    for (let i = 0n; i < 10_000n; i++) {
      open.push(tracker.add(batchAt([i]), 0, 1))
      if (open.length > 3) tracker.settleAll(open.shift()!)
    }
    assert.strictEqual(tracker.outstanding, 3)
    assert.strictEqual(tracker.watermark, 9_997n)
  })
})
