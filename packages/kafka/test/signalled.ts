/** A program that listens to signals and does not end by one: a process of its own for the tests of the second signal. */
import * as Effect from "effect/Effect"
import * as Signals from "../src/Signals.ts"

for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => undefined)

Effect.runFork(Effect.scoped(Effect.gen(function*() {
  yield* Signals.endAtSecond
  process.stdout.write("ready\n")
  yield* Effect.sleep("1 minute")
})))
