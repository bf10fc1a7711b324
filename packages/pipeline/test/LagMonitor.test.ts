/** Lag as a member measures it, in virtual time: what it is and what it means. */
import { assert, describe, it } from "@effect/vitest"
import { make as topicPartition } from "@weft/kafka/TopicPartition"
import * as FaultPlan from "@weft/testing/FaultPlan"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { PartitionLag } from "../src/LagMonitor.ts"
import type { PipelineRecord } from "../src/PipelineRecord.ts"
import * as Pipeline from "../src/Pipeline.ts"
import type { RunningPipeline } from "../src/RunningPipeline.ts"
import { advance, type Cluster, common, start, withCluster } from "./fixtures.ts"

/** Records with the times of their writing, in seconds before now. */
const written = (cluster: Cluster, partition: number, ages: ReadonlyArray<number>) =>
  Effect.flatMap(
    Clock.currentTimeMillis,
    (now) => cluster.append("in", ages.map((age) => ({ partition, value: "v", timestamp: now - age * 1_000 })))
  )

const byPartition = (lag: ReadonlyArray<PartitionLag>) =>
  lag.toSorted((a, b) => a.sample.partition - b.sample.partition)

const pipeline = (
  handle: (record: PipelineRecord<string, string>) => Effect.Effect<void>,
  more: Partial<Parameters<typeof Pipeline.make>[0]> = {}
) =>
  Pipeline.make({
    ...common,
    drainTimeout: "100 millis",
    metricsInterval: "1 second",
    process: (record) => handle(record as PipelineRecord<string, string>),
    ...more as object
  })

const statusAfter = (running: RunningPipeline["Service"], ms: number) =>
  Effect.andThen(advance(ms, 50), Effect.map(running.lag, (lag) => lag[0]!))

describe("the lag of a member", () => {
  it.effect("in seconds: exactly the age of the oldest record that is not settled, at every look", () =>
    withCluster({ partitions: 3 }, (cluster) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("10 hours")
        const now = yield* Clock.currentTimeMillis
        // The first keeps its third record, in the second the fourth ends before the third, the last is read to its end.
        yield* written(cluster, 0, [9_000, 8_000, 7_000, 6_000])
        yield* written(cluster, 1, [500, 400, 300.5, 200])
        yield* written(cluster, 2, [100, 90])
        const { running, stop } = yield* start(pipeline(({ offset, partition }) =>
          partition === 0 && offset === 2n
            ? Effect.never
            : partition === 1 && offset === 2n
            ? Effect.sleep("5 seconds")
            : Effect.void, { order: "none", concurrency: 8 }))
        for (let i = 0; i < 10; i++) {
          yield* advance(1_000)
          const [first, second, third] = byPartition(yield* running.lag).map(({ sample }) => sample)
          const seconds = (yield* Clock.currentTimeMillis) - now
          assert.deepInclude(first!, { lag: 2n, consumerOffset: 2n, endOffset: 4n })
          assert.strictEqual(first!.lagSeconds, 7_000 + (first!.timestamp - now) / 1_000)
          const isDone = seconds > 6_500
          if (seconds < 4_500) assert.strictEqual(second!.lagSeconds, 300.5 + (second!.timestamp - now) / 1_000)
          if (isDone) assert.deepInclude(second!, { lag: 0n, lagSeconds: 0 })
          assert.deepInclude(third!, { lag: 0n, lagSeconds: 0 })
        }
        yield* stop
      })))

  it.effect("timestamps of 0, -1, and of the future: the time since it was seen, and never less than 0", () =>
    withCluster({ partitions: 4 }, (cluster) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("10 hours")
        const { running, stop } = yield* start(pipeline(() => Effect.never))
        yield* advance(2_000)
        const at = yield* Clock.currentTimeMillis
        for (const [partition, timestamp] of [0, -1, at + 86_400_000, Number.MAX_SAFE_INTEGER].entries()) {
          yield* cluster.append("in", [{ partition, value: "v", timestamp }])
        }
        for (let i = 1; i <= 30; i++) {
          yield* advance(1_000)
          for (const { sample } of yield* running.lag) {
            const truth = (sample.timestamp - at) / 1_000
            assert.isAtLeast(sample.lagSeconds, truth)
            assert.isAtMost(sample.lagSeconds, truth + 1)
          }
        }
        yield* stop
      })))

  it.effect("stuck: a handler does not return", () =>
    withCluster({ records: 50 }, () =>
      Effect.gen(function*() {
        const { running, stop } = yield* start(pipeline(({ offset }) => offset === 3n ? Effect.never : Effect.void))
        const { sample, secondsToDrain, status } = yield* statusAfter(running, 20_000)
        assert.deepStrictEqual([status, sample.lag, secondsToDrain], ["stuck", 47n, undefined])
        yield* stop
      })))

  it.effect("slow: it takes less than what comes in, and its queue has room; with a full one it is back-pressured", () =>
    Effect.gen(function*() {
      for (const [queueMaxRecords, expected] of [[100_000, "slow"], [20, "back-pressured"]] as const) {
        yield* withCluster({ records: 100 }, (cluster) =>
          Effect.gen(function*() {
            const { running, stop } = yield* start(
              pipeline(() => Effect.sleep("100 millis"), {
                overrides: { ...common.overrides, queueMaxRecords, maxPollRecords: 10 }
              })
            )
            for (let i = 0; i < 20; i++) {
              yield* written(cluster, 0, Array.from({ length: 30 }, () => 0))
              yield* advance(1_000, 50)
            }
            const [{ rates, secondsToDrain, status }] = (yield* running.lag) as [PartitionLag]
            assert.strictEqual(status, expected)
            assert.closeTo(rates.consumedPerSecond, 10, 2)
            assert.closeTo(rates.producedPerSecond, 30, 4)
            assert.isUndefined(secondsToDrain)
            yield* stop
          }))
      }
    }))

  it.effect("ok while it catches up, with the time that it needs", () =>
    withCluster({ records: 1_000 }, () =>
      Effect.gen(function*() {
        const { running, stop } = yield* start(pipeline(() => Effect.sleep("100 millis")))
        const { sample, secondsToDrain, status } = yield* statusAfter(running, 20_000)
        assert.strictEqual(status, "ok")
        assert.closeTo(secondsToDrain!, Number(sample.lag) / 10, 5)
        yield* stop
      })))

  it.effect("paused by the program, and ok again", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        const { running, stop } = yield* start(pipeline(() => Effect.void))
        yield* advance(1_000, 50)
        yield* running.consumer.pause([topicPartition("in", 0)])
        yield* written(cluster, 0, [0, 0, 0])
        const paused = yield* statusAfter(running, 10_000)
        assert.deepStrictEqual([paused.status, paused.sample.lag], ["paused", 3n])
        // Nothing of it is held: the samples tell since when.
        assert.isAtLeast(paused.sample.lagSeconds, 8)
        yield* running.consumer.resume([topicPartition("in", 0)])
        assert.strictEqual((yield* statusAfter(running, 3_000)).status, "ok")
        yield* stop
      })))

  it.effect("stall: it holds the partition, and no records come in", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        const { running, stop } = yield* start(pipeline(() => Effect.void))
        yield* advance(1_000, 50)
        yield* cluster.apply(FaultPlan.delay("fetch", "10 minutes", { times: 1_000_000 }))
        yield* advance(1_000, 50)
        yield* written(cluster, 0, [0, 0, 0])
        assert.strictEqual((yield* statusAfter(running, 15_000)).status, "stall")
        yield* stop
      })))
})
