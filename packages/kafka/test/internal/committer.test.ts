import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Clock from "effect/Clock"
import { TestClock } from "effect/testing"
import type { AssignedPartition } from "../../src/internal/assignedPartition.ts"
import { Committer } from "../../src/internal/committer.ts"
import type { ConsumerEvent } from "../../src/ConsumerEvent.ts"
import { CommitError } from "../../src/KafkaError.ts"
import type { OffsetAndMetadata, TransportConsumer } from "../../src/Transport.ts"
import type { CommitPolicy } from "../../src/internal/commitSchedule.ts"

const prompt: CommitPolicy = { records: 1, intervalMs: 0 }

/** Partitions of which something is uncommitted until a commit takes it, and a broker that refuses some topics. */
const withTopics = Effect.fnUntraced(function*(
  topics: ReadonlyArray<string>,
  refuse: (offset: OffsetAndMetadata, atMs: number) => string | undefined,
  metadata = (_: Committer) => ""
) {
  const clock = yield* Effect.clockWith((clock: Clock.Clock) => Effect.succeed(clock))
  const events: Array<ConsumerEvent> = []
  const requests: Array<{ readonly at: number; readonly topics: ReadonlyArray<string> }> = []
  const sizes: Array<number> = []
  const partitions = topics.map((topic) => {
    const partition = {
      topicPartition: { topic, partition: 0 },
      hasUncommitted: true,
      epoch: 1,
      isLive: () => true,
      commitPoint: () => ({ offset: 1n, metadata: metadata(committer), changes: 1 }),
      onCommitted: () => {
        partition.hasUncommitted = false
      }
    }
    return partition
  })
  const transport = {
    commit: (offsets: ReadonlyArray<OffsetAndMetadata>) => {
      const at = clock.currentTimeMillisUnsafe()
      requests.push({ at, topics: offsets.map(({ topic }) => topic) })
      sizes.push(...offsets.map(({ metadata }) => metadata.length))
      const refused = offsets.filter((offset) => refuse(offset, at) !== undefined)
      const code = refused.map((offset) => refuse(offset, at)!)[0]
      return code === undefined
        ? Effect.void
        : Effect.fail(new CommitError({ offsets: refused, code, retriable: true, cause: "refused" }))
    }
  }
  const committer: Committer = new Committer({
    partitions: () => partitions as unknown as ReadonlyArray<AssignedPartition>,
    transport: () => transport as unknown as TransportConsumer,
    publish: (event) => void events.push(event),
    policy: () => prompt,
    retryBackoffMs: () => 100,
    clock
  })
  yield* Effect.forkChild(committer.run)
  yield* Effect.yieldNow
  const settle = (...of: ReadonlyArray<string>) => {
    for (const one of partitions) if (of.includes(one.topicPartition.topic)) one.hasUncommitted = true
    committer.onSettled(1)
  }
  const isCommitted = (topic: string) =>
    partitions.find((one) => one.topicPartition.topic === topic)!.hasUncommitted
      === false
  return { committer, events, isCommitted, requests, settle, sizes }
})

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
  it.effect("commits the others where the topic of one is gone, and asks for that one later and later", () =>
    Effect.gen(function*() {
      const { events, isCommitted, requests, settle } = yield* withTopics(
        ["in", "gone"],
        ({ topic }) => topic === "gone" ? "UNKNOWN_TOPIC_OR_PARTITION" : undefined
      )
      settle("in", "gone")
      yield* TestClock.adjust(50)
      assert.isTrue(isCommitted("in"))
      assert.deepStrictEqual(requests.map(({ topics }) => topics), [["in", "gone"]])
      // Neither a flood of refusals, nor a wait for what can be committed.
      for (let second = 0; second < 60; second++) {
        settle("in")
        yield* TestClock.adjust(1_000)
        assert.isTrue(isCommitted("in"), `after ${second} s`)
      }
      const asked = requests.filter(({ topics }) => topics.includes("gone"))
      assert.isAtLeast(asked.length, 12)
      assert.isAtMost(asked.length, 20)
      const told = events.filter((event) => event._tag === "CommitFailed").length
      assert.strictEqual(told, asked.length, "told once each time")
      const rests = asked.slice(1).map(({ at }, i) => at - asked[i]!.at)
      assert.isAtMost(Math.max(...rests), 6_000)
    }))

  it.effect("commits what was refused for a moment, though nothing more is settled", () =>
    Effect.gen(function*() {
      const { isCommitted, requests, settle } = yield* withTopics(
        ["new"],
        (_, at) => at < 250 ? "UNKNOWN_TOPIC_OR_PARTITION" : undefined
      )
      settle("new")
      yield* TestClock.adjust(1_000)
      assert.isTrue(isCommitted("new"))
      assert.lengthOf(requests, 3)
    }))

  it.effect("does not say that all is committed while one topic is refused, and lets those go on who need the others", () =>
    Effect.gen(function*() {
      const { committer, isCommitted, settle } = yield* withTopics(
        ["in", "gone"],
        ({ topic }) => topic === "gone" ? "TOPIC_AUTHORIZATION_FAILED" : undefined
      )
      settle("in", "gone")
      yield* committer.flushUntil(() => isCommitted("in"))
      const error = yield* Effect.flip(committer.flush)
      assert.strictEqual(error._tag === "CommitError" && error.code, "TOPIC_AUTHORIZATION_FAILED")
      committer.onAssigned()
      const again = yield* Effect.flip(committer.flush)
      assert.strictEqual(again._tag, "CommitError")
    }))

  it.effect("asks for what was refused a moment ago once more before partitions are given up", () =>
    Effect.gen(function*() {
      let isRefused = true
      const { committer, isCommitted, settle } = yield* withTopics(
        ["in"],
        () => isRefused ? "TOPIC_AUTHORIZATION_FAILED" : undefined
      )
      settle("in")
      yield* TestClock.adjust(10_000)
      isRefused = false
      assert.strictEqual((yield* Effect.flip(committer.flush))._tag, "CommitError")
      yield* committer.lastFlush
      assert.isTrue(isCommitted("in"))
    }))

  it.effect("finds out that a broker takes longer metadata again: slowly, and at once in a new generation", () =>
    Effect.gen(function*() {
      let limit = 500
      const { committer, settle, sizes } = yield* withTopics(
        ["in"],
        ({ metadata }) => metadata.length > limit ? "OFFSET_METADATA_TOO_LARGE" : undefined,
        (committer: Committer) => "m".repeat(Math.min(4_000, committer.metadataMaxBytes))
      )
      const commit = (afterMs: number) =>
        Effect.gen(function*() {
          yield* TestClock.adjust(afterMs)
          settle("in")
          yield* TestClock.adjust(50)
          return sizes.splice(0)
        })
      assert.deepStrictEqual(yield* commit(0), [4_000, 2_000, 1_000, 500])
      assert.deepStrictEqual(yield* commit(60_000), [500])
      assert.deepStrictEqual(yield* commit(600_000), [1_000, 500], "one step, and back")
      limit = 1_500
      assert.deepStrictEqual(yield* commit(600_000), [1_000])
      limit = 9_000
      committer.onAssigned()
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* commit(0), [4_000])
    }))

  it.effect("goes on by itself where whoever waited for a commit gives up between two attempts", () =>
    Effect.gen(function*() {
      const { committer, isCommitted, requests } = yield* withTopics(
        ["in"],
        (_, atMs) => atMs < 5_000 ? "NOT_COORDINATOR" : undefined
      )
      // Settled, and committed by hand: the schedule has nothing to do.
      yield* Effect.forkChild(Effect.timeoutOption(committer.flush, 1_000))
      yield* TestClock.adjust(4_000)
      assert.isAbove(requests.length, 1)
      yield* TestClock.adjust(10_000)
      assert.isTrue(isCommitted("in"))
    }))

  it.effect("does not wait for the time of day to come round again where it was set back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(7_200_000)
      const { isCommitted, settle } = yield* withTopics(["in"], () => undefined)
      settle("in")
      yield* TestClock.adjust(100)
      assert.isTrue(isCommitted("in"))
      yield* TestClock.setTime(3_600_000)
      settle("in")
      yield* TestClock.adjust(100)
      assert.isTrue(isCommitted("in"))
    }))

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
