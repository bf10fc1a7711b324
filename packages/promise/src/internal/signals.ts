/** What tells a run to end: signals of the process, and a caller's `AbortSignal`. */
import * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"

export const defaultSignals: ReadonlyArray<NodeJS.Signals> = ["SIGTERM", "SIGINT"]

/** A terminal's Ctrl-C reaches a program that npm has started twice: from the terminal, and from npm. It is one wish. */
const sameWishMs = 200

/**
 * Calls `stop` at the first of them; answers what takes the listeners away. After the first, a signal is Node's own business
 * again, which is to end the process at once where nobody else listens.
 */
export const onStop = (
  signals: ReadonlyArray<NodeJS.Signals>,
  signal: AbortSignal | undefined,
  stop: () => void
): () => void => {
  let waiting: Fiber<void> | undefined
  const release = () => {
    waiting?.interruptUnsafe()
    for (const name of signals) process.off(name, told)
    signal?.removeEventListener("abort", aborted)
  }
  const told = () => {
    if (waiting !== undefined) return
    waiting = Effect.runFork(Effect.andThen(Effect.sleep(sameWishMs), Effect.sync(release)))
    stop()
  }
  const aborted = () => {
    release()
    stop()
  }
  for (const name of signals) process.on(name, told)
  signal?.addEventListener("abort", aborted)
  if (signal?.aborted === true) aborted()
  return release
}
