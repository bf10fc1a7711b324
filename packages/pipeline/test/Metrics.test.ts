import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, Log, start, uneven, until, withCluster } from "./fixtures.ts"

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

  it.effect("Effect's metrics have OpenTelemetry's names", () =>
    Effect.gen(function*() {
      yield* withCluster({ records: 20 }, () =>
        Effect.gen(function*() {
          const log = new Log()
          const { stop } = yield* start(
            Pipeline.make({ ...common, metricsInterval: "1 second", process: log.handler(uneven) })
          )
          yield* until(() => log.done.length === 20, "all are processed")
          yield* advance(1_100)
          yield* stop
        }))
      const found = yield* Metric.snapshot
      const one = (id: string) => found.find((metric) => metric.id === id)
      const consumed = one("messaging.client.consumed.messages")
      assert.deepInclude(consumed?.attributes, {
        "messaging.system": "kafka",
        "messaging.destination.name": "in",
        "messaging.consumer.group.name": "group"
      })
      assert.deepInclude(consumed?.state, { count: 20 })
      assert.isDefined(one("messaging.process.duration"))
      assert.deepInclude(one("kafka_consumer_group_topic_partition_lag")?.attributes, { partition_id: "0" })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map() as never)))
})
