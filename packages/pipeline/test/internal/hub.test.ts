import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@weft/kafka/Codec"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { Hub } from "../../src/internal/hub.ts"
import type { PartitionWork } from "../../src/internal/partitionWork.ts"
import { Wake } from "../../src/internal/wake.ts"
import type { WorkItem } from "../../src/internal/workItem.ts"
import type { PipelineError } from "../../src/PipelineError.ts"

const makeHub = Effect.gen(function*() {
  const hub = new Hub({
    definition: { service: "hub", value: Codec.unknownJson, process: () => Effect.void },
    settings: ConsumerSettings.make({ groupId: "hub" }),
    work: { processingOrder: "partition", concurrency: 0, maxInFlight: 0 },
    clock: yield* Clock.Clock,
    random: yield* Random.Random,
    dispatcher: (yield* Scheduler.Scheduler).makeDispatcher(),
    context: yield* Effect.context<never>(),
    fatal: yield* Deferred.make<never, PipelineError>()
  })
  let started = 0
  hub.startWorker = () => void started++
  /** A partition with something to do. */
  const feed = () => {
    const group = hub.lanes.open({} as PartitionWork)
    hub.lanes.add(group, "", { size: 1, prune: () => true } as WorkItem)
    hub.wakeWorkers()
  }
  return { hub, feed, started: () => started }
})

describe("hub", () => {
  it.effect("starts a worker for each lane, however many are on their way while others come in line", () =>
    Effect.gen(function*() {
      const { feed, hub, started } = yield* makeHub
      for (let i = 0; i < 100; i++) feed()
      assert.strictEqual(started(), 100)
      // They come, one after the other, each for a lane, and go on to be idle.
      for (let i = 0; i < 100; i++) {
        hub.came()
        assert.isDefined(hub.nextLane())
      }
      assert.isUndefined(hub.nextLane())
    }))

  it.effect("wakes one that is idle before it starts another, and each for a lane of its own", () =>
    Effect.gen(function*() {
      const { feed, hub, started } = yield* makeHub
      for (let i = 0; i < 2; i++) hub.idle.push(new Wake(hub.dispatcher))
      for (let i = 0; i < 5; i++) feed()
      assert.strictEqual(hub.idle.length, 0)
      assert.strictEqual(started(), 3)
      hub.came()
      assert.isDefined(hub.nextLane())
      feed()
      assert.strictEqual(started(), 4)
    }))
})
