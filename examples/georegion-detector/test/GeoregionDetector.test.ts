import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { GeocodedLocation } from "../src/GeocodedLocation.ts"
import type { Georegion } from "../src/Georegion.ts"
import * as GeoregionDetector from "../src/GeoregionDetector.ts"

const region = (id: string): Georegion => ({
  id,
  name: id,
  type: "city",
  latitude: 0,
  longitude: 0,
  radiusMeters: 1000
})

const location: GeocodedLocation = {
  trace_id: "t",
  device_id: "d",
  timestamp: "2026-03-01T12:00:00Z",
  schema_version: "v1",
  data: { latitude: 0, longitude: 0 }
}

/** A table of regions that can change and go away. */
const table = () => {
  const state = { regions: [region("first")] as ReadonlyArray<Georegion>, isAway: false, reads: 0 }
  const regions = Effect.suspend(() => {
    state.reads++
    return state.isAway ? Effect.fail("the database is away") : Effect.succeed(state.regions)
  })
  return { state, regions }
}

const ids = (detector: GeoregionDetector.GeoregionDetector["Service"]) =>
  Effect.map(detector.detect(location), (found) => found.map(({ data }) => data.georegion_id))

describe("GeoregionDetector", () => {
  it.effect("reads the regions once and again when the interval is over", () =>
    Effect.gen(function*() {
      const { regions, state } = table()
      const detector = yield* GeoregionDetector.make({ regions, refreshEvery: "1 minute", retryAfter: "2 seconds" })
      assert.deepStrictEqual(yield* ids(detector), ["first"])
      state.regions = [region("second")]
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* ids(detector), ["first"])
      assert.strictEqual(state.reads, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* ids(detector), ["second"])
    }).pipe(Effect.scoped))

  it.effect("keeps the regions it has while the table cannot be read", () =>
    Effect.gen(function*() {
      const { regions, state } = table()
      const detector = yield* GeoregionDetector.make({ regions, refreshEvery: "1 minute", retryAfter: "2 seconds" })
      assert.deepStrictEqual(yield* ids(detector), ["first"])
      state.isAway = true
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* ids(detector), ["first"])
      assert.isAbove(state.reads, 100)
    }).pipe(Effect.scoped))

  it.effect("makes locations wait, rather than find nothing, until it has read the regions once", () =>
    Effect.gen(function*() {
      const { regions, state } = table()
      state.isAway = true
      const detector = yield* GeoregionDetector.make({ regions, refreshEvery: "1 minute", retryAfter: "2 seconds" })
      const waiting = yield* Effect.forkChild(ids(detector))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(waiting.pollUnsafe())
      state.isAway = false
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["first"])
    }).pipe(Effect.scoped))
})
