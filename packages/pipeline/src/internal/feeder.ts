/** Feeds the lanes from a partition's queue for as long as the partition is this member's. */
import type { PartitionHandle } from "@weft/kafka/Consumer"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type { Hub } from "./hub.ts"
import { PartitionWork } from "./partitionWork.ts"
import { Wake } from "./wake.ts"

const defaultWindow = Duration.millis(100)

/** What dies here would leave its partition, or a lane of it, behind: the pipeline fails instead. */
const watched = (hub: Hub, effect: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.catchCause(
    Effect.asVoid(effect),
    (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.asVoid(Deferred.failCause(hub.fatal, cause))
  )

export const feed = (hub: Hub, handle: PartitionHandle): Effect.Effect<void> =>
  watched(
    hub,
    Effect.scoped(Effect.gen(function*() {
      const run = yield* FiberSet.makeRuntime<never>()
      const work = yield* Effect.acquireRelease(
        Effect.sync(() => open(hub, handle, (effect) => void run(watched(hub, effect)))),
        (work) => Effect.sync(() => close(hub, work))
      )
      // Who waits for room in a partition that is gone would wait for ever.
      yield* Effect.forkScoped(Effect.map(handle.ended, () => work.room.signal()))
      while (yield* handle.readable) {
        work.follow(hub.order)
        const room = hub.lanes.room(work.group)
        if (room === 0) {
          yield* work.room.wait
          continue
        }
        const fillings = work.fillings
        const wasFilling = work.isFilling
        work.take(room, hub.settings.maxPollRecords)
        hub.wakeWorkers()
        if (work.isFilling && (!wasFilling || work.fillings !== fillings)) startWindow(hub, work)
      }
    }))
  )

const open = (hub: Hub, handle: PartitionHandle, fork: PartitionWork["fork"]): PartitionWork => {
  const work = new PartitionWork({
    handle,
    intake: { lanes: hub.lanes, batchSize: hub.isBatched ? () => hub.batchSize : undefined },
    order: hub.order,
    stats: hub.statsOf(handle.topicPartition.topic),
    room: new Wake(hub.dispatcher),
    fork
  })
  hub.partitions.add(work)
  return work
}

const close = (hub: Hub, work: PartitionWork): void => {
  hub.partitions.delete(work)
  hub.lanes.close(work.group)
}

/** A batch that is not full is handed over when its window is over. */
const startWindow = (hub: Hub, work: PartitionWork): void => {
  const { fillings } = work
  const window = Duration.fromInputUnsafe(hub.definition.batch?.window ?? defaultWindow)
  const end = () => {
    if (work.fillings !== fillings) return
    work.closeFilling()
    hub.wakeWorkers()
  }
  // A timer of no time takes a millisecond or more.
  if (Duration.isZero(window)) end()
  else work.fork(Effect.map(Effect.sleep(window), end))
}
