import { assert, describe, it } from "@effect/vitest"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import type { FetchedPartition, Message } from "../../src/internal/inside.ts"
import { fromFetch } from "../../src/internal/messagesBatch.ts"

const context = {
  firstOffset: "10",
  lastOffsetDelta: 9,
  partitionLeaderEpoch: 4,
  producerId: "1",
  inTransaction: false,
  timestampType: 0
}

const message = (offset: number, over: Partial<Message> = {}): Message => ({
  offset: String(offset),
  timestamp: "1700000000000",
  key: Buffer.from(`k${offset}`),
  value: Buffer.from(`v${offset}`),
  headers: {},
  isControlRecord: false,
  batchContext: context,
  ...over
})

const fetched = (messages: ReadonlyArray<Message>, over: Partial<FetchedPartition> = {}): FetchedPartition => ({
  partition: 2,
  errorCode: 0,
  highWatermark: "100",
  lastStableOffset: "90",
  abortedTransactions: [],
  messages,
  ...over
})

const offsets = (batch: FetchedBatch | undefined): ReadonlyArray<number> =>
  Array.from({ length: batch?.count ?? 0 }, (_, i) => Number(batch!.offset(i)))

describe("messagesBatch", () => {
  it("reads records in place", () => {
    const batch = fromFetch("t", fetched([message(10), message(11, { key: null, value: null })]), 10n, 1)!
    assert.deepStrictEqual([batch.topic, batch.partition, batch.count, batch.leaderEpoch], ["t", 2, 2, 4])
    const value = batch.value(0)!
    assert.strictEqual(Buffer.from(value.buffer).toString("utf8", value.start, value.end), "v10")
    assert.deepStrictEqual([batch.key(1), batch.value(1)], [undefined, undefined])
    assert.deepStrictEqual([batch.timestamp(0), batch.timestampType(0)], [1_700_000_000_000, "CreateTime"])
    assert.isAbove(batch.byteLength, 6)
  })

  it("an empty value is a value", () => {
    const batch = fromFetch("t", fetched([message(10, { value: Buffer.alloc(0) })]), 10n, 1)!
    const value = batch.value(0)!
    assert.strictEqual(value.end - value.start, 0)
  })

  it("goes on after what compaction took away at the end of a record batch", () => {
    const batch = fromFetch("t", fetched([message(10), message(14)]), 10n, 1)
    assert.deepStrictEqual(offsets(batch), [10, 14])
    assert.strictEqual(batch!.nextOffset, 20n)
  })

  it("leaves out what lies below the position", () => {
    const batch = fromFetch("t", fetched([message(10), message(11), message(12)]), 12n, 1)
    assert.deepStrictEqual(offsets(batch), [12])
  })

  it("is nothing where the answer has nothing new", () => {
    assert.isUndefined(fromFetch("t", fetched([]), 10n, 1))
    assert.isUndefined(fromFetch("t", fetched([message(10)]), 20n, 1))
  })

  it("has no records, but a next offset, where there were only control records", () => {
    const batch = fromFetch("t", fetched([message(10, { isControlRecord: true })]), 10n, 1)
    assert.deepStrictEqual([batch!.count, batch!.nextOffset], [0, 20n])
  })

  it("tells the last stable offset or the high watermark as the end, as is read", () => {
    assert.strictEqual(fromFetch("t", fetched([message(10)]), 10n, 1)!.highWatermark, 90n)
    assert.strictEqual(fromFetch("t", fetched([message(10)]), 10n, 0)!.highWatermark, 100n)
  })

  it("leaves aborted transactions out of committed reads: from their first offset to their marker, by producer", () => {
    const inTransaction = (producerId: string, offset: number) =>
      message(offset, { batchContext: { ...context, producerId, inTransaction: true } })
    const marker = (producerId: string, offset: number, type: number) =>
      message(offset, {
        isControlRecord: true,
        key: Buffer.from([0, 0, 0, type]),
        batchContext: { ...context, producerId, inTransaction: true }
      })
    const messages = [
      inTransaction("7", 10),
      inTransaction("8", 11),
      message(12, { batchContext: { ...context, producerId: "7" } }),
      marker("7", 13, 0),
      inTransaction("7", 14),
      marker("7", 15, 1),
      marker("8", 16, 1)
    ]
    const abortedTransactions = [{ producerId: "7", firstOffset: "5" }]
    assert.deepStrictEqual(offsets(fromFetch("t", fetched(messages, { abortedTransactions }), 10n, 1)), [11, 12, 14])
    assert.deepStrictEqual(offsets(fromFetch("t", fetched(messages, { abortedTransactions }), 10n, 0)), [
      10,
      11,
      12,
      14
    ])
    // The first record of the transaction is below the position: the rest of it is aborted all the same.
    assert.deepStrictEqual(offsets(fromFetch("t", fetched(messages, { abortedTransactions }), 11n, 1)), [11, 12, 14])
  })
})
