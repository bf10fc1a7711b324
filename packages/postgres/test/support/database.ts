/** Databases for tests: each test its own. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import { freshDatabase } from "../../../../test-support/servers.ts"

type Pool = PgClient.PgClient | SqlClient.SqlClient

export const pool = (url: string, options?: Postgres.Options): Layer.Layer<Pool> =>
  Layer.orDie(Postgres.layerUrl(Redacted.make(url), options))

export const empty: Layer.Layer<Pool> = Layer.unwrap(Effect.map(Effect.promise(freshDatabase), (url) => pool(url)))

export const migrated: Layer.Layer<Pool> = Layer.provideMerge(Layer.orDie(SqlMigrator.layer()), empty)

/** A database with Weft's tables, by its URL. */
export const migratedUrl: Effect.Effect<string> = Effect.promise(freshDatabase).pipe(
  Effect.tap((url) => Effect.provide(Effect.orDie(SqlMigrator.run()), pool(url)))
)
