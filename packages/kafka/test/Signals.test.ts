import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as Signals from "../src/Signals.ts"

const program = fileURLToPath(new URL("signalled.ts", import.meta.url))

/** Signals for a process that would go on for long, each heard at so many milliseconds; what became of it with the last. */
const signalled = (signals: ReadonlyArray<readonly [NodeJS.Signals, number]>) =>
  Effect.gen(function*() {
    const times = signals.map(([, atMs]) => String(atMs))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, [program, ...times], { stdio: ["ignore", "pipe", "ignore"] })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const said = yield* Queue.unbounded<string | number | null>()
    createInterface(child.stdout).on("line", (line) => Queue.offerUnsafe(said, line))
    child.once("exit", (code) => Queue.offerUnsafe(said, code))
    let last = yield* Queue.take(said)
    assert.strictEqual(last, "ready")
    for (const [name] of signals) {
      child.kill(name)
      last = yield* Queue.take(said)
    }
    return last
  }).pipe(Effect.scoped)

// What is left undone by a second signal is tested with whole programs, in examples/relay.
describe("Signals.endAtSecond", () => {
  it.live("ends at once when another signal follows, however soon", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* signalled([["SIGINT", 0], ["SIGTERM", 0]]), 143)
    }))

  it.live("takes the same signal that follows at once for the first, and the next one for the second", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* signalled([["SIGINT", 0], ["SIGINT", 199]]), "goes on")
      assert.strictEqual(yield* signalled([["SIGINT", 0], ["SIGINT", 200]]), 130)
      assert.strictEqual(yield* signalled([["SIGINT", 0], ["SIGINT", 199], ["SIGINT", 400]]), 130)
    }))

  it.effect("listens once, however many ask for it, and as long as one of them lives", () =>
    Effect.gen(function*() {
      const ignored = () => undefined
      process.on("SIGTERM", ignored)
      const before = process.listenerCount("SIGTERM")
      const others = process.listenerCount("SIGINT")
      const scopes = yield* Effect.replicateEffect(Scope.make(), 20)
      for (const scope of scopes) yield* Scope.provide(Signals.endAtSecond, scope)
      assert.strictEqual(process.listenerCount("SIGTERM"), before + 1)
      assert.strictEqual(
        process.listenerCount("SIGINT"),
        others === 0 ? 0 : others + 1,
        "nobody's signal stays Node's own"
      )
      for (const scope of scopes.slice(1)) yield* Scope.close(scope, Exit.void)
      assert.strictEqual(process.listenerCount("SIGTERM"), before + 1)
      yield* Scope.close(scopes[0]!, Exit.void)
      assert.strictEqual(process.listenerCount("SIGTERM"), before)
      process.off("SIGTERM", ignored)
    }))
})
