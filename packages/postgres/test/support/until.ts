import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

/** Waits for at most half a minute until it is so. */
export const until = Effect.fnUntraced(function*<E, R>(what: string, isTrue: Effect.Effect<boolean, E, R>) {
  for (let i = 0; i < 600; i++) {
    if (yield* isTrue) return
    yield* Effect.sleep("50 millis")
  }
  assert.fail(`it never came to ${what}`)
})
