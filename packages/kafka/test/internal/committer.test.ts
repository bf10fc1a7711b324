import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Clock from "effect/Clock"
import { TestClock } from "effect/testing"
import type { AssignedPartition } from "../../src/internal/assignedPartition.ts"
import { Committer } from "../../src/internal/committer.ts"
import { CommitError } from "../../src/KafkaError.ts"
import type { TransportConsumer } from "../../src/Transport.ts"
import type { CommitPolicy } from "../../src/internal/commitSchedule.ts"

const prompt: CommitPolicy = { records: 1, intervalMs: 0 }

/** A committer with nothing to commit: what counts is when it looks. */
const make = Effect.gen(function*() {
  const clock = yield* Effect.clockWith((clock: Clock.Clock) => Effect.succeed(clock))
  let policy = prompt
  let looks = 0
  const committer = new Committer({
    partitions: () => {
      commits.push(clock.currentTimeMillisUnsafe())
      return []
    },
    transport: () => undefined,
    publish: () => undefined,
    policy: () => {
      looks++
      return policy
    },
    retryBackoffMs: () => 100,
    clock
  })
  const commits: Array<number> = []
  yield* Effect.forkChild(committer.run)
  yield* Effect.yieldNow
  return {
    committer,
    commits,
    looks: () => looks,
    change: (next: CommitPolicy) => {
      policy = next
      committer.reschedule()
    }
  }
})

describe("committer", () => {
  it.effect("rests while a longer schedule than before is waited for", () =>
    Effect.gen(function*() {
      const { change, commits, committer, looks } = yield* make
      committer.onSettled(1)
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(commits, [0])
      committer.onSettled(1)
      change({ records: 1_000, intervalMs: 3_600_000 })
      yield* TestClock.adjust(60_000)
      assert.isBelow(looks(), 20)
      yield* TestClock.adjust(3_600_000)
      assert.deepStrictEqual(commits, [0, 3_600_005])
    }))

  it.effect("takes a shorter schedule over at once", () =>
    Effect.gen(function*() {
      const { change, commits, committer } = yield* make
      change({ records: 1_000, intervalMs: 3_600_000 })
      committer.onSettled(1)
      yield* TestClock.adjust(1_000)
      change({ records: 1_000, intervalMs: 5_000 })
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(commits, [5_000])
    }))

  it.effect("does not wait for the interval once enough records are settled", () =>
    Effect.gen(function*() {
      const { change, commits, committer } = yield* make
      change({ records: 10, intervalMs: 3_600_000 })
      committer.onSettled(4)
      yield* TestClock.adjust(1_000)
      committer.onSettled(6)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(commits, [1_000])
    }))

  it.effect("does not sleep over the next assignment while it waits to try again", () =>
    Effect.gen(function*() {
      const clock = yield* Effect.clockWith((clock: Clock.Clock) => Effect.succeed(clock))
      const attempts: Array<number> = []
      const partition = {
        topicPartition: { topic: "t", partition: 0 },
        hasUncommitted: true,
        epoch: 1,
        commitPoint: () => ({ offset: 1n, metadata: "", changes: 1 })
      } as unknown as AssignedPartition
      const transport = {
        commit: (offsets: CommitError["offsets"]) => {
          attempts.push(clock.currentTimeMillisUnsafe())
          return Effect.fail(new CommitError({ offsets, code: "NOT_COORDINATOR", retriable: true, cause: "moved" }))
        }
      } as unknown as TransportConsumer
      const committer = new Committer({
        partitions: () => [partition],
        transport: () => transport,
        publish: () => undefined,
        policy: () => prompt,
        retryBackoffMs: () => 100,
        clock
      })
      yield* Effect.forkChild(committer.run)
      yield* Effect.yieldNow
      committer.onSettled(1)
      yield* TestClock.adjust(60_000)
      const pauses = attempts.slice(1).map((at, i) => at - attempts[i]!)
      assert.isAtLeast(Math.min(...pauses), 80)
      assert.isAtMost(Math.max(...pauses), 6_000)
      assert.isAtLeast(pauses.at(-1)!, 4_000, "it grows")
      const before = attempts.length
      const now = clock.currentTimeMillisUnsafe()
      committer.onAssigned()
      yield* TestClock.adjust(1)
      assert.strictEqual(attempts.length, before + 1)
      assert.isAtMost(attempts.at(-1)! - now, 1)
    }))
})
