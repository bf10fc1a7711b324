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

describe("consumerState", () => {
  it.live("keeps nothing of partitions that were given up, also where nobody reads the merged stream", () =>
    Effect.gen(function*() {
      const state = new ConsumerState({
        settings: ConsumerSettings.make({ groupId: "group" }),
        clock: yield* Clock.Clock,
        events: yield* PubSub.sliding<ConsumerEvent>(16),
        fetchStrategy: emptiestFirst
      })
      const held = Array.from({ length: 20 }, (_, number) => {
        const partition = state.add(topicPartition("in", 0))
        state.startAt(partition, 0n, "committed", [])
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
