/** Long-lived fibers that take lanes and work on them; one is started only when all others are busy. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Hub, WorkLane } from "./hub.ts"
import { Wake } from "./wake.ts"

/** Works on a lane; answers a lane that it was given on the way and left to the next run. */
export type Run = (lane: WorkLane) => Effect.Effect<WorkLane | undefined, never, unknown>

export const worker = (hub: Hub, run: Run): Effect.Effect<void, never, unknown> => {
  const wake = new Wake(hub.dispatcher)
  const work = (given: WorkLane | undefined): Effect.Effect<void, never, unknown> =>
    Effect.suspend(() => {
      const lane = given ?? hub.nextLane()
      if (lane !== undefined) return Effect.flatMap(run(lane), work)
      if (hub.hasTooManyWorkers) {
        hub.workers--
        return Effect.void
      }
      hub.idle.push(wake)
      return Effect.flatMap(wake.wait, begin)
    })
  const begin = (): Effect.Effect<void, never, unknown> => {
    hub.came()
    return work(undefined)
  }
  // A worker that dies would leave its lane behind: the pipeline fails instead.
  return Effect.catchCause(
    Effect.flatMap(Effect.yieldNow, begin),
    (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Deferred.failCause(hub.fatal, cause)
  )
}
