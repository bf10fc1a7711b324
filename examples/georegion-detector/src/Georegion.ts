/** A round region on the globe, and which points it contains. Pure. */
import * as Schema from "effect/Schema"
import type { GeocodedLocation } from "./GeocodedLocation.ts"
import { Latitude, Longitude } from "./GeocodedLocation.ts"
import type { GeoregionDetection } from "./GeoregionDetection.ts"

export const Georegion = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: Schema.String,
  latitude: Latitude,
  longitude: Longitude,
  radiusMeters: Schema.Finite.check(Schema.isGreaterThan(0))
})

export type Georegion = typeof Georegion.Type

export interface Point {
  readonly latitude: number
  readonly longitude: number
}

/** The mean radius of the earth (IUGG). */
const earthRadiusMeters = 6_371_008.8

const radians = (degrees: number) => degrees * Math.PI / 180

/** The great-circle distance in metres, by the haversine formula: exact enough for short ways too. */
export const distanceMeters = (from: Point, to: Point): number => {
  const halfLatitude = Math.sin(radians(to.latitude - from.latitude) / 2)
  const halfLongitude = Math.sin(radians(to.longitude - from.longitude) / 2)
  const h = halfLatitude ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * halfLongitude ** 2
  // Between opposite points rounding may lead beyond 1.
  return 2 * earthRadiusMeters * Math.asin(Math.sqrt(Math.min(1, h)))
}

/** One detection for each region that contains the location, the surest first. */
export const detect = (
  regions: ReadonlyArray<Georegion>,
  location: GeocodedLocation
): ReadonlyArray<GeoregionDetection> =>
  regions
    .map((region) => ({ region, distance: distanceMeters(region, location.data) }))
    .filter(({ distance, region }) => distance <= region.radiusMeters)
    .map(({ distance, region }) => detection(region, location, distance))
    .sort((a, b) => b.data.confidence_score - a.data.confidence_score)

const detection = (region: Georegion, location: GeocodedLocation, distance: number): GeoregionDetection => ({
  ...location,
  data: {
    georegion_id: region.id,
    georegion_name: region.name,
    georegion_type: region.type,
    latitude: location.data.latitude,
    longitude: location.data.longitude,
    distance_to_center_meters: distance,
    confidence_score: 1 - distance / region.radiusMeters,
    entry_time: location.timestamp,
    exit_time: null
  }
})
