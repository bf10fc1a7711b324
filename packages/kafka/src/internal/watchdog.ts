/** Looks from time to time: for partitions that make no progress, and for a client library that shows no sign of life. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { type KafkaError, StalledError, TransportError } from "../KafkaError.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import type { ConsumerState } from "./consumerState.ts"
import { observe, type Progress } from "./stall.ts"

/** Fails where the policy is to leave the group, or where the library is silent. */
export const watch = (
  state: ConsumerState,
  lastSign: () => number,
  library: string
): Effect.Effect<never, KafkaError> =>
  Effect.suspend(() => {
    const seen = new WeakMap<AssignedPartition, Progress>()
    const look = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const { maxPollIntervalMs, sessionTimeoutMs, stallPolicy } = state.settings
      for (const partition of state.partitions.values()) {
        const { progress, stalledForMs } = observe(
          seen.get(partition),
          {
            settled: partition.recordsSettled,
            epoch: partition.epoch,
            pending: isPending(partition)
          },
          now,
          maxPollIntervalMs
        )
        seen.set(partition, progress)
        const stuck = partition.oldest
        if (stalledForMs === undefined || stuck === undefined) continue
        const { topic, partition: number } = partition.topicPartition
        const where = { topic, partition: number, offset: stuck.batch.offset(stuck.index), ageMs: stalledForMs }
        state.publish(ConsumerEvent.Stalled({ ...where, inFlight: partition.inFlight }))
        if (stallPolicy === "leave") return yield* new StalledError(where)
        if (stallPolicy === "halt") {
          partition.halted = true
          state.transport?.pause([partition.topicPartition])
          state.flow.onSetAside(partition)
        }
      }
      state.flow.takeTurns()
      const silence = now - lastSign()
      if (silence > sessionTimeoutMs + maxPollIntervalMs) {
        return yield* new TransportError({
          transport: library,
          reason: "silent",
          retriable: true,
          cause: `no heartbeat and no fetch was answered for ${silence} ms`
        })
      }
    })
    const tick = Effect.suspend(() =>
      Effect.sleep(Math.max(50, Math.min(1_000, state.settings.maxPollIntervalMs / 10)))
    )
    return Effect.forever(Effect.andThen(tick, look))
  })

const isPending = (partition: AssignedPartition): boolean =>
  partition.inFlight > 0 || (!partition.queue.isEmpty && !partition.isSetAside)
