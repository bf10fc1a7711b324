/** The service's row of settings. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Draws } from "./draws.ts"

export const withDatabase = <A, E>(
  url: string,
  effect: Effect.Effect<A, E, SqlClient | PgClient.PgClient>
): Promise<A> =>
  effect.pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1, connectTimeout: Duration.seconds(5) })),
    Effect.runPromise
  )

/** The session is as short as brokers allow by default: what died is to be noticed often. */
export const firstRow: Readonly<Record<string, string | number>> = {
  session_timeout_ms: 6_000,
  heartbeat_interval_ms: 1_000,
  max_poll_interval_ms: 30_000,
  max_poll_records: 100,
  partition_assignment_strategy: "sticky"
}

export type GroupProtocol = "classic" | "consumer"

export type Change = Readonly<Record<string, string | number | boolean>>

/** Hot and rejoin settings; none lengthens the time between commits beyond a second. */
export const drawChange = (draws: Draws): Change =>
  draws.oneOf<() => Change>([
    () => ({ max_poll_records: draws.oneOf([10, 50, 100, 500]) }),
    () => ({
      session_timeout_ms: draws.oneOf([6_000, 7_000]),
      heartbeat_interval_ms: draws.oneOf([500, 1_000, 2_000])
    }),
    () => ({ partition_assignment_strategy: draws.oneOf(["range", "roundrobin", "sticky"]) }),
    () => ({ enable_auto_commit: true, auto_commit_interval_ms: draws.between(100, 1_000) }),
    () => ({ enable_auto_commit: false }),
    () => ({ max_poll_interval_ms: draws.oneOf([30_000, 40_000]), isolation_level: "read_uncommitted" }),
    // Values that cannot be used fall back alone. Not the session: its default is longer than the time between two kills,
    // and a group that waits for its dead for so long never comes to work.
    () => ({ fetch_max_wait_ms: -1, partition_assignment_strategy: "by-the-moon", max_poll_records: 0 })
  ])()

export const setRow = (url: string, service: string, row: Change): Promise<void> => {
  const columns = Object.keys(row)
  if (columns.length === 0) return Promise.resolve()
  const literal = (value: string | number | boolean) => typeof value === "string" ? `'${value}'` : String(value)
  const values = Object.values(row).map(literal)
  return withDatabase(
    url,
    Effect.asVoid(Effect.flatMap(PgClient.PgClient, (sql) =>
      sql.unsafe(
        `INSERT INTO pipeline_consumer_configs (service_name, ${columns.join(", ")})
         VALUES ('${service}', ${values.join(", ")})
         ON CONFLICT (service_name) DO UPDATE SET ${columns.map((name) => `${name} = EXCLUDED.${name}`).join(", ")}`
      ).unprepared))
  )
}
