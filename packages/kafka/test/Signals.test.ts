import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Signals from "../src/Signals.ts"

// What a second signal does is tested with processes, in examples/relay.
describe("Signals.endAtSecond", () => {
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
