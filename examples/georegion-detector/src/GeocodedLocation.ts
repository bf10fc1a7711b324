/** What `location.address.geocoded` carries: a place of a device, with its address found. */
import * as Schema from "effect/Schema"

/** Degrees north of the equator. */
export const Latitude = Schema.Finite.check(Schema.isBetween({ minimum: -90, maximum: 90 }))

/** Degrees east of Greenwich. */
export const Longitude = Schema.Finite.check(Schema.isBetween({ minimum: -180, maximum: 180 }))

/** What every message of the system has around its data. */
export const envelope = {
  trace_id: Schema.String,
  device_id: Schema.String,
  /** ISO 8601. */
  timestamp: Schema.String.check(Schema.makeFilter((text) => !Number.isNaN(Date.parse(text)) || "a point in time")),
  schema_version: Schema.Literal("v1"),
  metadata: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))
}

export const GeocodedLocation = Schema.Struct({
  ...envelope,
  data: Schema.Struct({
    latitude: Latitude,
    longitude: Longitude,
    address: Schema.optionalKey(Schema.NullOr(Schema.String))
  })
})

export type GeocodedLocation = typeof GeocodedLocation.Type
