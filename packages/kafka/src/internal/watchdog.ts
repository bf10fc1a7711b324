/** Looks from time to time: for partitions that make no progress, and for a client library that shows no sign of life. */
import * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { type KafkaError, StalledError, TransportError } from "../KafkaError.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import type { ConsumerState } from "./consumerState.ts"
import { traceOf } from "./fiberTrace.ts"
import { monotonicMs } from "./monotonicMs.ts"
import { observe, type Progress } from "./stall.ts"

/** When the client library last got an answer, by `monotonicMs`. */
export interface SignsOfLife {
  any: number
  fetch: number
}

/** Nobody waits for a fetch where the queues are full, or nothing is assigned. */
const isFetching = (state: ConsumerState): boolean => {
  for (const partition of state.partitions.values()) {
    if (partition.state === "active" && !partition.isHeldBack) return true
  }
  return false
}

/** What is seen late by up to one look, and waited out by up to another: within a second of the limit in all. */
const longestTickMs = 450

/** Fails where the policy is to leave the group, or where the library is silent. */
export const watch = (
  state: ConsumerState,
  last: Readonly<SignsOfLife>,
  library: string
): Effect.Effect<never, KafkaError> =>
  Effect.suspend(() => {
    /** Since when there has been something to fetch. */
    let fetchingSince: number | undefined
    const seen = new WeakMap<AssignedPartition, Progress>()
    const look = Effect.gen(function*() {
      const now = monotonicMs(state.clock)
      const { maxPollIntervalMs, sessionTimeoutMs, stallPolicy } = state.settings
      let stalled: StalledError | undefined
      for (const partition of state.partitions.values()) {
        const before = seen.get(partition)
        const { progress, stalledForMs } = observe(
          before,
          {
            watermark: partition.tracker.watermark,
            settled: partition.recordsSettled,
            epoch: partition.epoch,
            pending: isPending(partition),
            attended: () => workerOn(state, partition) !== undefined
          },
          now,
          maxPollIntervalMs
        )
        seen.set(partition, progress)
        partition.stalled = progress.reported
        if (before?.reported === true && !progress.reported) {
          const { partition: number, topic } = partition.topicPartition
          state.publish(ConsumerEvent.StallEnded({ topic, partition: number, ageMs: now - before.since }))
        }
        const stuck = partition.oldest
        if (stalledForMs === undefined || stuck === undefined) continue
        const { topic, partition: number } = partition.topicPartition
        const where = { topic, partition: number, offset: stuck.batch.offset(stuck.index), ageMs: stalledForMs }
        const worker = workerOn(state, partition)
        const fiber = worker === undefined ? undefined : traceOf(worker)
        state.publish(ConsumerEvent.Stalled({ ...where, inFlight: partition.inFlight, fiber }))
        if (stallPolicy === "leave") stalled ??= new StalledError(where)
        if (stallPolicy === "halt") {
          partition.halted = true
          state.transport?.pause([partition.topicPartition])
          state.flow.onSetAside(partition)
        }
      }
      if (stalled !== undefined) return yield* stalled
      state.flow.takeTurns()
      fetchingSince = isFetching(state) ? fetchingSince ?? now : undefined
      const silence = now - last.any
      const unfetched = fetchingSince === undefined ? 0 : now - Math.max(fetchingSince, last.fetch)
      const patience = sessionTimeoutMs + maxPollIntervalMs
      if (silence > patience || unfetched > patience) {
        return yield* new TransportError({
          transport: library,
          reason: "silent",
          retriable: true,
          cause: silence > patience
            ? `no heartbeat and no fetch was answered for ${silence} ms`
            : `no fetch was answered for ${unfetched} ms`
        })
      }
    })
    const tick = Effect.suspend(() =>
      Effect.sleep(Math.max(50, Math.min(longestTickMs, state.settings.maxPollIntervalMs / 10)))
    )
    return Effect.forever(Effect.andThen(tick, look))
  })

/** Who works on the record at the watermark, as far as anyone knows. */
const workerOn = (state: ConsumerState, partition: AssignedPartition): Fiber<unknown, unknown> | undefined => {
  const oldest = partition.tracker.oldest
  if (oldest === undefined || partition.inFlight === 0) return undefined
  const { partition: number, topic } = partition.topicPartition
  return state.workerOf === undefined
    ? partition.takenBy
    : state.workerOf({ topic, partition: number, offset: oldest.batch.offset(oldest.index) })
}

const isPending = (partition: AssignedPartition): boolean =>
  partition.inFlight > 0 || (!partition.queue.isEmpty && !partition.isSetAside)
