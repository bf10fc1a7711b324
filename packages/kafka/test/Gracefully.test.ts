import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Consumer from "../src/Consumer.ts"
import { advance, committedOf, member, untilDone, withCluster } from "./fixtures.ts"

const drainTimeoutMs = 20_000

/** Interrupts what runs gracefully over a consumer's batches, and answers how long it took to end. */
const endOf = (program: (consumer: Consumer.Consumer["Service"]) => Effect.Effect<unknown, unknown>) =>
  withCluster({ records: 10 }, (cluster) =>
    Effect.gen(function*() {
      const consumer = yield* member({ drainTimeoutMs, maxPollRecords: 1 })
      const fiber = yield* Effect.forkDetach(
        Consumer.gracefully(program(consumer)).pipe(Effect.provideService(Consumer.Consumer, consumer))
      )
      yield* advance(1_000)
      const begun = yield* Clock.currentTimeMillis
      yield* untilDone(yield* Effect.forkChild(Fiber.interrupt(fiber)))
      return {
        tookMs: (yield* Clock.currentTimeMillis) - begun,
        committed: yield* committedOf(cluster),
        members: (yield* cluster.group("group")).members.length
      }
    }))

const settle = (consumer: Consumer.Consumer["Service"], workMs: number) =>
  Stream.runForEach(consumer.batches, (batch) => Effect.map(Effect.sleep(workMs), () => batch.settleAll()))

describe("6 shutdown: gracefully", () => {
  it.effect("ends with the program, once what is in flight is done, committed, and the group is left", () =>
    Effect.gen(function*() {
      const { committed, members, tookMs } = yield* endOf((consumer) => settle(consumer, 600))
      assert.isBelow(tookMs, 1_000)
      assert.deepStrictEqual([committed, members], [{ 0: 2 }, 0])
    }))

  it.effect("is over by the drain deadline though the program goes on for ever", () =>
    Effect.gen(function*() {
      const { committed, members, tookMs } = yield* endOf((consumer) =>
        Effect.andThen(settle(consumer, 10), Effect.never)
      )
      assert.isAtMost(tookMs, drainTimeoutMs + 200)
      assert.deepStrictEqual([committed, members], [{ 0: 10 }, 0])
    }))

  it.effect("leaves a program behind that cannot be interrupted", () =>
    Effect.gen(function*() {
      const { members, tookMs } = yield* endOf((consumer) =>
        Effect.uninterruptible(Effect.andThen(settle(consumer, 10), Effect.sleep("1 hour")))
      )
      assert.isAtMost(tookMs, drainTimeoutMs + 5_000 + 200)
      assert.strictEqual(members, 0)
    }))

  it.effect("waits no longer than that for a record that is never done, and commits nothing of it", () =>
    Effect.gen(function*() {
      const { committed, members, tookMs } = yield* endOf((consumer) => settle(consumer, 3_600_000))
      assert.isAtMost(tookMs, drainTimeoutMs + 5_000 + 5_000 + 200)
      assert.deepStrictEqual([committed, members], [{}, 0])
    }))
})
