/** Knows the regions, and which of them a location is in. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { GeocodedLocation } from "./GeocodedLocation.ts"
import { detect, Georegion } from "./Georegion.ts"
import type { GeoregionDetection } from "./GeoregionDetection.ts"

export class GeoregionDetector extends Context.Service<GeoregionDetector, {
  /** The regions that contain the location. Waits until the regions were read for the first time; never fails. */
  readonly detect: (location: GeocodedLocation) => Effect.Effect<ReadonlyArray<GeoregionDetection>>
}>()("georegion-detector/GeoregionDetector") {}

/**
 * Reads the regions, and again at every interval; after a failure sooner. While reading fails the last ones hold; before
 * the first success there are none that could hold, so that `detect` waits rather than to find nothing.
 */
export const make = Effect.fnUntraced(function*<E, R>(options: {
  readonly regions: Effect.Effect<ReadonlyArray<Georegion>, E, R>
  readonly refreshEvery: Duration.Input
  readonly retryAfter: Duration.Input
}): Effect.fn.Return<GeoregionDetector["Service"], never, R | Scope.Scope> {
  const first = yield* Deferred.make<void>()
  let regions: ReadonlyArray<Georegion> = []
  const refresh = Effect.matchCauseEffect(options.regions, {
    onFailure: (cause) =>
      Effect.as(Effect.logWarning("the regions could not be read; the last ones hold", cause), options.retryAfter),
    onSuccess: (read) => {
      regions = read
      return Effect.as(Deferred.succeed(first, undefined), options.refreshEvery)
    }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(refresh, (pause) => Effect.sleep(pause))))
  return GeoregionDetector.of({
    detect: (location) => Effect.map(Deferred.await(first), () => detect(regions, location))
  })
})

const Row = Schema.Struct({
  georegion_id: Schema.String,
  name: Schema.String,
  type: Schema.String,
  latitude: Schema.Finite,
  longitude: Schema.Finite,
  radius_meters: Schema.Finite
})

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))
const decodeRegions = Schema.decodeUnknownEffect(Schema.Array(Georegion))

const readRegions = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`SELECT georegion_id, name, type, latitude, longitude, radius_meters FROM georegions`.pipe(
    Effect.timeout("5 seconds")
  )
  const regions = yield* decodeRows(rows)
  return yield* decodeRegions(
    regions.map(({ georegion_id: id, radius_meters: radiusMeters, ...rest }) => ({ id, radiusMeters, ...rest }))
  )
})

/** The regions of the table `georegions`, read again every minute. */
export const layerPostgres: Layer.Layer<GeoregionDetector, never, SqlClient.SqlClient> = Layer.effect(
  GeoregionDetector,
  make({ regions: readRegions, refreshEvery: "1 minute", retryAfter: "2 seconds" })
)

/** Regions that stand in the code. */
export const layerMemory = (regions: ReadonlyArray<Georegion>): Layer.Layer<GeoregionDetector> =>
  Layer.succeed(GeoregionDetector, { detect: (location) => Effect.sync(() => detect(regions, location)) })
