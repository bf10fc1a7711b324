import * as PgClient from "@effect/sql-pg/PgClient"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { freshDatabase } from "../../../../test-support/servers.ts"

export const query = <A extends object>(url: string, text: string): Promise<ReadonlyArray<A>> =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(text)).pipe(
    Effect.provide(Postgres.layerUrl(Redacted.make(url))),
    Effect.runPromise
  )

/**
 * A database with a row of settings for the relay. Members hear of a rebalance with their heartbeat, which is every 20
 * seconds by default: here every half second, so that tests need not wait for it. They measure themselves as often.
 */
export const databaseOf = async (service: string): Promise<string> => {
  const url = await freshDatabase()
  await SqlMigrator.run().pipe(Effect.provide(Postgres.layerUrl(Redacted.make(url))), Effect.runPromise)
  await query(
    url,
    `INSERT INTO pipeline_consumer_configs (service_name, session_timeout_ms, heartbeat_interval_ms, metrics_interval_ms)
    VALUES ('${service}', 45000, 500, 500)`
  )
  return url
}
