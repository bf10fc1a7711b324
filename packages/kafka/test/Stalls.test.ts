import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Consumer } from "../src/Consumer.ts"
import type { ConsumerEvent } from "../src/ConsumerEvent.ts"
import type { CommittableBatch } from "../src/Offset.ts"
import { advance, collectEvents, committedOf, member, numbered, untilDone, withCluster } from "./fixtures.ts"

const maxPollIntervalMs = 30_000
const isStalled = (event: ConsumerEvent) => event._tag === "Stalled"
const stallsOf = (events: Ref.Ref<ReadonlyArray<ConsumerEvent>>) =>
  Effect.map(Ref.get(events), (all) => all.filter(isStalled))

describe("5 stall", () => {
  it.effect("the event comes within max_poll_interval_ms plus a second, whenever the handler began", () =>
    Effect.forEach(
      [0, 130, 275, 400, 777, 999],
      (beginsAt) =>
        withCluster({ partitions: 2 }, (cluster) =>
          Effect.gen(function*() {
            const consumer = yield* member({ maxPollIntervalMs, drainTimeoutMs: 0 })
            const begun: Array<number> = []
            const told: Array<number> = []
            yield* Effect.forkChild(Stream.runForEach(consumer.events, (event) =>
              Effect.map(Clock.currentTimeMillis, (now) => {
                if (isStalled(event)) told.push(now)
              })))
            yield* Effect.forkChild(
              Stream.runForEach(consumer.batches, () =>
                Effect.andThen(
                  Effect.map(Clock.currentTimeMillis, (now) => begun.push(now)),
                  Effect.never
                ))
            )
            yield* advance(3_000 + beginsAt, 1)
            yield* cluster.append("in", numbered(1, 1))
            yield* advance(maxPollIntervalMs + 1_500, 25)
            assert.lengthOf(told, 1)
            assert.isAtLeast(told[0]! - begun[0]!, maxPollIntervalMs)
            assert.isAtMost(told[0]! - begun[0]!, maxPollIntervalMs + 1_000)
          }))
    ))

  it.effect("names the fiber that took the record, and where it stands", () =>
    withCluster({ records: 5 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollIntervalMs, maxPollRecords: 1, drainTimeoutMs: 0 })
        const events = yield* collectEvents(consumer)
        const wait = Effect.fn("waitForTheBank")(function*() {
          return yield* Effect.never
        })
        const pay = Effect.fn("pay")(function*(batch: CommittableBatch) {
          if (batch.records[0]!.offset === 2n) return yield* wait()
          batch.settleAll()
        })
        const reading = yield* Effect.forkChild(Stream.runForEach(consumer.batches, pay))
        yield* advance(32_000, 500)
        const [stalled] = yield* stallsOf(events)
        assert.strictEqual(stalled?._tag, "Stalled")
        if (stalled?._tag !== "Stalled") return
        assert.deepInclude(stalled, { offset: 2n, inFlight: 1 })
        assert.isAtLeast(stalled.ageMs, maxPollIntervalMs)
        assert.strictEqual(stalled.fiber?.id, reading.id)
        const names = stalled.fiber!.stack.map((frame) => frame.split(" ")[0])
        assert.deepStrictEqual(names.filter((name) => !name!.endsWith(")")), [
          "waitForTheBank",
          "waitForTheBank",
          "pay",
          "pay"
        ])
        assert.include(stalled.fiber!.stack[0], "Stalls.test.ts")
      })))

  it.effect("is none where the time of day jumps, and the client library is not taken for silent", () =>
    withCluster({ records: 5 }, (cluster) =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        let aheadMs = 0
        const set: Clock.Clock = {
          ...clock,
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + aheadMs,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + aheadMs)
        }
        const consumer = yield* Effect.provideService(
          member({ maxPollIntervalMs, sessionTimeoutMs: 10_000, stallPolicy: "leave" }),
          Clock.Clock,
          set
        )
        const events = yield* collectEvents(consumer)
        yield* Effect.forkChild(
          Stream.runForEach(consumer.batches, (batch) => Effect.map(Effect.sleep(5_000), () => batch.settleAll()))
        )
        yield* advance(2_000)
        aheadMs = 3_600_000
        yield* advance(2_000)
        aheadMs = -3_600_000
        yield* advance(10_000)
        const bad = (yield* Ref.get(events)).filter((event) => event._tag === "Stalled" || event._tag === "Crashed")
        assert.deepStrictEqual(bad, [])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 5 })
      })))

  it.effect("is seen at a record that holds the commit though others of its partition go on", () =>
    withCluster({ records: 5 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollIntervalMs, drainTimeoutMs: 0 })
        const events = yield* collectEvents(consumer)
        yield* Effect.forkChild(Stream.runForEach(consumer.batches, (batch) =>
          Effect.sync(() => {
            batch.records.forEach(({ offset }, i) => offset === 2n || batch.settle(i))
          })))
        for (let i = 0; i < 32; i++) {
          yield* cluster.append("in", numbered(1, 1))
          yield* advance(1_000, 100)
        }
        const stalls = yield* stallsOf(events)
        assert.lengthOf(stalls, 1)
        assert.deepInclude(stalls[0], { partition: 0, offset: 2n })
      })))

  it.effect("leave: what is in flight elsewhere ends and is committed before this member leaves", () =>
    withCluster({ partitions: 3, records: 30 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollIntervalMs, maxPollRecords: 1, stallPolicy: "leave" })
        const events = yield* collectEvents(consumer)
        const slow = yield* Ref.make(false)
        const fiber = yield* Effect.forkChild(Effect.flip(work(consumer, slow)))
        yield* advance(28_000, 100)
        // Begun before the stall is seen, and done after it.
        yield* Ref.set(slow, true)
        yield* cluster.append("in", [1, 2].map((partition) => ({ partition, value: "late" })))
        const error = yield* untilDone(fiber)
        assert.deepInclude(error, { _tag: "StalledError", partition: 0, offset: 4n })
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 4, 1: 11, 2: 11 })
        assert.isEmpty((yield* cluster.group("group")).members)
        const drained = (yield* Ref.get(events)).find((event) => event._tag === "Drained")
        assert.isTrue(drained?._tag === "Drained" && drained.durationMs < 10_000, "nobody waits for what is stuck")
      })))
})

/** Record 4 of partition 0 is never done. */
const work = (consumer: Consumer["Service"], slow: Ref.Ref<boolean>) =>
  consumer.partitions.pipe(
    Stream.flatMap(({ batches, topicPartition: { partition } }) =>
      Stream.mapEffect(batches, (batch) =>
        Effect.gen(function*() {
          if (partition === 0 && batch.records[0]!.offset === 4n) return yield* Effect.never
          yield* Effect.sleep((yield* Ref.get(slow)) ? 6_000 : 10)
          batch.settleAll()
        })), { concurrency: "unbounded" }),
    Stream.runDrain
  )
