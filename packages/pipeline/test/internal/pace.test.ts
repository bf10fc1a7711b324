import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { TestClock } from "effect/testing"
import { Pace } from "../../src/internal/pace.ts"

describe("pace", () => {
  it.effect("is not held up by a time of day that is set back while the interval changes", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(7_200_000)
      let intervalMs = 60_000
      const pace = new Pace((yield* Scheduler.Scheduler).makeDispatcher(), () => intervalMs)
      const waiting = yield* Effect.forkChild(pace.wait)
      yield* TestClock.adjust(1_000)
      yield* TestClock.setTime(3_600_000)
      intervalMs = 10_000
      pace.reconsider()
      yield* TestClock.adjust(10_000)
      assert.isDefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(waiting)
    }))
})
