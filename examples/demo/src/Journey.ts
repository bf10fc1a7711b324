/** People with phones who wander about Berlin: where the demo's locations come from. Pure. */
import type { GeocodedLocation } from "@weft/example-georegion-detector/GeocodedLocation"

export interface Traveller {
  readonly device: string
  readonly latitude: number
  readonly longitude: number
  /** Degrees, clockwise from north. */
  readonly heading: number
}

/** A random number from 0 to below 1. */
type Draw = () => number

const centre = { latitude: 52.51, longitude: 13.395 }
const metersPerDegree = 111_195
const metersPerStep = 60
/** Who is farther from the centre than this turns back. */
const farMeters = 5_000

const eastMeters = (longitude: number) =>
  (longitude - centre.longitude) * metersPerDegree * Math.cos(52.51 * Math.PI / 180)
const northMeters = (latitude: number) => (latitude - centre.latitude) * metersPerDegree

export const begin = (count: number, draw: Draw): ReadonlyArray<Traveller> =>
  Array.from({ length: count }, (_, i) => ({
    device: `phone-${String(i + 1).padStart(2, "0")}`,
    latitude: centre.latitude + (draw() - 0.5) * 0.05,
    longitude: centre.longitude + (draw() - 0.5) * 0.08,
    heading: draw() * 360
  }))

export const step = (traveller: Traveller, draw: Draw): Traveller => {
  const east = eastMeters(traveller.longitude)
  const north = northMeters(traveller.latitude)
  const isFar = Math.hypot(east, north) > farMeters
  const home = Math.atan2(-east, -north) * 180 / Math.PI
  const heading = ((isFar ? home : traveller.heading + (draw() - 0.5) * 60) + 360) % 360
  const radians = heading * Math.PI / 180
  return {
    device: traveller.device,
    latitude: traveller.latitude + Math.cos(radians) * metersPerStep / metersPerDegree,
    longitude: traveller.longitude
      + Math.sin(radians) * metersPerStep / (metersPerDegree * Math.cos(traveller.latitude * Math.PI / 180)),
    heading
  }
}

const rounded = (degrees: number) => Math.round(degrees * 1e6) / 1e6

export const location = (traveller: Traveller, at: number, draw: Draw): GeocodedLocation => ({
  trace_id: Math.floor(draw() * 2 ** 48).toString(16).padStart(12, "0"),
  device_id: traveller.device,
  timestamp: new Date(at).toISOString(),
  schema_version: "v1",
  data: {
    latitude: rounded(traveller.latitude),
    longitude: rounded(traveller.longitude),
    address: "Berlin, Germany"
  },
  metadata: { source: "weft-demo" }
})

/** How many records are due in a second: a gentle swell, and every 12 seconds a burst that makes the lag visible. */
export const recordsPerSecond = (second: number): number =>
  Math.round(300 + 150 * Math.sin(second / 4)) + (second % 12 === 7 ? 20_000 : 0)
