/** What a real Kafka sends, decoded here: compression, transactions, times that the broker sets, pauses in between. */
import { assert, describe, it } from "@effect/vitest"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import { CompressionCodecs, CompressionTypes, type Message, type Producer } from "kafkajs"
import { compressFrameSync } from "lz4-napi"
import { zstdCompressSync } from "node:zlib"
import { compressSync } from "snappy"
import { brokers } from "../../../test-support/servers.ts"
import { groupOf, member, rawKafka, topicOf, until, valuesOf } from "./support.ts"

const onDecoder = KafkaJs.layer({ brokers: brokers(), decoder: "weft" })

const codec = (compress: (bytes: Buffer) => Buffer) => () => ({
  compress: ({ buffer }: { readonly buffer: Buffer }) => Promise.resolve(compress(buffer)),
  decompress: () => Promise.reject(new Error("kafkajs was to decode nothing"))
})
const codecs = CompressionCodecs as unknown as Record<number, ReturnType<typeof codec>>
codecs[CompressionTypes.Snappy] = codec((bytes) => compressSync(bytes))
codecs[CompressionTypes.LZ4] = codec((bytes) => compressFrameSync(bytes))
codecs[CompressionTypes.ZSTD] = codec((bytes) => zstdCompressSync(bytes))

const producing = <A>(
  use: (producer: Producer) => Promise<A>,
  options: { readonly transactionalId?: string } = {}
): Effect.Effect<A> =>
  Effect.acquireUseRelease(
    Effect.promise(() => {
      const producer = rawKafka().producer({
        ...options,
        ...(options.transactionalId === undefined ? {} : { idempotent: true, maxInFlightRequests: 1 })
      })
      return producer.connect().then(() => producer)
    }),
    (producer) => Effect.promise(() => use(producer)),
    (producer) => Effect.promise(() => producer.disconnect())
  )

const numbered = (from: number, count: number, pad = 0): Array<Message> =>
  Array.from({ length: count }, (_, i) => ({ value: `${from + i}${"x".repeat(pad)}` }))

const upTo = (count: number): Array<string> => Array.from({ length: count }, (_, i) => String(i))

describe("decoding", () => {
  it.live("every compression type", () =>
    Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("compressed"), yield* groupOf("compressed")]
      const { GZIP, LZ4, None, Snappy, ZSTD } = CompressionTypes
      yield* producing((producer) =>
        [None, GZIP, Snappy, LZ4, ZSTD].reduce(
          (before, compression, i) =>
            before.then(() => producer.send({ topic, compression, messages: numbered(i * 50, 50) })),
          Promise.resolve<unknown>(undefined)
        )
      )
      const probe = yield* member(topic, group)
      yield* until(() => probe.records.length >= 250)
      assert.deepStrictEqual(valuesOf(probe), upTo(250))
    }).pipe(Effect.scoped, Effect.provide(onDecoder)))

  it.live("aborted transactions are seen by those alone who read what is not committed", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("transactions")
      yield* producing(async (producer) => {
        for (const [from, end] of [[0, "commit"], [10, "abort"], [20, "commit"], [30, "abort"]] as const) {
          const transaction = await producer.transaction()
          await transaction.send({ topic, messages: numbered(from, 10) })
          await transaction[end]()
        }
      }, { transactionalId: topic })
      yield* producing((producer) => producer.send({ topic, messages: [{ value: "last" }] }))
      for (const isolationLevel of ["read_committed", "read_uncommitted"] as const) {
        const probe = yield* member(topic, yield* groupOf(isolationLevel), { with: { isolationLevel } })
        yield* until(() => valuesOf(probe).includes("last"))
        const all = upTo(40)
        const expected = isolationLevel === "read_committed" ? [...all.slice(0, 10), ...all.slice(20, 30)] : all
        assert.deepStrictEqual(valuesOf(probe), [...expected, "last"])
      }
    }).pipe(Effect.scoped, Effect.provide(onDecoder)))

  it.live("a topic whose times the broker sets", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("appended", 1, { "message.timestamp.type": "LogAppendTime" })
      yield* producing((producer) => producer.send({ topic, messages: [{ value: "0", timestamp: "5" }] }))
      const seen: Array<FetchedBatch> = []
      yield* member(topic, yield* groupOf("appended"), { onBatch: (batch) => seen.push(batch) })
      yield* until(() => seen.some(({ count }) => count > 0))
      const [batch] = seen.filter(({ count }) => count > 0)
      assert.strictEqual(batch!.timestampType(0), "LogAppendTime")
      assert.isAbove(batch!.timestamp(0), 1_600_000_000_000)
    }).pipe(Effect.scoped, Effect.provide(onDecoder)))

  it.live("a pause in the middle of a compressed answer holds the rest back, and the resume brings all of it", () =>
    Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("held-back"), yield* groupOf("held-back")]
      yield* producing((producer) =>
        Array.from({ length: 6 }, (_, i) => i).reduce(
          (before, i) =>
            before.then(() =>
              producer.send({ topic, compression: CompressionTypes.GZIP, messages: numbered(i * 100, 100, 3000) })
            ),
          Promise.resolve<unknown>(undefined)
        )
      )
      const own = [TopicPartition.make(topic, 0)]
      const probe = yield* member(topic, group, {
        onBatch: (batch, consumer) => {
          if (batch.count > 0) consumer.pause(own)
        }
      })
      for (let batches = 1; probe.records.length < 600; batches++) {
        yield* until(() => probe.batches.filter(({ count }) => count > 0).length >= batches)
        yield* Effect.sleep(60)
        assert.strictEqual(probe.batches.filter(({ count }) => count > 0).length, batches)
        probe.consumer.resume(own)
      }
      assert.deepStrictEqual(valuesOf(probe).map((value) => value?.replaceAll("x", "") ?? ""), upTo(600))
    }).pipe(Effect.scoped, Effect.provide(onDecoder)))
})
