import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Consumer from "../src/Consumer.ts"
import { OffsetBatch } from "../src/Offset.ts"
import { make as topicPartition } from "../src/TopicPartition.ts"
import { advance, codecs, collectEvents, committedOf, member, untilDone, valueOf, withCluster } from "./fixtures.ts"

/** Reads all with a handler that takes its time; records what begins and what ends. */
const work = (consumer: Consumer.Consumer["Service"], takesMs: (value: string) => number) => {
  const begun: Array<string> = []
  const ended: Array<string> = []
  const run = consumer.partitionedStream(codecs).pipe(
    Stream.flatMap(([, records]) =>
      Stream.mapEffect(records, (record) =>
        Effect.gen(function*() {
          begun.push(valueOf(record))
          yield* Effect.sleep(takesMs(valueOf(record)))
          ended.push(valueOf(record))
          record.offset.settle()
        })), { concurrency: "unbounded" }),
    Stream.runDrain
  )
  return { begun, ended, run }
}

describe("a drain", () => {
  it.effect("waits for what is in flight also where records were passed over that an earlier owner settled", () =>
    withCluster({ records: 100 }, (cluster) =>
      Effect.gen(function*() {
        // All but the first and the last three are settled, beyond the watermark.
        yield* Effect.scoped(Effect.gen(function*() {
          const consumer = yield* member()
          const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(100), Stream.runCollect))
          const records = yield* untilDone(fiber)
          yield* consumer.commitBatch(OffsetBatch.from(records.slice(1, 97).map(({ offset }) => offset)))
        }))
        const scope = yield* Scope.make()
        const consumer = yield* Scope.provide(member({ maxPollRecords: 1 }), scope)
        const ended: Array<string> = []
        // Concurrent, so that the records behind those that are passed over are taken while the first is in flight.
        yield* consumer.stream(codecs).pipe(
          Stream.mapEffect((record) =>
            Effect.gen(function*() {
              yield* Effect.sleep(5_000)
              ended.push(valueOf(record))
              record.offset.settle()
            }), { concurrency: 2 }),
          Stream.runDrain,
          Effect.forkIn(scope)
        )
        yield* advance(1_000)
        const shutdown = yield* Effect.forkChild(consumer.shutdown)
        yield* untilDone(shutdown)
        assert.deepStrictEqual(ended.sort(), ["0", "97"])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 98 })
        yield* Scope.close(scope, Exit.void)
      })))

  it.effect("does not wait for a partition that is given up before it handed anything out", () =>
    withCluster({ partitions: 4, records: 40 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ clientId: "a", queueMaxRecords: 5 })
        const events = yield* collectEvents(consumer)
        // Somebody reads, but takes nothing: the queues are full, and nothing is in flight.
        const reading = yield* Effect.forkChild(Stream.runForEach(consumer.partitions, () => Effect.void))
        yield* advance(1_000)
        assert.isTrue(
          (yield* consumer.snapshot).every(({ inFlight, queuedRecords }) => inFlight === 0 && queuedRecords > 0)
        )
        const other = yield* member({ clientId: "b" })
        yield* advance(4_000)
        assert.lengthOf(yield* other.snapshot, 2)
        const drained = (yield* Ref.get(events)).filter((event) => event._tag === "Drained")
        assert.isAbove(drained.length, 0)
        for (const { durationMs } of drained) assert.isBelow(durationMs, 100)
        yield* Fiber.interrupt(reading)
      })))

  it.effect("does not wait for records that a seek made worthless", () =>
    withCluster({ records: 10 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 1 })
        const { run } = work(consumer, () => 1_000_000)
        yield* Effect.forkChild(run)
        yield* advance(1_000)
        const shutdown = yield* Effect.forkChild(consumer.shutdown)
        yield* advance(1_000)
        yield* consumer.seek(topicPartition("in", 0), 5n)
        yield* advance(1_000)
        assert.isDefined(shutdown.pollUnsafe())
      })))

  it.effect("at the end begins nothing any more, whatever assignment still comes", () =>
    withCluster({ partitions: 4, records: 400 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 1, maxPollIntervalMs: 60_000, drainTimeoutMs: 20_000 })
        const { begun, run } = work(consumer, (value) => Number(value) === 3 ? 1_000_000 : 100)
        yield* Effect.forkChild(run)
        yield* advance(500)
        // The other one's join starts a drain, which the third record outlasts.
        const scope = yield* Scope.make()
        yield* Scope.provide(member({ clientId: "other", maxPollIntervalMs: 60_000 }), scope)
        yield* advance(15_000)
        const shutdown = yield* Effect.forkChild(consumer.shutdown)
        yield* advance(1_000)
        const before = begun.length
        yield* advance(60_000)
        assert.isDefined(shutdown.pollUnsafe())
        assert.strictEqual(begun.length, before)
        yield* Scope.close(scope, Exit.void)
      })))
})

describe("a pause", () => {
  it.effect("lasts over a seek and a rebalance that leaves the partition here, and ends when it is given up", () =>
    withCluster({ partitions: 2, records: 20 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ clientId: "a" })
        const seen: Array<string> = []
        yield* Effect.forkChild(Stream.runForEach(consumer.stream(codecs), (record) =>
          Effect.sync(() => {
            seen.push(`${record.record.partition}@${record.record.offset}`)
            record.offset.settle()
          })))
        yield* advance(2_000)
        assert.lengthOf(seen, 20)
        const both = [topicPartition("in", 0), topicPartition("in", 1)]
        yield* consumer.pause(both)
        const scope = yield* Scope.make()
        const other = yield* Scope.provide(member({ clientId: "b" }), scope)
        yield* advance(4_000)
        const [kept] = yield* consumer.snapshot
        const [given] = yield* other.snapshot
        assert.deepStrictEqual([kept!.paused, given!.paused], [true, false])
        yield* consumer.seek(topicPartition("in", kept!.partition), 3n)
        yield* cluster.append("in", [0, 1].map((partition) => ({ partition, value: "more" })))
        yield* advance(2_000)
        assert.lengthOf(seen, 20, "nothing of the one that is paused")
        yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* advance(4_000)
        assert.deepStrictEqual(
          seen.slice(20),
          [`${given!.partition}@10`],
          "the one that went and came back is not paused"
        )
        yield* consumer.resume(both)
        yield* advance(2_000)
        assert.lengthOf(seen, 21 + 8)
      })))
})
