import { assert, describe, it } from "@effect/vitest"
import { createRequire } from "node:module"
import { type FetchOptions, fetchRequest, type RawPartition } from "../src/FetchRequest.ts"
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
      assert.throws(() => decode(bytes.subarray(0, length)), RangeError)
    }
  })
})
