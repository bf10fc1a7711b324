/** What a simulation draws from its seed, and how its clock moves. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"

/** From `min` to below `max`. */
export const between = (min: number, max: number): Effect.Effect<number> =>
  Random.nextIntBetween(min, max, { halfOpen: true })

/** One of them, by their weights. */
export const choose = Effect.fnUntraced(
  function*<A extends readonly [string, number, ...ReadonlyArray<unknown>]>(all: ReadonlyArray<A>) {
    let left = yield* between(0, all.reduce((sum, [, weight]) => sum + weight, 0))
    return all.find(([, weight]) => (left -= weight) < 0) ?? all[0]!
  }
)

/** Small steps, so that what happens in between happens in its order. */
export const advance = (ms: number, step = 250) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms; at += step) yield* TestClock.adjust(Math.min(step, ms - at))
  })
