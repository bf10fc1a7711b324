import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { ConsumerEvent } from "../../src/ConsumerEvent.ts"
import * as ConsumerSettings from "../../src/ConsumerSettings.ts"
import { fromRecords } from "../../src/FetchedBatch.ts"
import { emptiestFirst } from "../../src/FetchStrategy.ts"
import { ConsumerState } from "../../src/internal/consumerState.ts"
import { make as topicPartition } from "../../src/TopicPartition.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const record = (offset: bigint) => ({ offset, timestamp: 0, key: null, value: null, headers: [] })

const makeState = Effect.gen(function*() {
  return new ConsumerState({
    settings: ConsumerSettings.make({ groupId: "group" }),
    clock: yield* Clock.Clock,
    events: yield* PubSub.sliding<ConsumerEvent>(16),
    fetchStrategy: emptiestFirst
  })
})

describe("consumerState", () => {
  it.effect("tells the transport once of all partitions that start, and holds back those that somebody paused", () =>
    Effect.gen(function*() {
      const state = yield* makeState
      const told: Array<readonly [string, ReadonlyArray<number>]> = []
      const tell = (what: string) => (partitions: ReadonlyArray<{ readonly partition: number }>) =>
        void told.push([what, partitions.map(({ partition }) => partition)])
      state.transport = { start: tell("start"), pause: tell("pause"), resume: tell("resume") } as never
      const partitions = [0, 1, 2, 3].map((number) => state.add(topicPartition("in", number)))
      partitions[1]!.pausedByUser = true
      state.end([partitions[2]!])
      state.start(partitions.map((partition) => ({ partition, offset: 5n, from: "committed", settledBeyond: [] })))
      assert.deepStrictEqual(told, [["start", [0, 1, 3]], ["pause", [1]]])
      assert.deepStrictEqual(partitions.map(({ position }) => position), [5n, 5n, 0n, 5n])
    }))

  it.effect("reads on where an earlier owner settled so much out of order that the metadata is nearly full", () =>
    Effect.withFiber((fiber) =>
      Effect.gen(function*() {
        const state = yield* makeState
        const nothing = () => undefined
        state.transport = { start: nothing, pause: nothing, resume: nothing } as never
        const partition = state.add(topicPartition("in", 0))
        const settledBeyond = Array.from({ length: 1_200 }, (_, i) => {
          const start = BigInt(i * 37 + 20)
          return { start, end: start + BigInt(1 + (i * 7) % 15) }
        })
        state.start([{ partition, offset: 0n, from: "committed", settledBeyond }])
        const records = Array.from({ length: 50_000 }, (_, i) => record(BigInt(i)))
        state.admit(fromRecords({ topic: "in", partition: 0, records, highWatermark: 50_000n }))
        let most = 0
        do {
          const batch = state.take(100, fiber)
          assert.isDefined(batch, `nothing is handed out at ${partition.tracker.watermark}`)
          // Commits that the schedule makes while the records are at work, and after that.
          partition.commitPoint()
          batch!.settleAll()
          most = Math.max(most, partition.commitPoint().metadata.length)
        } while (partition.metadataBytes > 2_900)
        assert.isAbove(most, 3_072, "above three quarters of the limit")
      })
    ))

  it.live("keeps nothing of partitions that were given up, also where nobody reads the merged stream", () =>
    Effect.gen(function*() {
      const state = yield* makeState
      const held = Array.from({ length: 20 }, (_, number) => {
        const partition = state.add(topicPartition("in", 0))
        state.start([{ partition, offset: 0n, from: "committed", settledBeyond: [] }])
        state.admit(
          fromRecords({ topic: "in", partition: 0, records: [record(0n), record(1n)], highWatermark: BigInt(number) })
        )
        state.end([partition])
        return new WeakRef(partition)
      })
      yield* Effect.sleep(10)
      collectGarbage()
      assert.isAtMost(held.filter((one) => one.deref() !== undefined).length, 1)
    }))
})
