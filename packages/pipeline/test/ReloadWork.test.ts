/** A changed row reaches the processing, the buffers and the measuring of a pipeline that runs. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigRows from "@weft/config/ConfigRows"
import { fromResolved, resolveAgain } from "@weft/config/AppliedConfig"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, Log, numbered, start, until, withCluster } from "./fixtures.ts"

const setRow = (columns: ConfigRows.Columns) => Effect.flatMap(ConfigRows.ConfigRows, (rows) => rows.set("s", columns))

describe("9 reload: what concerns the work", () => {
  it.effect("concurrency: the row before the program, in place, and the program again when the row leaves it out", () =>
    withCluster({ partitions: 2, records: 500, row: {} }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(
          Pipeline.make({ ...common, order: "none", concurrency: 2, process: log.handler(() => 20) })
        )
        yield* until(() => log.done.length >= 40, "some are done")
        assert.strictEqual(log.runningMax, 2)
        assert.deepStrictEqual((yield* running.configuration).provenance.concurrency, { value: 2, source: "code" })
        yield* setRow({ concurrency: 8 })
        yield* until(() => log.done.length >= 200, "more are done")
        assert.strictEqual(log.runningMax, 8)
        yield* setRow({ concurrency: 3 })
        yield* advance(100)
        log.runningMax = 0
        yield* until(() => log.done.length >= 300, "more are done")
        assert.strictEqual(log.runningMax, 3)
        yield* setRow({ concurrency: -4 })
        yield* advance(100)
        log.runningMax = 0
        yield* until(() => log.done.length === 500, "all are done")
        assert.strictEqual(log.runningMax, 2)
        assert.strictEqual(new Set(log.done.map(({ offset, partition }) => `${partition}@${offset}`)).size, 500)
        yield* stop
      })))

  it.effect("max_in_flight: no more are taken in than the row says", () =>
    withCluster({ partitions: 2, records: 400, row: { max_in_flight: 4 } }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(
          Pipeline.make({ ...common, order: "none", maxInFlight: 100, process: log.handler(() => 20) })
        )
        let most = 0
        const watching = (done: () => boolean) =>
          Effect.gen(function*() {
            while (!done()) {
              yield* advance(10)
              most = Math.max(most, (yield* running.totals).inFlight)
            }
          })
        yield* watching(() => log.done.length >= 40)
        assert.strictEqual(most, 4)
        yield* setRow({ max_in_flight: 12 })
        yield* watching(() => log.done.length >= 150)
        assert.strictEqual(most, 12)
        yield* stop
      })))

  it.effect("buffers: what waits in memory follows the row", () =>
    withCluster(
      { partitions: 1, records: 3_000, row: { max_poll_records: 5, queue_max_records: 20 } },
      () =>
        Effect.gen(function*() {
          const log = new Log()
          const { running, stop } = yield* start(Pipeline.make({ ...common, process: log.handler(() => 100) }))
          yield* advance(1_000)
          const settings = yield* running.consumer.settings
          assert.strictEqual(settings.queueMaxRecords, 20)
          yield* setRow({ max_poll_records: 5, queue_max_bytes: 4_096, buffer_max_bytes: 8_192 })
          yield* advance(100)
          assert.deepInclude(yield* running.consumer.settings, {
            queueMaxRecords: 250,
            queueMaxBytes: 4_096,
            bufferMaxBytes: 8_192
          })
          yield* stop
        })
    ))

  it.effect("metrics_interval_ms: a shorter interval counts at once", () => {
    const at: Array<number> = []
    const sink = Layer.succeed(MetricsSink.MetricsSink, {
      write: (measured: MetricsSink.Measurements) =>
        Effect.sync(() => void at.push(...measured.metrics.map(({ timestamp }) => Number(timestamp))))
    })
    return withCluster(
      { partitions: 1, records: 20, sink, row: { metrics_interval_ms: 600_000 } },
      () =>
        Effect.gen(function*() {
          const log = new Log()
          const { stop } = yield* start(
            Pipeline.make({ ...common, metricsInterval: "1 second", process: log.handler(() => 1) })
          )
          yield* until(() => log.done.length === 20, "all are done")
          yield* advance(60_000, 500)
          assert.deepStrictEqual(at, [])
          yield* setRow({ metrics_interval_ms: 2_000 })
          yield* advance(10_050)
          assert.isAtLeast(at.length, 5)
          assert.isAtMost(at.length, 6)
          yield* stop
        })
    )
  })

  it.effect("processing_order: what was taken in is done by the old order, what comes then by the new one", () =>
    withCluster(
      { partitions: 2, records: 200, keys: 5, row: { processing_order: "none" } },
      (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const slowFirst = (record: { readonly offset: bigint }) => Number(record.offset) % 5 === 0 ? 90 : 5
          const { stop } = yield* start(Pipeline.make({ ...common, process: log.handler(slowFirst) }))
          yield* until(() => log.done.length >= 50, "some are done")
          const unordered = log.offsetsOf(0)
          assert.notDeepEqual(unordered, unordered.map((_, i) => i))
          yield* setRow({ processing_order: "partition" })
          yield* until(() => log.done.length === 200, "all are done")
          yield* cluster.append("in", numbered(100, 2, 5))
          const from = log.done.length
          yield* until(() => log.done.length === 300, "the new ones are done")
          for (const partition of [0, 1]) {
            const ordered = log.done.slice(from).filter((seen) => seen.partition === partition).map(({ offset }) =>
              offset
            )
            assert.deepStrictEqual(ordered, ordered.toSorted((a, b) => a - b))
          }
          yield* stop
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 150, 1: 150 })
        })
    ))

  it.effect("processing_order: under load, no record begins by the new order before those of the old one are done", () =>
    withCluster(
      { partitions: 2, records: 6_000, keys: 9, row: { processing_order: "none" } },
      () =>
        Effect.gen(function*() {
          const log = new Log()
          const atOnce = [0, 0]
          const small = { max_poll_records: 10, concurrency: 16 }
          const changes = ["partition", "key", "none", "partition"] as const
          const most: Array<[number, number]> = []
          const { stop } = yield* start(Pipeline.make({
            ...common,
            process: (record) =>
              Effect.suspend(() => {
                atOnce[record.partition]!++
                return Effect.andThen(
                  log.handler((one) => Number(one.offset) % 7 === 0 ? 40 : 3)(record),
                  Effect.sync(() => void atOnce[record.partition]!--)
                )
              })
          }))
          for (const [i, order] of changes.entries()) {
            yield* until(() => log.done.length >= 100 * (i + 1), "some are done")
            yield* setRow({ ...small, processing_order: order })
            // At most the slowest record that was taken in by the old order.
            yield* advance(400)
            const seen: [number, number] = [0, 0]
            for (let step = 0; step < 50; step++) {
              yield* advance(10)
              for (const partition of [0, 1] as const) seen[partition] = Math.max(seen[partition], atOnce[partition]!)
            }
            most.push(seen)
          }
          assert.deepStrictEqual(most[0], [1, 1])
          assert.isAbove(Math.max(...most[1]!), 1)
          assert.deepStrictEqual(most[3], [1, 1])
          yield* until(() => log.done.length === 6_000, "all are done")
          assert.strictEqual(new Set(log.done.map(({ offset, partition }) => `${partition}@${offset}`)).size, 6_000)
          yield* stop
        })
    ))

  it.effect("settings of the program hold whatever the row says, and one that cannot hold falls back", () =>
    withCluster(
      { partitions: 2, records: 100, row: { max_poll_records: 50, concurrency: 9 } },
      () =>
        Effect.gen(function*() {
          const log = new Log()
          const { running, stop } = yield* start(
            Pipeline.make({
              ...common,
              order: "none",
              settings: { concurrency: 1, maxPollRecords: 0 },
              process: log.handler(() => 5)
            })
          )
          yield* until(() => log.done.length === 100, "all are done")
          assert.strictEqual(log.runningMax, 1)
          const resolved = yield* running.configuration
          assert.deepInclude(resolved.provenance.maxPollRecords, { value: 50, source: "row" })
          assert.isTrue(resolved.issues.some((issue) => issue._tag === "OutOfBounds" && issue.source === "code"))
          // What is stored of it tells others what another row would become here.
          const next = resolveAgain(fromResolved(resolved), "s", { _tag: "Row", columns: { concurrency: 4 } })
          assert.deepInclude(next.config, { concurrency: 1, processingOrder: "none", maxPollRecords: 100 })
          yield* stop
        })
    ))
})
