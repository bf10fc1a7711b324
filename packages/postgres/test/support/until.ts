import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

/** Waits until it is so: for a minute at least, which a busy machine may need. */
export const until = Effect.fnUntraced(function*<E, R>(what: string, isTrue: Effect.Effect<boolean, E, R>) {
  for (let i = 0; i < 1200; i++) {
    if (yield* isTrue) return
    yield* Effect.sleep("50 millis")
  }
  assert.fail(`it never came to ${what}`)
})
