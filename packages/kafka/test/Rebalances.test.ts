import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { OffsetBatch } from "../src/Offset.ts"
import { advance, codecs, committedOf, member, untilDone, valueOf, withCluster } from "./fixtures.ts"

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
})
