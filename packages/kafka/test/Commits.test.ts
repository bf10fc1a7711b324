import { assert, describe, it } from "@effect/vitest"
import { FaultPlan } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { ConsumerEvent } from "../src/ConsumerEvent.ts"
import { make as topicPartition } from "../src/TopicPartition.ts"
import { advance, collectEvents, committedOf, member, withCluster } from "./fixtures.ts"

const settleAll = Stream.runForEach((batch: { readonly settleAll: () => boolean }) =>
  Effect.sync(() => batch.settleAll())
)

/** A member that settles every other record, for as long as it gets any, and leaves. */
const settleEveryOther = Effect.scoped(Effect.gen(function*() {
  const consumer = yield* member({ drainTimeoutMs: 0 })
  const events = yield* collectEvents(consumer)
  const settled: Array<bigint> = []
  yield* Effect.forkChild(Stream.runForEach(consumer.batches, (batch) =>
    Effect.sync(() => {
      for (let i = 0; i < batch.size; i++) {
        const { offset } = batch.records[i]!
        if (offset % 2n === 1n && batch.settle(i)) settled.push(offset)
      }
    })))
  yield* advance(20_000)
  return { events: yield* Ref.get(events), settled }
}))

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

  it.effect("of a new membership does not wait because the one before was refused", () =>
    withCluster({ partitions: 1, records: 200 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({
          clientId: "a",
          enableAutoCommit: true,
          autoCommitIntervalMs: 500,
          maxPollRecords: 1
        })
        const events = yield* collectEvents(consumer)
        const reading = yield* Effect.forkChild(
          Stream.runForEach(consumer.batches, (batch) => Effect.map(Effect.sleep(50), () => batch.settleAll()))
        )
        yield* advance(1_000)
        // As after a process that stood still for too long: the next commit is the first to learn of it.
        yield* cluster.apply(FaultPlan.fail("commit", "UNKNOWN_MEMBER_ID", { times: 1 }))
        yield* cluster.expireSession({ clientId: "a" })
        const since = () =>
          Effect.map(Ref.get(events), (all) => all.slice(all.findLastIndex((e) => e._tag === "Assigned")))
        const joins = (all: ReadonlyArray<ConsumerEvent>) => all.filter((event) => event._tag === "Assigned").length
        for (let i = 0; i < 200 && joins(yield* Ref.get(events)) < 2; i++) yield* advance(50)
        assert.strictEqual(joins(yield* Ref.get(events)), 2)
        assert.isTrue((yield* Ref.get(events)).some((event) => event._tag === "CommitFailed"))
        yield* advance(700)
        const committed = (yield* since()).some((event) => event._tag === "Committed")
        yield* Fiber.interrupt(reading)
        assert.isTrue(committed)
      })))

  for (const limit of [500, 100, 10, 0]) {
    it.effect(`whose metadata is longer than the broker takes (${limit} bytes) is made with less of it`, () =>
      withCluster({ records: 4_000, cluster: { offsetMetadataMaxBytes: limit } }, (cluster) =>
        Effect.gen(function*() {
          const first = yield* settleEveryOther
          const { events, settled } = first
          const limits = events.filter((event) => event._tag === "MetadataLimited").map(({ maxBytes }) => maxBytes)
          assert.lengthOf(limits, 1, "told once, when a commit has gone through")
          assert.isAtMost(limits[0]!, limit)
          assert.isAtLeast(limits[0]!, limit < 16 ? 0 : limit / 4)
          assert.isEmpty(events.filter((event) => event._tag === "CommitFailed"))
          const commits = yield* cluster.commits("group")
          assert.isAtMost(Math.max(...commits.map(({ metadata }) => metadata.length)), limit)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 0 })

          // What the metadata has room for is not repeated, the rest is, and nothing is lost.
          const again = yield* member({ drainTimeoutMs: 0 })
          const seen = new Set<bigint>()
          yield* Effect.forkChild(Stream.runForEach(again.batches, (batch) =>
            Effect.sync(() => {
              for (const { offset } of batch.records) seen.add(offset)
              batch.settleAll()
            })))
          yield* advance(20_000)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 4_000 })
          const repeated = settled.filter((offset) => seen.has(offset)).length
          assert.strictEqual(seen.size, 4_000 - settled.length + repeated)
          if (limit === 0) assert.strictEqual(repeated, settled.length)
          if (limit >= 100) assert.isBelow(repeated, settled.length)
        })))
  }

  it.effect("that is given up on its way is made all the same, also where nothing more is settled", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.apply(FaultPlan.delay("commit", "20 seconds"))
        const consumer = yield* member()
        const outcomes: Array<Option.Option<void>> = []
        yield* Effect.forkChild(Stream.runForEach(consumer.batches, (batch) =>
          Effect.map(Effect.timeoutOption(consumer.commit(batch), "1 second"), (outcome) =>
            void outcomes.push(outcome))))
        yield* advance(30_000)
        assert.deepStrictEqual(outcomes, [Option.none()])
        assert.strictEqual((yield* consumer.snapshot)[0]?.committed, 10n)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
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
