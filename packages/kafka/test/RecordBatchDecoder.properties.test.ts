import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fetched, log } from "./arbitraryBatches.ts"
import { decode, hex, plain, type PlainRecord } from "./decoded.ts"
import { gathered, kafkajs, plainKafkajs, plainPlatformatic, platformatic } from "./peers.ts"
import { encode, type TestBatch } from "./recordBatches.ts"

const written = (batches: ReadonlyArray<TestBatch>): ReadonlyArray<PlainRecord> =>
  batches.flatMap((batch) =>
    batch.records.map(({ headers, key, offsetDelta, timestampDelta, value }) => ({
      offset: batch.baseOffset + BigInt(offsetDelta),
      timestamp: Number(batch.isLogAppendTime ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta),
      key: hex(key),
      value: hex(value),
      headers: headers.map(({ name, value }) => [name, hex(value)] as const)
    }))
  )

describe("RecordBatchDecoder, for any log", () => {
  it("what was written is read, from the offset that was asked for", () => {
    fc.assert(fc.property(fetched, fc.boolean(), ({ batches, fetchOffset }, copy) => {
      const decoded = decode(encode(batches), { fetchOffset, copy })
      assert.strictEqual(decoded.stop, undefined)
      assert.deepStrictEqual(plain(decoded.batches), written(batches).filter(({ offset }) => offset >= fetchOffset))
      const last = batches.at(-1)!
      const end = last.baseOffset + BigInt(last.lastOffsetDelta) + 1n
      assert.strictEqual(decoded.nextOffset, end)
      if (fetchOffset < end) assert.strictEqual(decoded.batches.at(-1)!.nextOffset, end)
    }))
  })

  it("wherever the answer is cut off, two fetches bring what one would", () => {
    fc.assert(fc.property(fetched, fc.nat(), ({ batches, fetchOffset }, cutAt) => {
      const bytes = encode(batches)
      const first = decode(bytes.subarray(0, cutAt % (bytes.length + 1)), { fetchOffset })
      assert.isTrue(first.stop === undefined || first.stop._tag === "Incomplete")
      const second = decode(bytes, { fetchOffset: first.nextOffset })
      assert.deepStrictEqual(
        [...plain(first.batches), ...plain(second.batches)],
        written(batches).filter(({ offset }) => offset >= fetchOffset)
      )
    }))
  })

  it("kafkajs reads the same, except headers with the names of an object's own methods, which it garbles", () =>
    fc.assert(fc.asyncProperty(log, async (batches) => {
      fc.pre(!batches.some(({ records }) => records.some(({ headers }) => headers.some(({ name }) => name in {}))))
      const bytes = encode(batches)
      const ours = plain(decode(bytes).batches).map((record) => ({ ...record, headers: gathered(record.headers) }))
      assert.deepStrictEqual(ours, plainKafkajs(await kafkajs(bytes)))
    })))

  it("@platformatic/kafka reads the same", () => {
    fc.assert(fc.property(log, (batches) => {
      const bytes = encode(batches)
      assert.deepStrictEqual(plain(decode(bytes).batches), plainPlatformatic(platformatic(bytes)))
    }))
  })
})
