import { assert, describe, it } from "@effect/vitest"
import { GeocodedLocation } from "@weft/example-georegion-detector/GeocodedLocation"
import { distanceMeters } from "@weft/example-georegion-detector/Georegion"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { begin, location, recordsPerSecond, step } from "../src/Journey.ts"

const draws = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe("a journey", () => {
  it("goes 60 metres at each step and never far from Berlin", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const draw = draws(seed)
        let traveller = begin(1, draw)[0]!
        for (let i = 0; i < 500; i++) {
          const next = step(traveller, draw)
          assert.isTrue(Math.abs(distanceMeters(traveller, next) - 60) < 1)
          assert.isBelow(distanceMeters({ latitude: 52.51, longitude: 13.395 }, next), 6_000)
          traveller = next
        }
      }),
      { numRuns: 30 }
    )
  })

  it("tells locations that the detector accepts", () => {
    const draw = draws(7)
    const isLocation = Schema.is(GeocodedLocation)
    for (const traveller of begin(40, draw)) assert.isTrue(isLocation(location(traveller, 1_700_000_000_000, draw)))
  })

  it("has a burst every 12 seconds and never stands still", () => {
    const rates = Array.from({ length: 60 }, (_, second) => recordsPerSecond(second))
    assert.isAbove(Math.min(...rates), 100)
    assert.strictEqual(rates.filter((rate) => rate > 20_000).length, 5)
  })
})
