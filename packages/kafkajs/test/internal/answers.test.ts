import { assert, describe, it } from "@effect/vitest"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import type { Decoding } from "@weft/kafka/RecordBatch"
import type { FetchOptions } from "@weft/protocol/FetchRequest"
import { encodeBatch, encodeRecords } from "@weft/protocol/RecordBatchEncoder"
import { Writer } from "@weft/protocol/Wire"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { type DecoderName, makeFetch } from "../../src/internal/answers.ts"
import { KafkaJsBroker } from "../../src/internal/broker.ts"
import type { FetchedPartition, Message, RawBroker } from "../../src/internal/inside.ts"

const options: FetchOptions = {
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 1_000_000,
  isolationLevel: 1,
  partitions: [{ topic: "t", partition: 0, position: 0n, maxBytes: 100_000 }]
}

const batch = (values: ReadonlyArray<string>): Buffer =>
  encodeBatch(encodeRecords(values.map((value) => ({ key: null, value: Buffer.from(value), headers: [] })), 5), {
    compression: "none",
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1
  })

const answer = (records: ReadonlyArray<Buffer>): Buffer => {
  const writer = new Writer().int32(0).int16(0).int32(0).int32(1).string("t")
  let partition = 0
  writer.array(records, (bytes) => {
    writer.int32(partition++).int16(0).int64(90n).int64(80n).int64(0n).int32(-1).int32(-1).sized(bytes)
  })
  return writer.buffer
}

const message: Message = { offset: "0", timestamp: "5", key: null, value: Buffer.from("theirs"), headers: {} }
const theirs: FetchedPartition = { partition: 0, errorCode: 0, highWatermark: "90", messages: [message] }

/** What kafkajs gives: the raw answer, or its own decoding. */
const brokerWith = (raw: () => Promise<Buffer>, maxVersion = 17) => {
  const asked: Array<"raw" | "decoded"> = []
  const broker = {
    versions: { 1: { maxVersion } },
    connectionPool: {
      send: (
        { response }: { readonly response: { decode(payload: Buffer): Promise<object>; parse(x: object): unknown } }
      ) => {
        asked.push("raw")
        return raw().then(response.decode).then(response.parse)
      }
    },
    fetch: () => {
      asked.push("decoded")
      return Promise.resolve({ responses: [{ topicName: "t", partitions: [theirs] }] })
    }
  }
  return { broker: new KafkaJsBroker(broker as unknown as RawBroker), asked }
}

const all = (decoding: Decoding): ReadonlyArray<FetchedBatch> => {
  const batches: Array<FetchedBatch> = []
  for (let next = decoding.next(); next !== undefined; next = decoding.next()) batches.push(next)
  return batches
}

const values = (batches: ReadonlyArray<FetchedBatch>): ReadonlyArray<string> =>
  batches.flatMap((one) =>
    Array.from({ length: one.count }, (_, i) => {
      const { buffer, end, start } = one.value(i)!
      return Buffer.from(buffer).toString("utf8", start, end)
    })
  )

/** Two fetches after each other: their values, and the warnings. */
const twice = (broker: KafkaJsBroker, name: DecoderName = "weft") =>
  Effect.gen(function*() {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Warn") warnings.push(String(message))
    })
    const fetch = makeFetch({ name, checkCrcs: true }, 1)
    const seen: Array<ReadonlyArray<string>> = []
    yield* Effect.gen(function*() {
      for (let i = 0; i < 2; i++) {
        const { partitions } = yield* fetch(broker, options)
        seen.push(partitions.flatMap((one) => values(all(one.open(0n)))))
      }
    }).pipe(Effect.provide(Logger.layer([logger])))
    return { seen, warnings }
  })

describe("answers", () => {
  it.effect("are decoded here, with the end that the isolation level sees", () =>
    Effect.gen(function*() {
      const { asked, broker } = brokerWith(() => Promise.resolve(answer([batch(["a", "b"]), batch(["c"])])))
      const fetch = makeFetch({ name: "weft", checkCrcs: true }, 1)
      const { partitions } = yield* fetch(broker, options)
      const batches = partitions.map((one) => all(one.open(0n)))
      assert.deepStrictEqual(batches.map(values), [["a", "b"], ["c"]])
      assert.deepStrictEqual(batches.flat().map((one) => one.highWatermark), [80n, 80n])
      assert.deepStrictEqual(asked, ["raw"])
      const uncommitted = yield* makeFetch({ name: "weft", checkCrcs: true }, 0)(broker, {
        ...options,
        isolationLevel: 0
      })
      assert.strictEqual(all(uncommitted.partitions[0]!.open(0n))[0]!.highWatermark, 90n)
    }))

  it.effect("a partition with a small part of an answer keeps nothing else of it alive", () =>
    Effect.gen(function*() {
      const { broker } = brokerWith(() => Promise.resolve(answer([batch(["x".repeat(9000)]), batch(["c"])])))
      const { partitions } = yield* makeFetch({ name: "weft", checkCrcs: true }, 1)(broker, options)
      const sizes = partitions.map((one) => all(one.open(0n))[0]!.value(0)!.buffer.buffer.byteLength)
      assert.isAbove(sizes[0]!, 9000)
      assert.isBelow(sizes[1]!, 20)
    }))

  it.effect("are decoded by kafkajs where that was asked for", () =>
    Effect.gen(function*() {
      const { asked, broker } = brokerWith(() => Promise.resolve(answer([batch(["ours"])])))
      assert.deepStrictEqual(yield* twice(broker, "kafkajs"), { seen: [["theirs"], ["theirs"]], warnings: [] })
      assert.deepStrictEqual(asked, ["decoded", "decoded"])
    }))

  it.effect("and where the broker is too old, which is said once", () =>
    Effect.gen(function*() {
      const { asked, broker } = brokerWith(() => Promise.resolve(answer([batch(["ours"])])), 10)
      const { seen, warnings } = yield* twice(broker)
      assert.deepStrictEqual([seen, asked], [[["theirs"], ["theirs"]], ["decoded", "decoded"]])
      assert.deepStrictEqual(warnings.length, 1)
      assert.match(warnings[0]!, /decoded by kafkajs from now on.*version 11/)
    }))

  it.effect("and where kafkajs gives something unexpected, which is said once", () =>
    Effect.gen(function*() {
      const { asked, broker } = brokerWith(() => Promise.resolve(Buffer.from("unexpected")))
      const { seen, warnings } = yield* twice(broker)
      assert.deepStrictEqual([seen, asked], [[["theirs"], ["theirs"]], ["raw", "decoded", "decoded"]])
      assert.deepStrictEqual(warnings.length, 1)
      assert.match(warnings[0]!, /RangeError: a response ends at byte 10/)
      const odd = new KafkaJsBroker({ ...broker.raw, connectionPool: {} } as unknown as RawBroker)
      assert.strictEqual((yield* twice(odd)).warnings.length, 1)
    }))

  it.effect("a connection that breaks is no reason for another decoder", () =>
    Effect.gen(function*() {
      const closed = Object.assign(new Error("closed"), { name: "KafkaJSConnectionClosedError" })
      const { asked, broker } = brokerWith(() => Promise.reject(closed))
      const failing = new KafkaJsBroker({ ...broker.raw, disconnect: () => Promise.resolve() } as RawBroker)
      const failure = yield* Effect.flip(twice(failing))
      assert.deepStrictEqual([failure._tag, asked], ["Connection", ["raw"]])
    }))

  it.effect("the message formats before version 2 are decoded by kafkajs, partition by partition", () =>
    Effect.gen(function*() {
      const body = new Writer().int8(1).int8(0).int64(77n).sized(Buffer.from("k")).sized(Buffer.from("old")).buffer
      const old = new Writer().int64(3n).int32(body.length + 4).int32(0).raw(body).buffer
      const { asked, broker } = brokerWith(() => Promise.resolve(answer([old, batch(["new"])])))
      const { partitions } = yield* makeFetch({ name: "weft", checkCrcs: true }, 1)(broker, options)
      const [first, second] = partitions.map((one) => all(one.open(0n)))
      assert.deepStrictEqual([values(first!), values(second!), asked], [["old"], ["new"], ["raw"]])
      const [only] = first!
      assert.deepStrictEqual([only!.offset(0), only!.timestamp(0), only!.nextOffset], [3n, 77, 4n])
    }))
})
