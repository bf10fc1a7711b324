/**
 * A program that listens to signals and does not end by one: a process of its own for the tests of the second signal. Its
 * arguments are when it hears each of them, in milliseconds; it says after each that it goes on.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Signals from "../src/Signals.ts"

const heardAt = process.argv.slice(2).map((ms) => BigInt(ms) * 1_000_000n)

// Whoever ends the process does so in the same turn.
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.on(name, () => queueMicrotask(() => process.stdout.write("goes on\n")))
}

Effect.runFork(Effect.scoped(Effect.gen(function*() {
  const live = yield* Clock.Clock
  yield* Effect.provideService(Signals.endAtSecond, Clock.Clock, {
    currentTimeMillisUnsafe: () => live.currentTimeMillisUnsafe(),
    currentTimeMillis: live.currentTimeMillis,
    currentTimeNanosUnsafe: () => heardAt.shift() ?? live.currentTimeNanosUnsafe(),
    currentTimeNanos: live.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: live.monotonicTimeNanos,
    sleep: (duration) => live.sleep(duration)
  })
  process.stdout.write("ready\n")
  yield* Effect.sleep("2 minutes")
})))
