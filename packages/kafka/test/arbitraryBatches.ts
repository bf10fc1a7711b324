/** Logs of one partition as a broker may send them, for properties. */
import * as fc from "fast-check"
import { batch, type Compression, type TestBatch, type TestRecord } from "./recordBatches.ts"

const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  // Lengths around where a varint takes one byte more.
  { weight: 2, arbitrary: fc.constantFrom(63, 64, 65, 8191, 8192).map((size) => new Uint8Array(size).fill(size & 255)) }
)
const nullable = fc.option(bytes, { freq: 6 })

const content = fc.record({
  gap: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 20_000 })
  }),
  timestampDelta: fc.oneof(
    { weight: 6, arbitrary: fc.bigInt({ min: -1000n, max: 100_000n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 51n), max: 2n ** 51n }) }
  ),
  key: nullable,
  value: nullable,
  headers: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ name: fc.string({ maxLength: 12, unit: "grapheme" }), value: nullable }), {
        maxLength: 4
      })
    }
  )
})

const compression = fc.constantFrom<Compression>("none", "none", "none", "gzip", "snappy", "lz4", "zstd")

const oneBatch = fc.record({
  contents: fc.oneof(
    { weight: 5, arbitrary: fc.array(content, { minLength: 1, maxLength: 12 }) },
    { weight: 1, arbitrary: fc.constant([]) }
  ),
  gapBefore: fc.oneof({ weight: 4, arbitrary: fc.constant(0n) }, {
    weight: 1,
    arbitrary: fc.bigInt({ min: 0n, max: 2n ** 33n })
  }),
  gapAfter: fc.constantFrom(0, 0, 0, 1, 50),
  compression,
  leaderEpoch: fc.constantFrom(2, 2, 2, 3),
  isLogAppendTime: fc.constantFrom(false, false, false, true),
  baseTimestamp: fc.oneof(fc.constant(-1n), fc.bigInt({ min: 0n, max: 2n ** 42n }))
})

const recordsOf = (contents: ReadonlyArray<typeof content extends fc.Arbitrary<infer A> ? A : never>) => {
  const records: Array<TestRecord> = []
  let next = 0
  for (const { gap, ...parts } of contents) {
    records.push({ offsetDelta: next + gap, ...parts })
    next += gap + 1
  }
  return records
}

/** Batches in the order of their offsets, with gaps before, in, between and after them. */
export const log: fc.Arbitrary<ReadonlyArray<TestBatch>> = fc.tuple(
  fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 62n })),
  fc.array(oneBatch, { minLength: 1, maxLength: 8 })
).map(([start, parts]) => {
  const batches: Array<TestBatch> = []
  let next = start
  for (const { contents, gapAfter, gapBefore, ...over } of parts) {
    const records = recordsOf(contents)
    const lastOffsetDelta = (records.at(-1)?.offsetDelta ?? 0) + gapAfter
    const one = batch(next + gapBefore, records, { ...over, lastOffsetDelta, maxTimestamp: over.baseTimestamp + 7n })
    batches.push(one)
    next = one.baseOffset + BigInt(lastOffsetDelta) + 1n
  }
  return batches
})

/** Where a fetch of a log may begin: anywhere in it, gaps included, or just before and after. */
export const fetched: fc.Arbitrary<{ readonly batches: ReadonlyArray<TestBatch>; readonly fetchOffset: bigint }> = log
  .chain((batches) => {
    const first = batches[0]!.baseOffset
    const last = batches.at(-1)!
    const end = last.baseOffset + BigInt(last.lastOffsetDelta) + 1n
    return fc.oneof(
      { weight: 2, arbitrary: fc.constant(first) },
      { weight: 1, arbitrary: fc.bigInt({ min: first, max: end }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ...batches.map(({ baseOffset, records }) =>
            baseOffset + BigInt(records[records.length >> 1]?.offsetDelta ?? 0)
          )
        )
      }
    ).map((fetchOffset) => ({ batches, fetchOffset }))
  })
