import { assert, describe, it } from "@effect/vitest"
import type { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { PipelineRecord } from "../src/PipelineRecord.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, Log, start, until, withCluster } from "./fixtures.ts"

class Flaky extends Data.TaggedError("Flaky")<{}> {}

const stalling = {
  ...common,
  overrides: { ...common.overrides, maxPollIntervalMs: 30_000, drainTimeoutMs: 0 }
}

type Stalled = Extract<ConsumerEvent, { readonly _tag: "Stalled" }>

const stallsOf = (running: Effect.Success<ReturnType<typeof start>>["running"]) =>
  Effect.gen(function*() {
    const stalls: Array<Stalled> = []
    yield* Effect.forkChild(Stream.runForEach(running.consumer.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "Stalled") stalls.push(event)
      })))
    return stalls
  })

describe("5 stall", () => {
  for (const order of ["partition", "key", "none"] as const) {
    it.effect(`names the record, its age and where its handler stands; others go on (order ${order})`, () =>
      withCluster({ partitions: 3, records: 90 }, (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const handle = log.handler(() => 5)
          const bank = Latch.makeUnsafe(false)
          const askTheBank = Effect.fn("askTheBank")(function*() {
            yield* bank.await
          })
          const { running, stop } = yield* start(Pipeline.make({
            ...stalling,
            order,
            process: Effect.fn("pay")(function*(record: PipelineRecord<string, string | null>) {
              if (record.partition === 1 && record.offset === 7n) yield* askTheBank()
              yield* handle(record)
            })
          }))
          const stalls = yield* stallsOf(running)
          yield* advance(31_500, 50)
          assert.lengthOf(stalls, 1)
          assert.deepInclude(stalls[0], { partition: 1, offset: 7n })
          assert.isTrue(stalls[0]!.ageMs >= 30_000 && stalls[0]!.ageMs <= 31_000)
          const names = stalls[0]!.fiber!.stack.map((frame) => frame.split(" ")[0])
          assert.isTrue(names.indexOf("askTheBank") < names.indexOf("pay"), names.join())
          assert.include(stalls[0]!.fiber!.stack[0], "Stalls.test.ts")
          assert.deepInclude(yield* committedOf(cluster), { 0: 30, 1: 7, 2: 30 })
          assert.deepStrictEqual((yield* running.health).stalled, ["in-1"])
          const before = log.done.length
          yield* cluster.append("in", [{ partition: 1, key: "another", value: "x" }])
          yield* advance(2_000, 50)
          assert.strictEqual(log.done.length, order === "partition" ? before : before + 1)
          assert.deepStrictEqual((yield* running.health).stalled, ["in-1"])
          bank.openUnsafe()
          yield* advance(2_000, 50)
          assert.deepStrictEqual((yield* running.health).stalled, [])
          assert.deepInclude(yield* committedOf(cluster), { 1: 31 })
          yield* stop
        })))
  }

  it.effect("of a batch names the fiber, too", () =>
    withCluster({ records: 10 }, () =>
      Effect.gen(function*() {
        const askTheBank = Effect.fn("askTheBank")(() => Effect.never)
        const { running, stop } = yield* start(Pipeline.make({ ...stalling, processBatch: () => askTheBank() }))
        const stalls = yield* stallsOf(running)
        yield* advance(32_000, 100)
        assert.deepInclude(stalls[0], { offset: 0n })
        assert.isTrue(stalls[0]!.fiber!.stack.some((frame) => frame.startsWith("askTheBank")))
        yield* stop
      })))

  it.effect("a record that waits for its next attempt while others of its partition go on is none", () =>
    withCluster({ records: 10, keys: 10 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({
          ...stalling,
          overrides: { ...stalling.overrides, sessionTimeoutMs: 10_000 },
          order: "key",
          retry: Schedule.spaced("40 seconds"),
          process: log.handler(() => 5, (record) =>
            record.offset === 3n && record.attempt < 3 ? Effect.fail(new Flaky()) : Effect.void)
        }))
        const stalls = yield* stallsOf(running)
        const lost: Array<ConsumerEvent> = []
        yield* Effect.forkChild(Stream.runForEach(running.consumer.events, (event) =>
          Effect.sync(() => {
            if (event._tag === "Lost" || event._tag === "Revoked") {
              lost.push(event)
            }
          })))
        for (let i = 0; i < 90; i++) {
          yield* cluster.append("in", [{ key: `k${i}`, value: String(i) }])
          yield* advance(1_000, 100)
          // It counts as taken, and holds no worker.
          if (i < 35) {
            assert.isAtLeast((yield* running.totals).inFlight, 1)
          }
        }
        yield* until(() =>
          log.done.length === 100, "all is done")
        assert.isEmpty(stalls)
        // Four sessions long: heartbeats went on.
        assert.isEmpty(lost)
        yield* stop
      })))
})

describe("a partition that was given up", () => {
  it.effect("leaves nobody behind who waits for room, whatever events were missed", () =>
    withCluster({ partitions: 2, records: 40 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const handler = log.handler(({ offset }) => offset < 4n ? 3_600_000 : 5)
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          overrides: { ...common.overrides, clientId: "a", drainTimeoutMs: 0 },
          order: "none",
          maxInFlight: 4,
          process: handler
        }))
        yield* until(() => log.begun.length === 4, "it is full")
        yield* cluster.expireSession({ clientId: "a" })
        yield* advance(2_000, 50)
        // The partitions are its own again: had the old feeders stayed, their share would be taken.
        yield* until(() => log.begun.length > 4, "it goes on")
        assert.lengthOf(yield* running.consumer.snapshot, 2)
        yield* stop
      })))
})
