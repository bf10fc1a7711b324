/** Writes geocoded locations for as long as it runs. */
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import { GeocodedLocation } from "@weft/example-georegion-detector/GeocodedLocation"
import { locations } from "@weft/example-georegion-detector/Georegions"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Journey from "./Journey.ts"

const devices = 60
const tickMs = 100
const codec = Codec.json(GeocodedLocation)

/** `onSent` is told how many records were written since the last time. */
export const run = Effect.fnUntraced(function*(onSent: (records: number) => void) {
  const random = yield* Random.Random
  const draw = () => random.nextDoubleUnsafe()
  let travellers = Journey.begin(devices, draw)
  let next = 0
  const began = yield* Clock.currentTimeMillis
  let due = 0

  const nextRecord = (now: number) => {
    const i = next++ % devices
    const traveller = Journey.step(travellers[i]!, draw)
    travellers = travellers.with(i, traveller)
    return Effect.map(
      Effect.fromResult(Codec.encode(codec, Journey.location(traveller, now, draw))),
      (value): Producer.ProducerRecord => ({ topic: locations, key: traveller.device, value })
    )
  }

  const tick = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    due += Journey.recordsPerSecond(Math.floor((now - began) / 1000)) * tickMs / 1000
    const count = Math.floor(due)
    due -= count
    yield* Producer.sendAll(yield* Effect.forEach(Array.from({ length: count }), () => nextRecord(now)))
    onSent(count)
    yield* Effect.sleep(tickMs)
  })
  return yield* Effect.forever(tick)
})
