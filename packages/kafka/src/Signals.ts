/**
 * The second signal. The first one (SIGTERM, or Ctrl-C) asks a program to end in order, which may take as long as the drain
 * deadline; whoever asks again does not want to wait.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { constants } from "node:os"

const names = ["SIGTERM", "SIGINT"] as const

/**
 * A terminal's Ctrl-C reaches a program that npm has started twice: from the terminal, and from npm. It is one wish, and
 * always the same signal.
 */
const sameWishNanos = 200_000_000n

type Name = typeof names[number]

/** What the process does at once, however many ask for it. */
let users = 0
let stopListening = (): void => undefined

const listen = (clock: Clock.Clock): () => void => {
  let first: { readonly name: Name; readonly at: bigint } | undefined
  const told = (name: Name): void => {
    // Not the time of day, which may be set back meanwhile.
    const at = clock.currentTimeNanosUnsafe()
    first ??= { name, at }
    if (name === first.name && at - first.at < sameWishNanos) return
    process.stderr.write(`${name} again: ending at once; what is not committed comes again\n`)
    process.exit(128 + constants.signals[name])
  }
  const heard = names.filter((name) => process.listenerCount(name) > 0)
  for (const name of heard) process.on(name, told)
  return () => {
    for (const name of heard) process.off(name, told)
  }
}

/**
 * As long as the scope lives, the second SIGTERM or SIGINT ends the process at once, with 128 and the signal's number
 * (143, 130), as a shell tells a process that was killed. Nothing more is begun, settled or committed; what was not
 * committed comes again.
 *
 * **Details**
 *
 * Only signals count that somebody listens to when this begins, as `NodeRuntime.runMain` does: the others end a process
 * at the first time, which is Node's own way. The same signal within 200 ms of the first is the first, since npm passes on
 * what the program has heard already; another one is a second wish, however soon it comes. A program whose event loop is
 * blocked hears signals when it goes on: of two that came meanwhile it cannot know how far apart they were.
 *
 * `Consumer.gracefully`, `Pipeline.run`, `Pipeline.layer` and `Pipeline.launch` do this by themselves.
 *
 * @category combinators
 * @since 0.1.0
 */
export const endAtSecond: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.map(Clock.Clock, (clock) => {
    if (users++ === 0) stopListening = listen(clock)
  }),
  () =>
    Effect.sync(() => {
      if (--users === 0) stopListening()
    })
)
