/** The tables of Weft and of the detector, and the rows that it starts with. */
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"

/** Creates what is missing; what is there stays as it is. */
export const create = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE IF NOT EXISTS georegions (
      georegion_id text PRIMARY KEY,
      name text NOT NULL,
      type text NOT NULL,
      latitude double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
      longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
      radius_meters double precision NOT NULL CHECK (radius_meters > 0)
    )`
  yield* sql`
    INSERT INTO georegions (georegion_id, name, type, latitude, longitude, radius_meters) VALUES
      ('berlin-mitte', 'Berlin Mitte', 'district', 52.5200, 13.4050, 2500),
      ('berlin-alexanderplatz', 'Alexanderplatz', 'square', 52.5219, 13.4132, 400),
      ('berlin-hauptbahnhof', 'Berlin Hauptbahnhof', 'station', 52.5251, 13.3694, 350),
      ('berlin-tempelhofer-feld', 'Tempelhofer Feld', 'park', 52.4730, 13.4030, 1000),
      ('berlin-tiergarten', 'Tiergarten', 'park', 52.5145, 13.3501, 1200),
      ('berlin-home', 'Home', 'home', 52.4990, 13.4180, 150)
    ON CONFLICT (georegion_id) DO NOTHING`
  // What is left out is derived, or the default: a session of 30 s has a heartbeat of 10 s.
  yield* sql`
    INSERT INTO pipeline_consumer_configs (
        service_name, consumer_group_id, max_poll_records,
        session_timeout_ms, max_poll_interval_ms
    ) VALUES (
        'georegion-detector', 'loom-georegion', 200, 30000, 60000
    )
    ON CONFLICT (service_name) DO NOTHING`
})

/** Creates them before anything else is built. Where the database is away the program starts all the same, and they are created later. */
export const layer: Layer.Layer<never, never, SqlClient.SqlClient> = Layer.effectDiscard(
  Effect.catch(create, (error) =>
    Effect.andThen(
      Effect.logWarning(`the tables could not be created, and will be later: ${error.message}`),
      Effect.forkScoped(Effect.ignore(Effect.retry(create, Schedule.spaced("5 seconds"))))
    ))
)
