/** Before partitions are given up: begin nothing new, let what is in flight end, commit. Ends by the deadline. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { drainTimeoutMs } from "../ConsumerSettings.ts"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import type { ConsumerState } from "./consumerState.ts"

/** The commit at the end may take this much longer than the deadline; heartbeats have kept the membership alive. */
const commitGraceMs = 5_000

/** `hopeless`: of these, partitions that are not waited for. */
export const drain = Effect.fnUntraced(function*(
  state: ConsumerState,
  partitions: ReadonlyArray<AssignedPartition>,
  hopeless: ReadonlyArray<AssignedPartition> = []
) {
  const live = partitions.filter((partition) => partition.state !== "ended")
  if (live.length === 0) return
  const started = yield* Clock.currentTimeMillis
  for (const partition of live) partition.drain()
  for (const partition of hopeless) partition.isWaitedFor = false
  const inFlight = state.drainingInFlight
  const names = live.map((partition) => partition.topicPartition)
  if (inFlight > 0 && state.readers > 0) {
    state.publish(ConsumerEvent.Draining({ partitions: names, inFlight }))
    state.idle.closeUnsafe()
    yield* Effect.raceAllFirst([
      state.idle.await,
      Effect.sleep(drainTimeoutMs(state.settings)),
      heartbeats(state)
    ])
  }
  yield* Effect.ignore(Effect.timeoutOption(state.committer.lastFlush, commitGraceMs))
  const abandoned = live.reduce((sum, partition) => sum + (partition.state === "ended" ? 0 : partition.inFlight), 0)
  const durationMs = (yield* Clock.currentTimeMillis) - started
  state.publish(ConsumerEvent.Drained({ partitions: names, durationMs, abandoned }))
})

const heartbeats = (state: ConsumerState): Effect.Effect<never> =>
  Effect.suspend(() => {
    const every = Math.max(1, Math.min(state.settings.heartbeatIntervalMs, state.settings.sessionTimeoutMs / 3))
    const beat = state.transport === undefined ? Effect.void : Effect.ignore(state.transport.heartbeat)
    return Effect.forever(Effect.andThen(beat, Effect.sleep(every)))
  })
