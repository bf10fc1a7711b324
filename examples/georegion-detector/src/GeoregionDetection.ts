/** What `location.georegion.detected` carries: a device was seen inside of a region. */
import * as Schema from "effect/Schema"
import { envelope, Latitude, Longitude } from "./GeocodedLocation.ts"

export const GeoregionDetection = Schema.Struct({
  ...envelope,
  data: Schema.Struct({
    georegion_id: Schema.String,
    georegion_name: Schema.String,
    georegion_type: Schema.String,
    /** Where the device was. */
    latitude: Latitude,
    longitude: Longitude,
    distance_to_center_meters: Schema.Finite,
    /** 1 at the centre, 0 at the edge. */
    confidence_score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
    entry_time: Schema.NullOr(Schema.String),
    exit_time: Schema.NullOr(Schema.String)
  })
})

export type GeoregionDetection = typeof GeoregionDetection.Type
