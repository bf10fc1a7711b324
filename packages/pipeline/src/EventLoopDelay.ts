/**
 * How long the event loop was busy with one thing: while it is, no heartbeat is sent and no record is taken in.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { performance } from "node:perf_hooks"

/**
 * Begins to watch the event loop until the scope ends. Each run of the effect that it answers gives the longest delay, in
 * milliseconds, since the one before, and begins anew.
 *
 * **Details**
 *
 * A timer of 20 ms that looks how late it is. Node's own `monitorEventLoopDelay` forgets the delay that is under way when
 * it is reset, and what we do right after a measurement is to write it.
 *
 * @category services
 * @since 0.1.0
 */
export const EventLoopDelay: Context.Reference<Effect.Effect<Effect.Effect<number>, never, Scope.Scope>> = Context
  .Reference("@weft/pipeline/EventLoopDelay", {
    defaultValue: () =>
      Effect.map(
        Effect.acquireRelease(Effect.sync(watch), (watching) => Effect.sync(() => clearInterval(watching.timer))),
        ({ longest }) => Effect.sync(longest)
      )
  })

/**
 * The delays are what the effect says: for tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTest = (delayMs: Effect.Effect<number>): Layer.Layer<never> =>
  Layer.succeed(EventLoopDelay, Effect.succeed(delayMs))

const everyMs = 20

// The process's own time and timers, whatever the Clock says: it is the process that is late.
// oxlint-disable-next-line no-restricted-properties -- not the Clock's
const nowMs = (): number => performance.now()

const watch = () => {
  let due = nowMs() + everyMs
  let longestMs = 0
  const look = () => {
    const now = nowMs()
    longestMs = Math.max(longestMs, now - due)
    due = now + everyMs
  }
  // The process may end while it runs.
  // @effect-diagnostics-next-line globalTimers:off
  const timer = setInterval(look, everyMs).unref() // oxlint-disable-line no-restricted-globals -- not the Clock's
  return {
    timer,
    longest: () => {
      // What is under way now may be late already.
      const delayMs = Math.max(longestMs, nowMs() - due)
      longestMs = 0
      return delayMs
    }
  }
}
