import { assert, describe, it } from "@effect/vitest"
import * as FaultPlan from "@weft/testing/FaultPlan"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as EventLoopDelay from "../src/EventLoopDelay.ts"
import * as Histogram from "../src/Histogram.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, Log, overrides, start, uneven, until, withCluster } from "./fixtures.ts"

/** A sink that keeps what it is given, and can be away or never answer. */
const collecting = () => {
  const state = { written: [] as Array<MetricsSink.Measurements>, mode: "ok" as "ok" | "away" | "silent", attempts: 0 }
  const layer = Layer.succeed(MetricsSink.MetricsSink, {
    write: (measurements) =>
      Effect.suspend(() => {
        state.attempts++
        if (state.mode === "away") return Effect.fail(new MetricsSink.MetricsSinkError({ cause: "away" }))
        if (state.mode === "silent") return Effect.never
        state.written.push(measurements)
        return Effect.void
      })
  })
  return { state, layer }
}

describe("metrics", () => {
  it.effect("one write per interval with the measurements of all topics and partitions", () => {
    const { layer, state } = collecting()
    return withCluster({ partitions: 2, records: 100, sink: layer }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          metricsInterval: "5 seconds",
          process: log.handler((record) => record.offset % 10n === 0n ? 200 : 20)
        }))
        yield* until(() => log.done.length === 100, "all are processed")
        yield* advance(5_100)
        assert.lengthOf(state.written, 1)
        const { lag, metrics } = state.written[0]!
        assert.lengthOf(metrics, 1)
        assert.deepInclude(metrics[0], {
          service: "s",
          topic: "in",
          intervalMs: 5_000,
          messagesProcessed: 100,
          messagesPerSecond: 20,
          retries: 0,
          deadLetters: 0
        })
        assert.closeTo(metrics[0]!.processingTimeMs, 38, 0.5)
        assert.closeTo(metrics[0]!.processingTimeP50Ms, 20, 1.5)
        assert.closeTo(metrics[0]!.processingTimeP99Ms, 200, 13)
        assert.isAbove(metrics[0]!.bytes, 100)
        assert.isAbove(metrics[0]!.memoryUsageMb, 1)
        assert.notStrictEqual(metrics[0]!.member, "")
        assert.deepStrictEqual(
          lag.map(({ consumerOffset, endOffset, lag, lagSeconds, partition }) => [
            partition,
            consumerOffset,
            endOffset,
            lag,
            lagSeconds
          ]),
          [[0, 50n, 50n, 0n, 0], [1, 50n, 50n, 0n, 0]]
        )
        yield* advance(5_000)
        assert.lengthOf(state.written, 2)
        assert.strictEqual(state.written[1]!.metrics[0]!.messagesProcessed, 0)
        yield* stop
        assert.lengthOf(state.written, 3)
      }))
  })

  it.effect("lag in records and in seconds is that of the oldest record that is not settled", () => {
    const { layer, state } = collecting()
    return withCluster({ sink: layer }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          drainTimeout: "1 second",
          metricsInterval: "1 second",
          process: log.handler((record) => record.offset === 2n ? 1_000_000 : 1)
        }))
        yield* advance(2_500)
        yield* cluster.append("in", Array.from({ length: 10 }, (_, i) => ({ value: String(i) })))
        yield* advance(3_600)
        const last = state.written.at(-1)!.lag[0]!
        assert.deepInclude(last, { lag: 8n, consumerOffset: 2n, endOffset: 10n })
        assert.closeTo(last.lagSeconds, 3.5, 0.1)
        assert.strictEqual((yield* running.lag)[0]!.status, "ok")
        yield* advance(12_000, 100)
        assert.strictEqual((yield* running.lag)[0]!.status, "stuck")
        yield* stop
      }))
  })

  for (const mode of ["away", "silent"] as const) {
    it.effect(`10 metrics never stop a consumer: a sink that is ${mode} costs nothing, and gets all of it later`, () => {
      const { layer, state } = collecting()
      state.mode = mode
      return withCluster({ partitions: 2, records: 400, sink: layer }, (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const { stop } = yield* start(
            Pipeline.make({ ...common, metricsInterval: "1 second", process: log.handler(uneven) })
          )
          yield* until(() => log.done.length === 400, "all are processed")
          yield* advance(100)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 200, 1: 200 })
          assert.isEmpty(state.written)
          assert.isAbove(state.attempts, 0)
          state.mode = "ok"
          yield* advance(35_000, 100)
          const metrics = state.written.flatMap((measurements) => measurements.metrics)
          assert.strictEqual(metrics.reduce((sum, { messagesProcessed }) => sum + messagesProcessed, 0), 400)
          const timestamps = metrics.map(({ timestamp }) => timestamp)
          assert.deepStrictEqual(timestamps, timestamps.toSorted((a, b) => a - b))
          assert.strictEqual(new Set(timestamps).size, timestamps.length)
          yield* stop
        }))
    })
  }

  it.effect("without metrics: totals are counted, and nothing is timed or told", () => {
    const { layer, state } = collecting()
    return withCluster({ records: 10, sink: layer }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(
          Pipeline.make({ ...common, metrics: "none", metricsInterval: "1 second", process: log.handler(uneven) })
        )
        yield* until(() => log.done.length === 10, "all are processed")
        yield* advance(3_000)
        assert.deepInclude(yield* running.totals, { processed: 10 })
        yield* stop
        assert.isEmpty(state.written)
        const told = (yield* Metric.snapshot).map(({ id }) => id)
        assert.isEmpty(told.filter((id) => !id.startsWith("weft_config_")))
      })).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  })

  it.effect("6 shutdown: a sink that is away does not hold it up", () => {
    const { layer, state } = collecting()
    state.mode = "silent"
    return withCluster({ records: 10, sink: layer }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({ ...common, process: log.handler(uneven) }))
        yield* until(() => log.done.length === 10, "all are processed")
        const closing = yield* Effect.forkChild(stop)
        yield* advance(6_000, 50)
        assert.isDefined(closing.pollUnsafe())
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
      }))
  })

  it.effect("a member tells what it holds, what is at work, and what is not committed", () => {
    const { layer, state } = collecting()
    return withCluster({ partitions: 2, records: 600, sink: layer }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          overrides: { ...overrides, maxPollRecords: 10, enableAutoCommit: true, autoCommitIntervalMs: 60_000 },
          drainTimeout: "1 second",
          metricsInterval: "1 second",
          process: log.handler((record) => record.partition === 0 && record.offset === 5n ? 1_000_000 : 1)
        }))
        yield* until(() => log.done.length === 305, "all but those behind the slow one are processed")
        const { length } = state.written
        yield* until(() => state.written.length >= length + 3, "it was measured again")
        const { member, ...measured } = state.written.at(-1)!.members[0]!
        assert.strictEqual(member, state.written.at(-1)!.lag[0]!.member)
        assert.deepInclude(measured, {
          service: "s",
          group: "group",
          intervalMs: 1_000,
          partitions: 2,
          pausedPartitions: 0,
          queuedRecords: 275,
          inFlight: 20,
          uncommittedRecords: 305,
          rebalances: 0,
          lost: 0,
          crashes: 0,
          stalls: 0,
          lateCompletions: 0,
          eventLoopDelayMs: 40
        })
        assert.isAbove(measured.queuedBytes, 280)
        assert.isAbove(measured.heapUsedMb, 1)
        assert.isAtLeast(measured.memoryUsageMb, measured.heapUsedMb)
        // The slow one was begun within the first hundred milliseconds.
        const now = yield* Clock.currentTimeMillis
        assert.closeTo(measured.oldestInFlightMs, now, 100)
        yield* stop
      })).pipe(Effect.provide(EventLoopDelay.layerTest(Effect.succeed(40))))
  })

  it.effect("batches, partitions and keys: how full, and how evenly loaded", () => {
    const { layer, state } = collecting()
    return withCluster({ partitions: 3, sink: layer }, (cluster) =>
      Effect.gen(function*() {
        const records = Array.from({ length: 100 }, (_, i) => ({
          partition: i < 70 ? 0 : 1,
          key: i % 10 < 4 ? "hot" : `key ${i}`,
          value: String(i)
        }))
        yield* cluster.append("in", records)
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          overrides: { ...overrides, maxPollRecords: 30 },
          metricsInterval: "5 seconds",
          order: "key",
          process: log.handler(() => 1)
        }))
        yield* until(() => log.done.length === 100, "all are processed")
        yield* advance(5_000)
        const measured = state.written[0]!.metrics[0]!
        assert.deepInclude(measured, { partitions: 2, busiestPartitionRecords: 70, batches: 4, fullBatches: 3 })
        assert.isAtMost(measured.busiestKeyRecords!, 40)
        assert.isAtLeast(measured.busiestKeyRecords!, 40 - 100 / 65)
        assert.strictEqual(Histogram.count(measured.durations), 100)
        assert.strictEqual(Histogram.quantile(measured.durations, 0.99), measured.processingTimeP99Ms)
        yield* advance(5_000)
        assert.deepInclude(state.written[1]!.metrics[0], {
          partitions: 0,
          busiestPartitionRecords: 0,
          batches: 0,
          durations: []
        })
        assert.isUndefined(state.written[1]!.metrics[0]!.busiestKeyRecords)
        yield* stop
      }))
  })

  it.effect("a batch that fills, and one whose window is over", () => {
    const { layer, state } = collecting()
    return withCluster({ records: 25, sink: layer }, () =>
      Effect.gen(function*() {
        let processed = 0
        const { stop } = yield* start(Pipeline.make({
          ...common,
          metricsInterval: "5 seconds",
          batch: { size: 10 },
          processBatch: (records) =>
            Effect.sync(() => {
              processed += records.length
            })
        }))
        yield* until(() => processed === 25, "all are processed")
        yield* advance(5_000)
        assert.deepInclude(state.written[0]!.metrics[0], { batches: 3, fullBatches: 2, busiestKeyRecords: undefined })
        yield* stop
      }))
  })

  it.effect("commits, rebalances and losses are counted once, whoever joins, crashes and comes again", () => {
    const { layer, state } = collecting()
    return withCluster({ partitions: 2, records: 4_000, sink: layer }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.apply(FaultPlan.delay("commit", 250, { times: 1_000 }))
        const log = new Log()
        const pipeline = Pipeline.make({
          ...common,
          overrides: {
            ...overrides,
            maxPollRecords: 20,
            enableAutoCommit: true,
            autoCommitIntervalMs: 500,
            sessionTimeoutMs: 6_000
          },
          metricsInterval: "1 second",
          process: log.handler(() => 20)
        })
        const first = yield* start(pipeline)
        yield* advance(3_500)
        const second = yield* start(pipeline)
        yield* advance(3_500)
        yield* cluster.crash({ groupId: "group" })
        yield* advance(12_000)
        yield* first.stop
        const distinct = () => new Set(log.done.map(({ offset, partition }) => `${partition} ${offset}`)).size
        yield* until(() => distinct() === 4_000, "all are processed", 120_000, 100)
        yield* second.stop
        const members = state.written.flatMap(({ members }) => members)
        const metrics = state.written.flatMap(({ metrics }) => metrics)
        const sum = (of: (one: MetricsSink.MemberMetrics) => number) =>
          members.reduce((total, one) => total + of(one), 0)
        const keys = members.map(({ member, timestamp }) => `${member} ${timestamp}`)
        assert.strictEqual(new Set(keys).size, keys.length)
        assert.isFalse(keys.some((key) => key.startsWith(" ")))
        // Each run of the handler is counted once: as settled, or as too late where its partition was given up meanwhile.
        const processed = metrics.reduce((total, { messagesProcessed }) => total + messagesProcessed, 0)
        const late = sum(({ lateCompletions }) => lateCompletions)
        assert.strictEqual(processed + late, log.done.length)
        assert.isAtLeast(processed, 4_000)
        assert.isAbove(late, 0)
        // A commit of several partitions is one.
        const commits = new Set((yield* cluster.commits("group")).map(({ at, memberId }) => `${memberId} ${at}`))
        assert.strictEqual(sum(({ commits }) => commits), commits.size)
        for (const one of members.filter(({ commits }) => commits > 0)) {
          assert.closeTo(one.commitMeanMs, 250, 1)
          assert.closeTo(one.commitP99Ms, 250, 17)
        }
        assert.strictEqual(sum(({ crashes }) => crashes), 2)
        assert.isAtLeast(sum(({ rebalances }) => rebalances), 4)
        assert.isAbove(sum(({ lost }) => lost), 0)
      }))
  })

  it.effect("Effect's metrics have OpenTelemetry's names; what a member held is not shown after its end", () =>
    Effect.gen(function*() {
      const snapshot = Effect.map(
        Metric.snapshot,
        (found) => (id: string, attributes: Readonly<Record<string, string>> = {}) =>
          found.find((metric) =>
            metric.id === id &&
            Object.entries(attributes).every(([name, value]) => metric.attributes?.[name] === value)
          )
      )
      yield* withCluster({ records: 20 }, () =>
        Effect.gen(function*() {
          const log = new Log()
          const { stop } = yield* start(
            Pipeline.make({
              ...common,
              overrides: { ...overrides, enableAutoCommit: true, autoCommitIntervalMs: 5_000 },
              metricsInterval: "1 second",
              process: log.handler(uneven)
            })
          )
          yield* until(() => log.done.length === 20, "all are processed")
          yield* advance(6_000)
          const during = yield* snapshot
          const consumed = during("messaging.client.consumed.messages")
          assert.deepInclude(consumed?.attributes, {
            "messaging.system": "kafka",
            "messaging.destination.name": "in",
            "messaging.consumer.group.name": "group"
          })
          assert.deepInclude(consumed?.state, { count: 20 })
          assert.deepInclude(during("weft.pipeline.processing_time")?.state, { count: 20 })
          assert.isDefined(during("messaging.process.duration"))
          assert.deepInclude(during("kafka_consumer_group_topic_partition_lag")?.attributes, { partition_id: "0" })
          assert.deepInclude(during("weft.consumer.partitions", { "messaging.client.id": "s" })?.state, { value: 1 })
          assert.deepInclude(
            during("messaging.client.operation.duration", { "messaging.operation.name": "commit" })?.state,
            { count: 1 }
          )
          yield* stop
        }))
      const after = yield* snapshot
      assert.isUndefined(after("kafka_consumer_group_topic_partition_lag"))
      assert.isUndefined(after("weft.consumer.partitions"))
      assert.deepInclude(after("weft.pipeline.processing_time")?.state, { count: 20 })
      assert.deepInclude(after("weft.consumer.rebalances")?.state, { count: 0 })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map() as never)))

  it.effect("the lag of a partition that another member has now is shown by that one alone", () =>
    Effect.gen(function*() {
      yield* withCluster({ partitions: 4, records: 40 }, () =>
        Effect.gen(function*() {
          const shown = (registry: Metric.MetricRegistry) =>
            [...registry.values()].flatMap(({ attributes, id }) =>
              id === "kafka_consumer_group_topic_partition_lag" ? [attributes!["partition_id"]] : []
            )
          const registries: ReadonlyArray<Metric.MetricRegistry> = [new Map(), new Map()]
          const log = new Log()
          const pipeline = Pipeline.make({ ...common, metricsInterval: "1 second", process: log.handler(uneven) })
          const first = yield* Effect.provideService(start(pipeline), Metric.MetricRegistry, registries[0]!)
          yield* advance(2_500)
          assert.sameMembers(shown(registries[0]!), ["0", "1", "2", "3"])
          const second = yield* Effect.provideService(start(pipeline), Metric.MetricRegistry, registries[1]!)
          yield* advance(5_000)
          assert.lengthOf(shown(registries[0]!), 2)
          assert.sameMembers(registries.flatMap(shown), ["0", "1", "2", "3"])
          yield* first.stop
          yield* second.stop
        }))
    }))
})
