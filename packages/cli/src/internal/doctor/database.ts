/** The database: whether it answers, what it is, and what its user may do. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { count } from "../table.ts"
import { type Finding, of } from "./finding.ts"

const finding = of("database")

const oldestMajor = 15

/** More than this and times of other machines mislead: lag in seconds, leases, what was seen last. */
const skewMostMs = 2_000

export const versionFinding = (version: string): Finding => {
  const major = Number.parseInt(version, 10)
  return major >= oldestMajor
    ? finding("PostgreSQL", "ok", version)
    : finding("PostgreSQL", "failure", version, `update to PostgreSQL ${oldestMajor} or newer`)
}

/** `aheadMs`: how far the database's clock is ahead of ours; `uncertainMs`: how long the question took. */
export const skewFinding = (aheadMs: number, uncertainMs: number): Finding => {
  const skew = Math.max(0, Math.abs(aheadMs) - uncertainMs / 2)
  const said = `${(Math.abs(aheadMs) / 1000).toFixed(2)} s ${aheadMs < 0 ? "behind" : "ahead of"} this machine's`
  return skew <= skewMostMs
    ? finding("clock", "ok", said)
    : finding("clock", "warning", said, "let NTP set the clocks of both machines")
}

/** What a consumer needs to do in each table, with all that `PostgresPipeline` gives it. */
const needed: ReadonlyArray<readonly [table: string, privileges: string]> = [
  ["pipeline_consumer_configs", "SELECT"],
  ["consumer_workload_profiles", "SELECT"],
  ["consumer_profile_rules", "SELECT"],
  ["consumer_config_history", "SELECT"],
  ["consumer_applied_configs", "SELECT, INSERT, UPDATE, DELETE"],
  ["consumer_rejoin_leases", "SELECT, INSERT, UPDATE, DELETE"],
  ["consumer_processing_metrics", "SELECT, INSERT"],
  ["consumer_member_metrics", "SELECT, INSERT"],
  ["consumer_lag_history", "SELECT, INSERT"],
  ["consumer_recommendations", "SELECT, INSERT, UPDATE, DELETE"],
  ["consumer_recommendation_runs", "SELECT, INSERT, UPDATE"]
]

const permissions = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ readonly table: string; readonly privilege: string }>`
    SELECT needed."table", trim(privilege) AS privilege
    FROM jsonb_to_recordset(${sql.json(needed.map(([table, privileges]) => ({ table, privileges })))})
      AS needed ("table" text, privileges text),
      unnest(string_to_array(needed.privileges, ',')) AS privilege
    WHERE to_regclass(quote_ident(needed."table")) IS NOT NULL
      AND NOT has_table_privilege(quote_ident(needed."table"), trim(privilege))`
  const missing = [...Map.groupBy(rows, ({ table }) => table)].map(([table, all]) =>
    `${all.map(({ privilege }) => privilege).join(", ")} ON ${table}`
  )
  return missing.length === 0
    ? finding("permissions", "ok", "all that consumers need")
    : finding(
      "permissions",
      "warning",
      `missing: ${missing.join("; ")}`,
      `as the owner: ${missing.map((one) => `GRANT ${one} TO CURRENT_USER_HERE`).join("; ")}`
    )
})

const migrations = SqlMigrator.status().pipe(
  Effect.map(({ applied, pending, unknown }) => {
    if (pending.length > 0) {
      return finding("migrations", "failure", `${count(pending.length, "file")} not applied`, "weft migrate")
    }
    return unknown.length > 0
      ? finding("migrations", "warning", "the tables are of a newer version", "update Weft here")
      : finding("migrations", "ok", `${count(applied.length, "file")} applied`)
  }),
  Effect.catch(({ message }) =>
    Effect.succeed(finding("migrations", "failure", message, "weft migrate --status tells more"))
  )
)

export const examine = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const before = yield* Clock.currentTimeMillis
  const [about] = yield* sql<{ readonly version: string; readonly user: string; readonly ms: number }>`
    SELECT current_setting('server_version') AS version, current_user AS user,
      (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS ms`
  const after = yield* Clock.currentTimeMillis
  const allowed = yield* permissions
  return [
    versionFinding(about!.version),
    skewFinding(about!.ms - (before + after) / 2, after - before),
    yield* migrations,
    { ...allowed, next: allowed.next?.replaceAll("CURRENT_USER_HERE", about!.user) }
  ]
})
