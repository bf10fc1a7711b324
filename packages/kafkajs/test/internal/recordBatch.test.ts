import { assert, describe, it } from "@effect/vitest"
import { crc32c as crcOf } from "@weft/kafka/Crc32c"
import type { OutgoingRecord } from "@weft/kafka/Transport"
import { encodeBatch, encodeRecords, sizeBound } from "@weft/protocol/RecordBatchEncoder"
import * as fc from "fast-check"
import { createRequire } from "node:module"
import { gzipSync } from "node:zlib"
import { headersOf } from "../../src/internal/headers.ts"
import type { Message } from "../../src/internal/inside.ts"

const require = createRequire(import.meta.url)
const Decoder = require("kafkajs/src/protocol/decoder.js") as new(bytes: Buffer) => unknown
const decodeBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder.js") as (decoder: unknown) => Promise<{
  readonly records: ReadonlyArray<Message>
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly lastOffsetDelta: number
  readonly firstTimestamp: string
  readonly maxTimestamp: string
}>
const kafkajsCrc = require("kafkajs/src/protocol/recordBatch/crc32C/index.js") as (bytes: Buffer) => number

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const nullable = fc.option(bytes, { nil: null })
const names = fc.oneof(fc.constantFrom("a", "b", "10", "2", "", "ü"), fc.string({ maxLength: 5 }))
const records: fc.Arbitrary<ReadonlyArray<OutgoingRecord>> = fc.array(
  fc.record({
    key: nullable,
    value: nullable,
    headers: fc.array(fc.record({ name: names, value: nullable }), { maxLength: 5 }),
    timestamp: fc.option(fc.integer({ min: 0, max: 2 ** 42 }), { nil: undefined })
  }),
  { minLength: 1, maxLength: 20 }
)

const now = 1_700_000_000_000
const identity = { producerId: 7n, producerEpoch: 3, baseSequence: 12 } as const
const decode = (batch: Buffer) => decodeBatch(new Decoder(batch))

const crc32c = (bytes: Uint8Array): number =>
  crcOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)

describe("crc32c", () => {
  it("answers what is known of it", () => {
    assert.strictEqual(crc32c(Buffer.from("123456789")), 0xe3069283)
    assert.strictEqual(crc32c(Buffer.alloc(32)), 0x8a9136aa)
    assert.strictEqual(crc32c(Buffer.alloc(0)), 0)
  })
  it("agrees with kafkajs's, whatever the length", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
      assert.strictEqual(crc32c(array), kafkajsCrc(Buffer.from(array)))
    }))
  })
})

describe("recordBatch", () => {
  it("kafkajs reads what was written, and headers come back in their order", () =>
    fc.assert(fc.asyncProperty(records, fc.constantFrom("none", "gzip"), async (written, compression) => {
      const encoded = encodeRecords(written, now)
      const batch = encodeBatch(
        { ...encoded, bytes: compression === "gzip" ? gzipSync(encoded.bytes) : encoded.bytes },
        { ...identity, compression: compression as "none" | "gzip" }
      )
      const read = await decode(batch)
      assert.deepStrictEqual(
        [read.producerId, read.producerEpoch, read.firstSequence, read.lastOffsetDelta],
        ["7", 3, 12, written.length - 1]
      )
      const times = written.map(({ timestamp }) => timestamp ?? now)
      assert.strictEqual(Number(read.firstTimestamp), times[0])
      assert.strictEqual(Number(read.maxTimestamp), Math.max(...times))
      assert.strictEqual(batch.readUInt32BE(17), kafkajsCrc(batch.subarray(21)))
      read.records.forEach((message, i) => {
        const { headers, key, value } = written[i]!
        assert.strictEqual(Number(message.timestamp), times[i])
        assert.strictEqual(message.offset, String(i))
        assert.deepStrictEqual([message.key, message.value], [key, value])
        // Without key and value there is nothing to find a header's place by.
        if (key !== null || value !== null) assert.deepStrictEqual(headersOf(message), headers)
        else assert.sameDeepMembers([...headersOf(message)], [...headers])
      })
    })))

  it("never takes more room than is reckoned with", () => {
    fc.assert(fc.property(records, (written) => {
      const bound = written.reduce((sum, record) => sum + sizeBound(record), 0)
      assert.isAtMost(encodeRecords(written, now).bytes.length, bound)
    }))
  })

  it("a header whose name is not UTF-8 is read as kafkajs reads it, and its value is untouched", async () => {
    const headers = [{ name: "ab", value: Buffer.from([0xff, 0xfe]) }]
    const batch = encodeBatch(encodeRecords([{ key: null, value: Buffer.from("v"), headers }], now), {
      ...identity,
      compression: "none"
    })
    batch.set([0xff], batch.indexOf("ab"))
    const [message] = (await decode(batch)).records
    assert.deepStrictEqual(headersOf(message!), [{ name: "\ufffdb", value: Buffer.from([0xff, 0xfe]) }])
  })
})
