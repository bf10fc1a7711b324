import { assert, describe, it } from "@effect/vitest"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type { Broker } from "../../src/Client.ts"
import type { Cluster } from "../../src/Cluster.ts"
import { codes } from "../../src/ErrorCode.ts"
import type { Answer } from "../../src/FetchAnswer.ts"
import { makePump, type Pump } from "../../src/internal/pump.ts"
import { consumerPlan } from "../../src/Plan.ts"
import { advance, Answering } from "./fixtures.ts"

const plan = Result.getOrThrow(consumerPlan(ConsumerSettings.make({ groupId: "g" }), {}))

describe("a leader that is frozen", () => {
  it.effect("is left when others lead what it was asked for, long before the request times out", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const asked: Array<readonly [number, number]> = []
      let leader = 1
      const cluster: Partial<Cluster> = {
        leaderOf: () => leader,
        broker: (node) => Effect.succeed({ node } as unknown as Broker),
        refresh: Effect.sync(() => {
          if (clock.currentTimeMillisUnsafe() >= 15_000) leader = 2
        }),
        avoid: () => undefined,
        watch: () => undefined
      }
      const pump = makePump({
        cluster: cluster as Cluster,
        plan: plan.fetch,
        client: plan.client,
        fetch: (broker) => {
          asked.push([(broker as unknown as { readonly node: number }).node, clock.currentTimeMillisUnsafe()])
          return Effect.never
        },
        handler: new Answering({}).handler,
        clock,
        patienceMs: 60_000
      })
      const running = yield* Effect.forkChild(pump.run)
      pump.assign([new TopicPartition("in", 0)], () => [{ topic: "in", partition: 0, offset: 0n }])
      yield* advance(12_000)
      assert.deepStrictEqual(asked, [[1, 0]], "a leader may take its time")
      yield* advance(20_000)
      assert.deepStrictEqual(asked.map(([node]) => node), [1, 2])
      yield* Fiber.interrupt(running)
    }))
})

describe("the next request", () => {
  /** One batch of one record from wherever it is asked for. */
  const answerOf = (errorCode = 0): Answer => ({
    errorCode: 0,
    partitions: [{
      topic: "in",
      partition: 0,
      errorCode,
      bytes: 100,
      open: (position) => {
        let isDone = false
        return {
          next: () => {
            if (isDone) return undefined
            isDone = true
            return { topic: "in", partition: 0, nextOffset: position + 1n } as FetchedBatch
          },
          get nextOffset() {
            return isDone ? position + 1n : position
          },
          stop: undefined,
          get isDone() {
            return isDone
          },
          detach: () => undefined
        }
      }
    }]
  })

  const started = Effect.fnUntraced(function*(
    events: Array<string>,
    answer: (n: number) => Answer,
    onBatch: (pump: Pump) => void
  ) {
    let requests = 0
    const pump: Pump = makePump({
      cluster: {
        leaderOf: () => 1,
        broker: () => Effect.succeed({} as Broker),
        refresh: Effect.sync(() => void events.push("leaders looked for")),
        avoid: () => undefined,
        watch: () => undefined
      } as Partial<Cluster> as Cluster,
      plan: plan.fetch,
      client: plan.client,
      fetch: (_, { partitions }) => {
        events.push(`asked for ${partitions[0]!.position}`)
        return ++requests > 3 ? Effect.never : Effect.delay(Effect.succeed(answer(requests)), 5)
      },
      handler: { ...new Answering({}).handler, onBatch: () => onBatch(pump) },
      clock: yield* Clock.Clock,
      patienceMs: 60_000
    })
    yield* Effect.forkChild(pump.run)
    pump.assign([new TopicPartition("in", 0)], () => [{ topic: "in", partition: 0, offset: 0n }])
    return pump
  })

  it.effect("is on its way before workers take what came", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const latch = yield* Latch.make(false)
      yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
        yield* latch.await
        yield* latch.close
        // As the workers of a pipeline: with the next turn of the scheduler.
        yield* Effect.yieldNow
        events.push("taken")
      })))
      yield* started(events, () => answerOf(), () => latch.openUnsafe())
      yield* advance(100)
      assert.deepStrictEqual(events, [
        "asked for 0",
        "asked for 1",
        "taken",
        "asked for 2",
        "taken",
        "asked for 3",
        "taken"
      ])
    }))

  it.effect("waits for whoever pauses with what came", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const pump = yield* started(events, () => answerOf(), (pump) => pump.pause([new TopicPartition("in", 0)]))
      yield* advance(100)
      assert.deepStrictEqual(events, ["asked for 0"])
      pump.resume([new TopicPartition("in", 0)])
      yield* advance(100)
      assert.deepStrictEqual(events, ["asked for 0", "asked for 1"])
    }))

  it.effect("comes after a look for leaders, where one has moved", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      yield* started(events, (n) => answerOf(n === 1 ? codes.notLeader : 0), () => undefined)
      yield* advance(1000)
      assert.deepStrictEqual(events, [
        "asked for 0",
        "leaders looked for",
        "asked for 0",
        "asked for 1",
        "asked for 2"
      ])
    }))
})

describe("of many partitions", () => {
  const partitions = Array.from({ length: 100 }, (_, partition) => new TopicPartition("in", partition))
  const recordBytes = 1024 * 1024

  /** A broker whose partitions have records of 1 MiB; it fills an answer in the order of the request. */
  const run = Effect.fnUntraced(function*(records: (partition: number) => number) {
    const left = new Map(partitions.map(({ partition }) => [partition, records(partition)]))
    const asked: Array<{ readonly partitions: number; readonly maxWaitMs: number }> = []
    const seen: Array<string> = []
    const clock = yield* Clock.Clock
    const pump = makePump({
      cluster: {
        leaderOf: () => 1,
        broker: () => Effect.succeed({} as Broker),
        refresh: Effect.void,
        avoid: () => undefined,
        watch: () => undefined
      } as Partial<Cluster> as Cluster,
      plan: plan.fetch,
      client: plan.client,
      fetch: (_, options) =>
        Effect.suspend(() => {
          asked.push({ partitions: options.partitions.length, maxWaitMs: options.maxWaitMs })
          let room = options.maxBytes
          const answer: Answer = {
            errorCode: 0,
            partitions: options.partitions.map(({ partition, topic }) => {
              const has = room >= recordBytes && left.get(partition)! > 0
              if (has) {
                room -= recordBytes
                left.set(partition, left.get(partition)! - 1)
              }
              let isDone = !has
              return {
                topic,
                partition,
                errorCode: 0,
                bytes: has ? recordBytes : 0,
                open: (position) => ({
                  next: () => {
                    if (isDone) return undefined
                    isDone = true
                    return { topic, partition, nextOffset: position + 1n } as FetchedBatch
                  },
                  get nextOffset() {
                    return has && isDone ? position + 1n : position
                  },
                  stop: undefined,
                  get isDone() {
                    return isDone
                  },
                  detach: () => undefined
                })
              }
            })
          }
          const isEmpty = room === options.maxBytes
          return Effect.delay(Effect.succeed(answer), isEmpty ? Math.max(1, options.maxWaitMs) : 1)
        }),
      handler: {
        ...new Answering({}).handler,
        onBatch: ({ nextOffset, partition }) => void seen.push(`${partition}:${nextOffset}`)
      },
      clock,
      patienceMs: 60_000
    })
    yield* Effect.forkChild(pump.run)
    pump.assign(partitions, () => partitions.map(({ partition, topic }) => ({ topic, partition, offset: 0n })))
    yield* advance(2000)
    return { asked, seen }
  })

  it.effect("that all have much, few are asked for at once, and each has its turn", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* run(() => 5)
      assert.deepStrictEqual(asked.slice(0, 3).map(({ partitions }) => partitions), [100, 16, 16])
      const rounds = Array.from({ length: 5 }, (_, i) => partitions.map(({ partition }) => `${partition}:${i + 1}`))
      assert.deepStrictEqual(seen, rounds.flat())
      const last = asked.at(-1)!
      assert.deepStrictEqual(last, { partitions: 100, maxWaitMs: plan.fetch.maxWaitMs })
    }))

  it.effect("of which few have anything, all are asked for where a part of them would find nothing", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* run((partition) => partition % 10 === 9 ? 20 : 0)
      assert.strictEqual(seen.length, 10 * 20)
      assert.deepStrictEqual(new Set(asked.map(({ partitions }) => partitions)), new Set([100]))
    }))

  it.effect("a request for a part of them is never waited for", () =>
    Effect.gen(function*() {
      const { asked, seen } = yield* run((partition) => partition < 8 ? 1 : partition < 98 ? 0 : 3)
      assert.strictEqual(seen.length, 8 + 2 * 3)
      assert.deepStrictEqual(asked.slice(0, 3).map(({ partitions }) => partitions), [100, 16, 100])
      assert.isTrue(asked.every(({ maxWaitMs, partitions }) => maxWaitMs === (partitions < 100 ? 0 : 500)))
    }))
})
