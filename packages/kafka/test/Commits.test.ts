import { assert, describe, it } from "@effect/vitest"
import { FaultPlan } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { make as topicPartition } from "../src/TopicPartition.ts"
import { advance, collectEvents, committedOf, member, withCluster } from "./fixtures.ts"

const settleAll = Stream.runForEach((batch: { readonly settleAll: () => boolean }) =>
  Effect.sync(() => batch.settleAll())
)

describe("a commit", () => {
  it.effect("that was refused is made again, also where nothing more is settled", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.apply(FaultPlan.fail("commit", "UNKNOWN_SERVER_ERROR", { times: 2 }))
        const consumer = yield* member()
        const events = yield* collectEvents(consumer)
        yield* Effect.forkChild(settleAll(consumer.batches))
        yield* advance(20_000)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
        assert.lengthOf((yield* Ref.get(events)).filter((event) => event._tag === "CommitFailed"), 2)
      })))

  it.effect("that is refused for ever is tried every few seconds, not in a busy loop", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.apply(FaultPlan.fail("commit", "GROUP_AUTHORIZATION_FAILED", { times: 1e9 }))
        const consumer = yield* member()
        const events = yield* collectEvents(consumer)
        yield* Effect.forkChild(settleAll(consumer.batches))
        yield* advance(60_000)
        const failures = (yield* Ref.get(events)).filter((event) => event._tag === "CommitFailed").length
        assert.isAtLeast(failures, 8)
        assert.isAtMost(failures, 15)
      })))

  it.effect("that has not been made yet is not forgotten by a seek to where the partition stands", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ enableAutoCommit: true, autoCommitIntervalMs: 60_000 })
        yield* Effect.forkChild(settleAll(consumer.batches))
        yield* advance(1_000)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        yield* consumer.seek(topicPartition("in", 0), (yield* consumer.snapshot)[0]!.watermark)
        yield* advance(70_000, 500)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
      })))
})
