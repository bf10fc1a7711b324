import { assert, describe, it } from "@effect/vitest"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

const overlap = Effect.fnUntraced(function*(groups: ReadonlyArray<string>) {
  const turns = yield* RejoinTurns.RejoinTurns
  let out = 0
  let most = 0
  const rejoin = Effect.gen(function*() {
    most = Math.max(most, ++out)
    yield* Effect.sleep("1 second")
    out--
  })
  const fibers = yield* Effect.forEach(
    groups,
    (group, i) => Effect.forkChild(turns.withTurn({ group, member: `m${i}` }, rejoin))
  )
  yield* TestClock.adjust("10 seconds")
  yield* Effect.forEach(fibers, Fiber.join)
  return most
})

describe("RejoinTurns", () => {
  it.effect("in memory: of one group one member at a time, of two groups two", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* overlap(["g", "g", "g"]), 1)
      assert.strictEqual(yield* overlap(["g", "h", "g", "h"]), 2)
    }).pipe(Effect.provide(RejoinTurns.layerMemory)))

  it.effect("in memory: a rejoin that fails or is interrupted gives its turn on", () =>
    Effect.gen(function*() {
      const turns = yield* RejoinTurns.RejoinTurns
      const failed = yield* Effect.exit(turns.withTurn({ group: "g", member: "a" }, Effect.fail("no")))
      assert.isTrue(Exit.isFailure(failed))
      const hanging = yield* Effect.forkChild(turns.withTurn({ group: "g", member: "b" }, Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(hanging)
      assert.strictEqual(yield* turns.withTurn({ group: "g", member: "c" }, Effect.succeed(1)), 1)
    }).pipe(Effect.provide(RejoinTurns.layerMemory)))

  it.effect("none: everybody at once", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* overlap(["g", "g", "g"]), 3)
    }).pipe(Effect.provide(RejoinTurns.layerNone)))
})
