import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Log from "../../src/internal/logModel.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const record = (value: string | null, key: string | null = null, timestamp?: number): Log.NewRecord => ({
  key: key === null ? null : bytes(key),
  value: value === null ? null : bytes(value),
  headers: [],
  timestamp
})

const offsets = (fetched: Log.Fetched): ReadonlyArray<bigint> =>
  fetched._tag === "Records" ? fetched.records.map((r) => r.offset) : []

const logOf = (count: number): Log.PartitionLog => {
  const log = Log.make()
  Log.append(log, Array.from({ length: count }, (_, i) => record(`v${i}`, `k${i % 3}`, i * 10)), 0)
  return log
}

type Change =
  | { readonly _tag: "Append"; readonly sizes: ReadonlyArray<number> }
  | { readonly _tag: "Delete"; readonly part: number }
  | { readonly _tag: "Remove"; readonly every: number }
  | { readonly _tag: "Retain"; readonly bytes: number }
  | { readonly _tag: "Truncate"; readonly part: number }

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    arbitrary: fc.record({ _tag: fc.constant("Append" as const), sizes: fc.array(fc.nat(40), { maxLength: 12 }) }),
    weight: 4
  },
  fc.record({ _tag: fc.constant("Delete" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ _tag: fc.constant("Remove" as const), every: fc.integer({ min: 2, max: 5 }) }),
  fc.record({ _tag: fc.constant("Retain" as const), bytes: fc.nat(800) }),
  fc.record({ _tag: fc.constant("Truncate" as const), part: fc.double({ min: 0.5, max: 1, noNaN: true }) })
)

/** The same log as the plainest thing that could be right. */
interface Plain {
  begin: bigint
  end: bigint
  records: Array<{ readonly offset: bigint; readonly size: number }>
}

const within = (log: Plain, part: number): bigint => log.begin + BigInt(Math.floor(Number(log.end - log.begin) * part))

const applyTo = (log: Log.PartitionLog, plain: Plain, change: Change): void => {
  switch (change._tag) {
    case "Append": {
      const records = change.sizes.map((size) => record("x".repeat(size)))
      Log.append(log, records, 0)
      for (const one of records) plain.records.push({ offset: plain.end++, size: Log.sizeOf(one) })
      return
    }
    case "Delete": {
      const offset = within(plain, change.part)
      assert.isTrue(Log.deleteBefore(log, offset))
      plain.records = plain.records.filter((r) => r.offset >= offset)
      plain.begin = offset
      return
    }
    case "Remove": {
      const remove = (offset: bigint) => offset % BigInt(change.every) === 0n
      Log.removeWhere(log, ({ offset }) => remove(offset))
      plain.records = plain.records.filter((r) => !remove(r.offset))
      return
    }
    case "Retain": {
      Log.retain(log, { retentionMs: -1, retentionBytes: change.bytes }, 0)
      let size = plain.records.reduce((sum, r) => sum + r.size, 0)
      if (size <= change.bytes) return
      while (size > change.bytes) size -= plain.records.shift()!.size
      plain.begin = plain.records[0]?.offset ?? plain.end
      return
    }
    case "Truncate": {
      const end = within(plain, change.part)
      Log.truncate(log, end)
      plain.records = plain.records.filter((r) => r.offset < end)
      plain.end = end
    }
  }
}

describe("logModel", () => {
  it("a reader that follows the log gets every record once, whatever is deleted and whatever its limits", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), fc.integer({ min: 1, max: 200 }), (changes, maxBytes) => {
        const log = Log.make()
        const plain: Plain = { begin: 0n, end: 0n, records: [] }
        for (const one of changes) {
          applyTo(log, plain, one)
          assert.deepStrictEqual([log.begin, log.end], [plain.begin, plain.end])
          assert.strictEqual(log.bytes, plain.records.reduce((sum, r) => sum + r.size, 0))
          const seen: Array<bigint> = []
          for (let position = log.begin; position < log.end;) {
            const fetched = Log.fetch(log, position, maxBytes, true)
            assert.ok(fetched._tag === "Records" && fetched.nextOffset > position)
            assert.ok(fetched.records.length <= 1 || fetched.bytes <= maxBytes)
            seen.push(...offsets(fetched))
            position = fetched.nextOffset
          }
          assert.deepStrictEqual(seen, plain.records.map((r) => r.offset))
        }
      }),
      { numRuns: 200 }
    )
  })

  it("a record larger than the limit comes alone, and only where one must come", () => {
    const log = Log.make()
    Log.append(log, [record("x".repeat(100)), record("y")], 0)
    assert.deepStrictEqual(offsets(Log.fetch(log, 0n, 10, true)), [0n])
    assert.deepStrictEqual(offsets(Log.fetch(log, 0n, 10, false)), [])
  })

  it("a position outside of the log is told with its bounds; the end itself is inside", () => {
    const log = logOf(10)
    Log.deleteBefore(log, 4n)
    assert.deepStrictEqual(Log.fetch(log, 3n, 100, true), { _tag: "OutOfRange", begin: 4n, end: 10n })
    assert.deepStrictEqual(Log.fetch(log, 11n, 100, true), { _tag: "OutOfRange", begin: 4n, end: 10n })
    assert.strictEqual(Log.fetch(log, 10n, 100, true)._tag, "Records")
  })

  it("a gap at the end of the log is read over by an empty answer", () => {
    const log = logOf(5)
    Log.removeWhere(log, ({ offset }) => offset >= 3n)
    const fetched = Log.fetch(log, 3n, 100, true)
    assert.ok(fetched._tag === "Records" && fetched.records.length === 0 && fetched.nextOffset === 5n)
  })

  it("deleting beyond the end is refused", () => {
    assert.isFalse(Log.deleteBefore(logOf(3), 4n))
    assert.isTrue(Log.deleteBefore(logOf(3), 3n))
  })

  it("a time is looked up as the first record that is not older", () => {
    const log = logOf(5)
    assert.strictEqual(Log.offsetForTime(log, 20), 2n)
    assert.strictEqual(Log.offsetForTime(log, 21), 3n)
    assert.isUndefined(Log.offsetForTime(log, 41))
  })

  it("retention by time deletes from the oldest on, as long as they are too old", () => {
    const log = logOf(5)
    Log.retain(log, { retentionMs: 15, retentionBytes: -1 }, 40)
    assert.deepStrictEqual([log.begin, log.end], [3n, 5n])
  })

  it("compaction keeps the newest record of each key, and no tombstone", () => {
    const log = Log.make()
    Log.append(log, [record("1", "a"), record("2", "b"), record("3", "a"), record(null, "b"), record("4")], 0)
    Log.compact(log)
    assert.deepStrictEqual(Log.readAll(log).map((r) => r.offset), [2n, 4n])
    assert.deepStrictEqual([log.begin, log.end], [0n, 5n])
  })

  it("a batch of an idempotent producer is written once, and one that skips a number is refused", () => {
    const log = Log.make()
    const send = (sequence: number, count: number) =>
      Log.append(log, Array.from({ length: count }, () => record("v")), 0, { producer: { producerId: 7, sequence } })
    assert.deepStrictEqual(send(0, 2), { _tag: "Appended", baseOffset: 0n })
    assert.deepStrictEqual(send(2, 3), { _tag: "Appended", baseOffset: 2n })
    assert.deepStrictEqual(send(0, 2), { _tag: "Duplicate", baseOffset: 0n })
    assert.deepStrictEqual(send(9, 1), { _tag: "OutOfSequence", expected: 5 })
    assert.strictEqual(log.end, 5n)
  })

  it("with LogAppendTime the broker's time counts", () => {
    const log = Log.make()
    Log.append(log, [record("v", null, 1)], 99, { timestampType: "LogAppendTime" })
    assert.deepStrictEqual(Log.readAll(log).map((r) => [r.timestamp, r.timestampType]), [[99, "LogAppendTime"]])
  })
})
