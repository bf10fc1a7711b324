import { assert, describe, it } from "@effect/vitest"
import { make as topicPartition } from "@weft/kafka/TopicPartition"
import * as FaultPlan from "@weft/testing/FaultPlan"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import type { Order } from "../src/PipelineOptions.ts"
import { advance, committedOf, common, dlqOf, Log, start, uneven, until, withCluster } from "./fixtures.ts"

class Flaky extends Data.TaggedError("Flaky")<{}> {}

const keyOf = ({ offset, partition }: { readonly partition: number; readonly offset: number }) =>
  `${partition}@${offset}`

const assertEachOnce = (log: Log, records: number) => {
  const counts = new Map<string, number>()
  for (const seen of log.done) counts.set(keyOf(seen), (counts.get(keyOf(seen)) ?? 0) + 1)
  assert.strictEqual(counts.size, records, "nothing is lost")
  assert.deepStrictEqual([...counts].filter(([, count]) => count > 1), [], "nothing is repeated")
}

const member = (log: Log, name: string, options: { readonly order: Order; readonly concurrency?: number }) =>
  Pipeline.make({
    ...common,
    ...options,
    process: log.handler(uneven, () => Effect.void, name),
    overrides: { ...common.overrides, clientId: name }
  })

describe("shutdown and rebalance", () => {
  for (const order of ["partition", "key", "none"] as const) {
    it.effect(`6 shutdown: interrupted in the middle of its work (order ${order}), it drains, commits and leaves`, () =>
      withCluster({ partitions: 3, records: 300 }, (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const fiber = yield* Effect.forkChild(Pipeline.run(member(log, "a", { order, concurrency: 8 })))
          yield* until(() => log.done.length >= 60, "it works")
          assert.isAbove(log.running, 0)
          const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
          yield* until(() => stopping.pollUnsafe() !== undefined, "it has stopped", 10_000)
          assert.strictEqual(log.running, 0)
          assert.strictEqual(log.begun.length, log.done.length)
          assert.isBelow(log.done.length, 300)
          assert.isEmpty((yield* cluster.group("group")).members)
          const committed = yield* committedOf(cluster)
          for (const partition of [0, 1, 2]) {
            const done = new Set(log.offsetsOf(partition))
            for (let offset = 0; offset < (committed[partition] ?? 0); offset++) assert.isTrue(done.has(offset))
          }
          const { stop } = yield* start(member(log, "b", { order, concurrency: 8 }))
          yield* until(() => log.done.length >= 300, "the next member does the rest")
          yield* stop
          assertEachOnce(log, 300)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100, 1: 100, 2: 100 })
        })))

    it.effect(`4 rebalance: members come and go (order ${order}); nothing is lost, nothing is repeated`, () =>
      withCluster({ partitions: 6, records: 1_200 }, (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const a = yield* start(member(log, "a", { order, concurrency: 6 }))
          yield* until(() => log.done.length >= 100, "the first member works")
          const b = yield* start(member(log, "b", { order, concurrency: 6 }))
          yield* until(() => log.done.filter((seen) => seen.member === "b").length >= 100, "the second one, too")
          const c = yield* start(member(log, "c", { order, concurrency: 6 }))
          yield* until(() => log.done.filter((seen) => seen.member === "c").length >= 50, "and the third")
          yield* a.stop
          yield* until(() => log.done.length >= 1_200, "all is done")
          yield* b.stop
          yield* c.stop
          assertEachOnce(log, 1_200)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 200, 1: 200, 2: 200, 3: 200, 4: 200, 5: 200 })
          if (order === "partition") {
            for (let partition = 0; partition < 6; partition++) {
              assert.deepStrictEqual(log.offsetsOf(partition), Array.from({ length: 200 }, (_, i) => i))
            }
          }
        })))
  }

  it.effect("6 shutdown: what is not finished by the deadline is not committed and comes again", () =>
    withCluster({ records: 5 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          order: "none",
          drainTimeout: "2 seconds",
          process: log.handler((record) => record.offset === 2n ? 1_000_000 : 10)
        }))
        yield* until(() => log.done.length === 4, "the others are done")
        yield* stop
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 2 })
        const again = new Log()
        const next = yield* start(Pipeline.make({ ...common, process: again.handler(() => 10) }))
        yield* advance(1_000)
        assert.deepStrictEqual(again.offsetsOf(0), [2])
        yield* next.stop
      })))

  it.effect("6 shutdown: a handler that cannot be interrupted does not hold it up for ever", () =>
    withCluster({ records: 1 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          drainTimeout: "2 seconds",
          process: (record) => Effect.uninterruptible(log.handler(() => 10_000_000)(record))
        }))
        yield* until(() => log.begun.length === 1, "it has begun")
        yield* stop
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        assert.isEmpty((yield* cluster.group("group")).members)
      })))

  it.effect("4 rebalance: a record that waits for its next attempt does not hold it up, and goes to the new owner", () =>
    withCluster({ partitions: 1, records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          retry: Schedule.spaced("1 hour"),
          process: log.handler(() => 10, (record) => record.offset === 1n ? Effect.fail(new Flaky()) : Effect.void)
        }))
        yield* until(() => log.begun.length === 2, "the second one has failed")
        yield* advance(100)
        const before = log.done.length
        const closing = yield* Effect.forkChild(stop)
        yield* advance(200)
        assert.isDefined(closing.pollUnsafe())
        assert.strictEqual(before, 1)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 1 })
      })))

  it.effect("4 rebalance: a dead letter on its way that fails does not hold it up, and is not committed", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in.dlq")
        yield* cluster.apply(FaultPlan.fail("produce", "NOT_ENOUGH_REPLICAS", { times: 1e9 }))
        const log = new Log()
        const failing = Pipeline.make({
          ...common,
          process: log.handler(() => 10, (record) => record.offset === 0n ? Effect.fail(new Flaky()) : Effect.void),
          onFailure: { Flaky: FailurePolicy.deadLetter }
        })
        const first = yield* start(failing)
        yield* advance(20_000, 50)
        yield* first.stop
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        yield* cluster.clearFaults
        const second = yield* start(failing)
        yield* until(() => log.done.length === 2, "the others are done")
        yield* advance(100)
        assert.lengthOf(yield* dlqOf(cluster), 1)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 3 })
        yield* second.stop
      })))

  it.effect("4 rebalance: after a lost session nothing of the old assignment is committed, and all is done in the end", () =>
    withCluster({ partitions: 2, records: 200 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const a = yield* start(member(log, "a", { order: "key", concurrency: 4 }))
        yield* until(() => log.done.length >= 30, "it works")
        yield* cluster.expireSession({ clientId: "a" })
        yield* until(() => new Set(log.done.map(keyOf)).size === 200, "all is done")
        yield* advance(500)
        yield* a.stop
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100, 1: 100 })
        const repeated = log.done.length - 200
        assert.isAtMost(repeated, 256, "only what was in flight or not committed")
      })))

  it.effect("a seek while records are in flight: what was taken before it is forgotten, what comes after it processed", () =>
    withCluster({ records: 50 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(member(log, "a", { order: "key", concurrency: 4 }))
        yield* until(() => log.done.length >= 20, "it works")
        yield* running.consumer.seek(topicPartition("in", 0), 0n)
        yield* advance(20_000, 20)
        for (let offset = 0; offset < 50; offset++) assert.include(log.offsetsOf(0), offset)
        assert.strictEqual((yield* running.totals).inFlight, 0)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 50 })
        yield* stop
      })))
})
