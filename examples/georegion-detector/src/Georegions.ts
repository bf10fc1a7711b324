/** The georegion detector as a pipeline: a value, which main.ts, the demo and the tests run on layers of their own. */
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as Pipeline from "@weft/pipeline/Pipeline"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { GeocodedLocation } from "./GeocodedLocation.ts"
import { GeoregionDetection } from "./GeoregionDetection.ts"
import { GeoregionDetector } from "./GeoregionDetector.ts"

export const service = "georegion-detector"

export const locations = "location.address.geocoded"

export const detected = "location.georegion.detected"

const detection = Codec.json(GeoregionDetection)

/** Detects the regions of the locations in one topic, and sends them to another. */
export const between = (from: string, to: string, options: { readonly metricsInterval?: Duration.Input } = {}) =>
  Pipeline.make({
    service,
    topics: [from],
    ...options,
    value: Codec.json(GeocodedLocation),
    tombstones: "skip",
    process: Effect.fnUntraced(function*(record) {
      const detector = yield* GeoregionDetector
      const detections = yield* detector.detect(record.value)
      const messages = yield* Effect.forEach(
        detections,
        (one) =>
          Effect.map(Effect.fromResult(Codec.encode(detection, one)), (value) => ({
            topic: to,
            // All that is known of a device is in one partition, and in order.
            key: one.device_id,
            value
          }))
      )
      yield* Producer.sendAll(messages)
    })
  })

export const georegions = between(locations, detected)
