import { assert, describe, it } from "@effect/vitest"
import { ConfigRows } from "@weft/config/ConfigRows"
import * as Codec from "@weft/kafka/Codec"
import * as Subscription from "@weft/kafka/Subscription"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { RunningPipeline } from "../src/RunningPipeline.ts"
import { advance, committedOf, common, Log, start, uneven, until, withCluster } from "./fixtures.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

describe("Pipeline", () => {
  it.effect("2 order: by partition, each record after the one before it, partitions side by side", () =>
    withCluster({ partitions: 3, records: 150 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({ ...common, process: log.handler(uneven) }))
        yield* until(() => log.done.length === 150, "all are processed")
        for (let partition = 0; partition < 3; partition++) {
          assert.deepStrictEqual(log.offsetsOf(partition), range(50))
        }
        assert.strictEqual(log.runningMax, 3)
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 50, 1: 50, 2: 50 })
        assert.deepInclude(yield* running.totals, { processed: 150, failures: 0, inFlight: 0 })
        yield* stop
      })))

  it.effect("2 order: by partition, with fewer workers than partitions each has its turn", () =>
    withCluster({ partitions: 6, records: 300 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(
          Pipeline.make({ ...common, concurrency: 2, process: log.handler(() => 10) })
        )
        yield* until(() => log.done.length >= 250, "most are processed")
        assert.strictEqual(log.runningMax, 2)
        // A turn is at most a batch, so nobody was left out.
        for (let partition = 0; partition < 6; partition++) assert.isAbove(log.offsetsOf(partition).length, 0)
        yield* until(() => log.done.length === 300, "all are processed")
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 50, 1: 50, 2: 50, 3: 50, 4: 50, 5: 50 })
        yield* stop
      })))

  it.effect("2 order: without any, a slow record holds up nobody and the commit all the same", () =>
    withCluster({ records: 100 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(
          Pipeline.make({
            ...common,
            order: "none",
            concurrency: 4,
            process: log.handler((record) => record.offset === 5n ? 60_000 : uneven(record))
          })
        )
        yield* until(() => log.done.length === 99, "all others are processed")
        assert.strictEqual(log.runningMax, 4)
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 5 })
        yield* until(() => log.done.length === 100, "the slow one is processed")
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100 })
        yield* stop
      })))

  it.effect("2 order: by key, a slow key holds back only itself", () =>
    withCluster({ records: 140, keys: 7 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(
          Pipeline.make({
            ...common,
            order: "key",
            concurrency: 3,
            process: log.handler((record) => record.key === "k2" ? 5_000 : uneven(record))
          })
        )
        yield* until(() => log.done.filter(({ key }) => key !== "k2").length === 120, "all other keys are done", 60_000)
        assert.isBelow(log.done.filter(({ key }) => key === "k2").length, 10)
        yield* until(() => log.done.length === 140, "the slow key is done", 200_000)
        for (let key = 0; key < 7; key++) {
          const offsets = log.done.filter((seen) => seen.key === `k${key}`).map(({ offset }) => offset)
          assert.deepStrictEqual(offsets, range(20).map((i) => i * 7 + key))
        }
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 140 })
        yield* stop
      })))

  it.effect("2 order: records without a key wait for none, and none for them", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", range(10).map((i) => ({ value: String(i) })))
        const log = new Log()
        const { stop } = yield* start(
          Pipeline.make({
            ...common,
            order: "key",
            process: log.handler((record) => record.offset === 0n ? 1_000 : 10)
          })
        )
        yield* until(() => log.done.length === 9, "the others are done", 500)
        assert.notInclude(log.offsetsOf(0), 0)
        yield* until(() => log.done.length === 10, "all are done")
        yield* stop
      })))

  for (const order of ["key", "none"] as const) {
    it.effect(`3 bounded memory: with order ${order} at most max_in_flight records are taken and not settled`, () =>
      withCluster({ partitions: 4, records: 400 }, () =>
        Effect.gen(function*() {
          const log = new Log()
          const { running, stop } = yield* start(
            Pipeline.make({ ...common, order, concurrency: 5, maxInFlight: 30, process: log.handler(uneven) })
          )
          let most = 0
          yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
            most = Math.max(most, (yield* running.totals).inFlight)
            yield* Effect.sleep(1)
          })))
          yield* until(() => log.done.length === 400, "all are done")
          assert.isAtMost(most, 30)
          assert.isAtLeast(most, 15)
          assert.strictEqual(log.runningMax, 5)
          yield* stop
        })))
  }

  it.effect("3 bounded memory: a partition whose records hang takes no more than its share", () =>
    withCluster({ partitions: 2, records: 200 }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(
          Pipeline.make({
            ...common,
            order: "key",
            concurrency: 20,
            maxInFlight: 16,
            drainTimeout: "1 second",
            process: log.handler((record) => record.partition === 0 ? 1_000_000 : 5)
          })
        )
        yield* until(() => log.offsetsOf(1).length === 100, "the other partition is done", 10_000)
        assert.isAtMost((yield* running.totals).inFlight, 8)
        yield* stop
      })))

  it.effect("reads several topics, and by pattern", () =>
    withCluster({ records: 5 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in.b")
        yield* cluster.append("in.b", range(5).map((i) => ({ key: "k", value: String(i) })))
        const topics: Array<string> = []
        const { running, stop } = yield* start(Pipeline.make({
          service: "s",
          subscription: Subscription.pattern(/in.*/),
          overrides: common.overrides,
          value: Codec.string,
          process: (record) =>
            Effect.sync(() => {
              topics.push(record.topic)
            })
        }))
        yield* until(() => topics.length === 10, "both are read")
        assert.sameMembers([...new Set(topics)], ["in", "in.b"])
        assert.strictEqual((yield* running.totals).processed, 10)
        yield* stop
      })))

  it.effect("9 reload: a changed row reaches the running pipeline, and nothing is lost or repeated by it", () =>
    withCluster({ partitions: 2, records: 600, row: { max_poll_records: 10 } }, (cluster) =>
      Effect.gen(function*() {
        const sizes: Array<number> = []
        const offsets = new Set<string>()
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          batch: { window: "20 millis" },
          processBatch: (records) => {
            sizes.push(records.length)
            for (const record of records) offsets.add(`${record.partition}-${record.offset}`)
            return Effect.sleep(uneven(records[0]))
          }
        }))
        yield* until(() => sizes.length >= 10, "some batches are done")
        assert.strictEqual(Math.max(...sizes), 10)
        const { rows } = yield* ConfigRows
        yield* SubscriptionRef.update(rows, (all) =>
          new Map([...all, ["s", {
            _tag: "Row" as const,
            columns: { max_poll_records: 50, session_timeout_ms: 45_000 }
          }]]))
        yield* until(() => sizes.includes(50), "batches are larger")
        assert.strictEqual((yield* running.configuration).config.maxPollRecords, 50)
        assert.strictEqual((yield* running.consumer.settings).sessionTimeoutMs, 45_000)
        yield* until(() => offsets.size === 600, "all are done")
        assert.strictEqual(sizes.reduce((a, b) => a + b), 600)
        yield* advance(500)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 300, 1: 300 })
        yield* stop
      })))

  it.effect("9 reload: what needs a new start stays as it is, the rest of the row holds", () =>
    withCluster(
      { records: 10, row: { consumer_group_id: "first", auto_offset_reset: "earliest" } },
      (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const { running, stop } = yield* start(Pipeline.make({
            ...common,
            overrides: { heartbeatIntervalMs: 1_000, fetchMaxWaitMs: 50 },
            process: log.handler(uneven)
          }))
          yield* until(() => log.done.length === 10, "all are done")
          const { rows } = yield* ConfigRows
          const columns = { consumer_group_id: "second", auto_offset_reset: "latest", max_poll_records: 7 }
          yield* SubscriptionRef.update(rows, (all) => new Map([...all, ["s", { _tag: "Row" as const, columns }]]))
          yield* advance(500)
          assert.deepInclude((yield* running.configuration).config, {
            consumerGroupId: "first",
            autoOffsetReset: "earliest",
            maxPollRecords: 7
          })
          assert.deepInclude(yield* running.consumer.settings, { groupId: "first", maxPollRecords: 7 })
          yield* stop
          assert.deepStrictEqual(yield* committedOf(cluster, "first"), { 0: 10 })
          assert.deepStrictEqual(yield* committedOf(cluster, "second"), {})
        })
    ))

  it.effect("concurrency and the in-flight bound can be changed while it runs", () =>
    withCluster({ partitions: 2, records: 400 }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(
          Pipeline.make({ ...common, order: "none", concurrency: 2, process: log.handler(() => 20) })
        )
        yield* until(() => log.done.length >= 50, "some are done")
        assert.strictEqual(log.runningMax, 2)
        yield* running.tune({ concurrency: 8 })
        yield* until(() => log.done.length >= 200, "more are done")
        assert.strictEqual(log.runningMax, 8)
        yield* running.tune({ concurrency: 1 })
        yield* advance(100)
        log.runningMax = 0
        yield* until(() => log.done.length === 400, "all are done")
        assert.strictEqual(log.runningMax, 1)
        yield* stop
      })))

  it.effect("7 failure is typed: run fails with what a person must mend", () =>
    withCluster({}, () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.result(Pipeline.run(
          Pipeline.make({ ...common, topics: ["nowhere"], process: () => Effect.void })
        )))
        yield* until(() => fiber.pollUnsafe() !== undefined, "it has failed")
        const result = yield* Fiber.join(fiber)
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "UnknownTopicError")
      })))

  it.effect("7 failure is typed: launch ends when a pipeline in the layer fails, after the services it uses", () =>
    withCluster({ records: 10 }, () =>
      Effect.gen(function*() {
        class Service extends Context.Service<Service, { readonly open: Ref.Ref<boolean> }>()("Service") {}
        const open = yield* Ref.make(true)
        const seen: Array<boolean> = []
        const layer = Pipeline.layer(Pipeline.make({
          ...common,
          process: Effect.fnUntraced(function*(record) {
            const service = yield* Service
            yield* Effect.sleep(100)
            seen.push(yield* Ref.get(service.open))
            if (record.offset === 4n) return yield* Effect.fail({ _tag: "Broken" as const })
          }),
          onFailure: { Broken: FailurePolicy.halt }
        })).pipe(
          Layer.provide(Layer.effect(
            Service,
            Effect.acquireRelease(Effect.succeed({ open }), () => Ref.set(open, false))
          ))
        )
        const fiber = yield* Effect.forkChild(Effect.result(Pipeline.launch(layer)))
        yield* until(() => fiber.pollUnsafe() !== undefined, "it has ended")
        const result = yield* Fiber.join(fiber)
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) {
          assert.strictEqual(result.failure._tag, "HaltedError")
          assert.include(result.failure.message, "in-0@4")
        }
        assert.deepStrictEqual(seen, [true, true, true, true, true])
        assert.isFalse(yield* Ref.get(open))
      })))

  it.effect("a layer gives the running pipeline; health follows the group", () =>
    withCluster({ records: 1 }, (cluster) =>
      Effect.gen(function*() {
        const pipeline = Pipeline.make({ ...common, process: () => Effect.void })
        yield* Effect.gen(function*() {
          const running = yield* RunningPipeline
          assert.deepInclude(yield* running.health, { started: false, ready: false, live: true })
          yield* advance(100)
          assert.deepInclude(yield* running.health, { started: true, ready: true, live: true, stalled: [] })
          yield* cluster.crash({})
          yield* advance(20)
          assert.deepInclude(yield* running.health, { started: true, ready: false, live: true })
          // The coordinator waits for the crashed member until its session expires.
          yield* advance(65_000, 200)
          assert.deepInclude(yield* running.health, { ready: true })
          yield* running.shutdown
          assert.deepInclude(yield* running.health, { ready: false, live: true })
        }).pipe(Effect.provide(Pipeline.layer(pipeline)))
      })))
})
