import { assert, describe, it } from "@effect/vitest"
import { FaultPlan } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { make as topicPartition } from "../src/TopicPartition.ts"
import { advance, codecs, member, valueOf, withCluster } from "./fixtures.ts"

describe("an offset reset", () => {
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
})
