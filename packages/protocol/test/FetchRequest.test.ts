import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { createRequire } from "node:module"
import type { RawPartition } from "../src/FetchLayout.ts"
import { type FetchOptions, fetchRequest } from "../src/FetchRequest.ts"
import { Reader, Writer } from "../src/Wire.ts"

const require = createRequire(import.meta.url)
const v11 = "kafkajs/src/protocol/requests/fetch/v11"
const theirRequest = require(`${v11}/request`) as (options: object) => {
  readonly encode: () => Promise<{ readonly buffer: Buffer }>
}
const theirResponse = require(`${v11}/response`) as {
  readonly decode: (bytes: Buffer) => Promise<{ readonly responses: ReadonlyArray<{ readonly topicName: string }> }>
}

const options: FetchOptions = {
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 50_000_000,
  isolationLevel: 1,
  partitions: [
    { topic: "a", partition: 2, position: 5n, maxBytes: 1_048_576 },
    { topic: "a", partition: 0, position: 2n ** 40n, maxBytes: 9 },
    { topic: "b", partition: 1, position: 0n, maxBytes: 1_048_576 },
    { topic: "a", partition: 1, position: 7n, maxBytes: 1_048_576 }
  ]
}

const partition = (over: Partial<RawPartition>): RawPartition => ({
  topic: "a",
  partition: 0,
  errorCode: 0,
  highWatermark: 90n,
  lastStableOffset: 80n,
  abortedTransactions: [],
  records: Buffer.alloc(0),
  ...over
})

/** As a broker writes it. */
const answer = (parts: ReadonlyArray<RawPartition>): Buffer => {
  const writer = new Writer().int32(7).int16(0).int32(0)
  writer.array(parts, (part) => {
    writer.string(part.topic).int32(1).int32(part.partition).int16(part.errorCode).int64(part.highWatermark)
      .int64(part.lastStableOffset).int64(3n)
    if (part.abortedTransactions.length === 0) writer.int32(-1)
    else writer.array(part.abortedTransactions, (one) => writer.int64(one.producerId).int64(one.firstOffset))
    writer.int32(-1)
    if (part.records.length === 0) writer.int32(-1)
    else writer.sized(part.records)
  })
  return writer.buffer
}

const decode = (bytes: Buffer) => fetchRequest(options).decode(new Reader(bytes), 11)

/** In pieces of these sizes, each of them gone once it was taken; every second one is read to where there is room for it. */
const assemble = (bytes: Buffer, cuts: ReadonlyArray<number>, size = bytes.length) => {
  const assembly = fetchRequest(options).assemble!(size)
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const cut = cuts[i % cuts.length]!
    const room = i % 2 === 0 ? undefined : assembly.room()
    if (room !== undefined) {
      const read = bytes.copy(room, 0, at, at + Math.min(cut, room.length))
      assembly.wrote(read)
      at += read
      continue
    }
    const before = 3
    const piece = Buffer.concat([Buffer.alloc(before), bytes.subarray(at, at + cut)])
    assembly.take(piece, before, piece.length)
    piece.fill(0xff)
    at += cut
  }
  return assembly.answer()
}

describe("FetchRequest", () => {
  it("is byte for byte what kafkajs would send for the same partitions in the same order", async () => {
    const topics = [["a", [0, 1]], ["b", [2]], ["a", [3]]] as const
    const theirs = await theirRequest({
      replicaId: -1,
      maxWaitTime: options.maxWaitMs,
      minBytes: options.minBytes,
      maxBytes: options.maxBytes,
      isolationLevel: options.isolationLevel,
      topics: topics.map(([topic, indices]) => ({
        topic,
        partitions: indices.map((i) => {
          const { maxBytes, partition, position } = options.partitions[i]!
          return { partition, fetchOffset: position.toString(), maxBytes }
        })
      }))
    }).encode()
    assert.deepStrictEqual(fetchRequest(options).encode(11).buffer.toString("hex"), theirs.buffer.toString("hex"))
  })

  it("reads an answer, its records in place", () => {
    const parts = [
      partition({ records: Buffer.from("records"), abortedTransactions: [{ producerId: 9n, firstOffset: 4n }] }),
      partition({ topic: "b", partition: 1, errorCode: 6, highWatermark: -1n, lastStableOffset: -1n })
    ]
    const bytes = answer(parts)
    const decoded = decode(bytes)
    assert.deepStrictEqual([decoded.throttleMs, decoded.errorCode], [7, 0])
    assert.deepStrictEqual(
      decoded.partitions.map((one) => ({ ...one, records: one.records.toString() })),
      parts.map((one) => ({ ...one, records: one.records.toString() }))
    )
    assert.strictEqual(decoded.partitions[0]!.records.buffer, bytes.buffer)
  })

  it("kafkajs reads the same answer the same", async () => {
    const { responses } = await theirResponse.decode(answer([partition({ errorCode: 1 }), partition({ topic: "b" })]))
    assert.deepStrictEqual(responses.map(({ topicName }) => topicName), ["a", "b"])
  })

  it("an answer that ends too early is refused", () => {
    const bytes = answer([partition({ records: Buffer.from("records") })])
    for (let length = 0; length < bytes.length; length++) {
      const part = bytes.subarray(0, length)
      assert.throws(() => decode(part), RangeError)
      assert.throws(() => assemble(part, [length]), RangeError)
    }
  })

  it("reads the same while it comes, however it is cut, each partition's records in memory of their own", () => {
    const parts = fc.array(
      fc.record({
        topic: fc.constantFrom("a", "", "another"),
        errorCode: fc.constantFrom(0, 6),
        records: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        abortedTransactions: fc.array(fc.constant({ producerId: 9n, firstOffset: 4n }), { maxLength: 2 })
      }).map(partition),
      { maxLength: 5 }
    )
    const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 })
    fc.assert(fc.property(parts, cuts, (given, sizes) => {
      const bytes = answer(given)
      const assembled = assemble(bytes, sizes)
      assert.deepStrictEqual(assembled, decode(bytes))
      for (const { records } of assembled.partitions) assert.strictEqual(records.buffer.byteLength, records.length)
    }))
  })

  it("is refused at once where it announces more than its size, and takes no memory for it", () => {
    const bytes = answer([partition({ records: Buffer.from("records") })])
    const lengthAt = bytes.length - 7 - 4
    for (const announced of [8, 0x7fffffff]) {
      bytes.writeInt32BE(announced, lengthAt)
      assert.throws(() => decode(bytes), RangeError)
      assert.throws(() => assemble(bytes, [5]), /were announced/)
    }
    bytes.writeInt32BE(0x7fffffff, lengthAt - 8)
    assert.throws(() => assemble(bytes, [bytes.length]), RangeError)
  })

  it("any bytes at all are an answer, or are refused, the same in both ways", () => {
    const whole = answer([partition({ records: Buffer.from("records") }), partition({ topic: "b" })])
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) })
    fc.assert(fc.property(fc.array(change, { maxLength: 4 }), fc.integer({ min: 1, max: 99 }), (changes, cut) => {
      const bytes = Buffer.from(whole)
      for (const { at, byte } of changes) bytes[at] = byte
      const attempt = (of: () => unknown): unknown => {
        try {
          return of()
        } catch (error) {
          assert.instanceOf(error, RangeError)
          return "refused"
        }
      }
      assert.deepStrictEqual(attempt(() => assemble(bytes, [cut])), attempt(() => decode(bytes)))
    }))
  })
})
