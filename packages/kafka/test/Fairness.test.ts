import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { make as topicPartition } from "../src/TopicPartition.ts"
import { advance, member, withCluster } from "./fixtures.ts"

const value = "x".repeat(400)
const records = (partition: number, count: number) => Array.from({ length: count }, () => ({ partition, value }))

describe("full buffers", () => {
  it.effect("that paused partitions keep full hold up no other", () =>
    withCluster({ partitions: 8 }, (cluster) =>
      Effect.gen(function*() {
        const limits = {
          queueMaxBytes: 4_000,
          maxPartitionFetchBytes: 2_000,
          fetchMaxBytes: 4_000,
          bufferMaxBytes: 12_000
        }
        const consumer = yield* member({ ...limits, maxPollRecords: 1, drainTimeoutMs: 0 })
        const seen = Array.from({ length: 8 }, () => 0)
        yield* consumer.batches.pipe(
          Stream.runForEach((batch) =>
            Effect.andThen(
              Effect.sleep(10),
              Effect.sync(() => {
                seen[batch.partition]! += batch.size
                batch.settleAll()
              })
            )
          ),
          Effect.forkChild
        )
        yield* advance(1_000)
        for (let partition = 0; partition < 8; partition++) yield* cluster.append("in", records(partition, 100))
        yield* advance(300)
        const paused = (yield* consumer.snapshot)
          .filter(({ queuedBytes }) => queuedBytes > 1_000)
          .map(({ partition }) => topicPartition("in", partition))
        assert.isNotEmpty(paused)
        yield* consumer.pause(paused)
        yield* advance(30_000)
        const others = seen.filter((_, partition) => !paused.some((one) => one.partition === partition))
        assert.deepStrictEqual(others, others.map(() => 100))
      })))

  it.effect("partitions that bring nothing do not keep those waiting that have something", () =>
    withCluster({ partitions: 12 }, (cluster) =>
      Effect.gen(function*() {
        const limits = {
          queueMaxBytes: 4_000,
          maxPartitionFetchBytes: 2_000,
          fetchMaxBytes: 4_000,
          bufferMaxBytes: 6_000
        }
        const consumer = yield* member({ ...limits, maxPollRecords: 1, drainTimeoutMs: 0 })
        const seen = Array.from({ length: 12 }, () => 0)
        yield* consumer.partitionedStream().pipe(
          Stream.flatMap(([{ partition }, records]) =>
            Stream.mapEffect(records, (record) =>
              // The first partition is slow for ever: it keeps a little in its queue.
              Effect.andThen(
                Effect.sleep(partition === 0 ? 3_600_000 : 10),
                Effect.sync(() => {
                  seen[partition]!++
                  record.offset.settle()
                })
              )), { concurrency: "unbounded" }),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* advance(1_000)
        yield* cluster.append("in", records(0, 4))
        yield* advance(1_000)
        for (let i = 0; i < 25; i++) yield* cluster.append("in", [{ partition: 11, value }, { partition: 10, value }])
        yield* advance(30_000)
        assert.deepStrictEqual(seen.slice(10), [25, 25])
      })))
})
