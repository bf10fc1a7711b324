import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"
import { EventLoopDelay, layerTest } from "../src/EventLoopDelay.ts"

const block = (ms: number) =>
  Effect.sync(() => {
    const end = performance.now() + ms
    while (performance.now() < end);
  })

describe("EventLoopDelay", () => {
  it.live("the longest pause since the last look, wherever in between it was", () =>
    Effect.gen(function*() {
      const longest = yield* (yield* EventLoopDelay)
      yield* Effect.sleep(50)
      yield* longest
      // Right after a look, when nothing has been timed yet, and seen by a later turn of the loop.
      yield* block(150)
      yield* Effect.sleep(60)
      yield* block(60)
      yield* Effect.sleep(60)
      assert.isAtLeast(yield* longest, 125)
      // One that is under way.
      yield* block(150)
      assert.isAtLeast(yield* longest, 125)
    }).pipe(Effect.scoped))

  it.effect("says what a test wants", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* (yield* (yield* EventLoopDelay)), 7)
    }).pipe(Effect.scoped, Effect.provide(layerTest(Effect.succeed(7)))))
})
