import { assert, describe, it } from "@effect/vitest"
import { FaultPlan } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Transport, type TransportHandler } from "../src/Transport.ts"
import { make as topicPartition } from "../src/TopicPartition.ts"
import {
  advance,
  codecs,
  collectEvents,
  committedOf,
  member,
  numbered,
  untilDone,
  valueOf,
  withCluster
} from "./fixtures.ts"

describe("an offset reset", () => {
  it.effect("does not drop what was fetched before retention overtook the fetching", () =>
    withCluster({ records: 100 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({
          maxPollRecords: 1,
          maxPartitionFetchBytes: 300,
          queueMaxRecords: 20,
          drainTimeoutMs: 0
        })
        const events = yield* collectEvents(consumer)
        const seen: Array<string> = []
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach((record) =>
            Effect.andThen(
              Effect.sleep(100),
              Effect.sync(() => {
                assert.isTrue(record.offset.settle())
                seen.push(valueOf(record))
              })
            )
          ),
          Effect.forkChild
        )
        yield* advance(300)
        const { position } = (yield* consumer.snapshot)[0]!
        assert.isAbove(Number(position), seen.length + 3)
        yield* cluster.deleteRecords("in", 0, 60n)
        yield* advance(20_000)
        const reset = (yield* Ref.get(events)).findLast((event) => event._tag === "OffsetReset")
        assert.deepInclude(reset, { beginning: 60n, end: 100n, policy: "earliest" })
        const fetched = Array.from({ length: Number(position) }, (_, i) => String(i))
        const rest = Array.from({ length: 40 }, (_, i) => String(60 + i))
        assert.deepStrictEqual(seen, [...fetched, ...rest])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100 })
      })))

  it.effect("that is still looked up does not undo a seek made meanwhile", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.apply(FaultPlan.delay("listOffsets", "3 seconds"))
        const consumer = yield* member()
        const seen: Array<string> = []
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach((record) =>
            Effect.sync(() => {
              seen.push(valueOf(record))
              record.offset.settle()
            })
          ),
          Effect.forkChild
        )
        yield* advance(500)
        assert.deepStrictEqual((yield* consumer.snapshot).map(({ state }) => state), ["starting"])
        yield* consumer.seek(topicPartition("in", 0), 7n)
        yield* advance(10_000)
        assert.deepStrictEqual(seen, ["7", "8", "9"])
      })))

  it.effect("latest: what comes after the start is not passed over where the member dies before its first commit", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const first = yield* Scope.make()
        yield* Scope.provide(member({ autoOffsetReset: "latest" }), first)
        yield* advance(2_000)
        yield* cluster.append("in", numbered(3, 1))
        yield* advance(2_000)
        const closing = yield* Effect.forkChild(Scope.close(first, Exit.void))
        yield* untilDone(closing, 10_000)
        const second = yield* member({ autoOffsetReset: "latest" })
        const fiber = yield* Effect.forkChild(second.stream(codecs).pipe(Stream.take(3), Stream.runCollect))
        assert.deepStrictEqual((yield* untilDone(fiber)).map(valueOf), ["0", "1", "2"])
      })))

  for (const autoOffsetReset of ["latest", "earliest"] as const) {
    it.effect(`${autoOffsetReset}: is none where the position is in range, as a leader that was deposed does not know`, () =>
      withCluster({ records: 0 }, (cluster) =>
        Effect.gen(function*() {
          const transport = yield* Transport
          let told: TransportHandler | undefined
          const watched: Transport["Service"] = {
            ...transport,
            consumer: (options) => {
              told = options.handler
              return transport.consumer(options)
            }
          }
          const consumer = yield* Effect.provideService(
            member({ autoOffsetReset, maxPollRecords: 1, maxPartitionFetchBytes: 300, queueMaxRecords: 20 }),
            Transport,
            watched
          )
          yield* advance(500)
          yield* cluster.append("in", numbered(100, 1))
          const seen: Array<string> = []
          const events = yield* collectEvents(consumer)
          const reading = yield* consumer.stream(codecs).pipe(
            Stream.runForEach((record) =>
              Effect.andThen(
                Effect.sleep(100),
                Effect.sync(() => {
                  seen.push(valueOf(record))
                  record.offset.settle()
                })
              )
            ),
            Effect.forkChild
          )
          yield* advance(1_000)
          const { position } = (yield* consumer.snapshot)[0]!
          assert.isBelow(Number(position), 100)
          told!.onOutOfRange(topicPartition("in", 0), position)
          yield* advance(20_000)
          assert.isUndefined(reading.pollUnsafe())
          assert.deepStrictEqual(seen, Array.from({ length: 100 }, (_, i) => String(i)))
          assert.deepStrictEqual((yield* Ref.get(events)).filter(({ _tag }) => _tag === "OffsetReset"), [])
        })))
  }
})
