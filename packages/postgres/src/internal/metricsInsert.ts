/**
 * The statement that writes measurements: all kinds in one, whatever their number.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { Measurements } from "@weft/pipeline/MetricsSink"
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import {
  type Columns,
  lagColumns,
  lagRow,
  memberColumns,
  memberRow,
  metricsColumns,
  metricsRow,
  olderLagColumns,
  olderMetricsColumns
} from "./metricsRows.ts"

/**
 * One INSERT of any number of rows. A row that is there already, because the answer to the first write was lost, adds
 * nothing.
 */
const insert = (sql: PgClient.PgClient, table: string, columns: Columns, rows: ReadonlyArray<unknown>) => {
  const names = Object.keys(columns).join(", ")
  const typed = Object.entries(columns).map(([name, type]) => `${name} ${type}`).join(", ")
  return sql`
    INSERT INTO ${sql(table)} (${sql.literal(names)}, timestamp)
    SELECT ${sql.literal(names)}, to_timestamp(at_ms / 1000)
    FROM jsonb_to_recordset(${sql.json(rows)}) AS row (${sql.literal(typed)}, at_ms double precision)
    ON CONFLICT DO NOTHING`
}

const insertMetrics = (sql: PgClient.PgClient, { metrics }: Measurements, columns: Columns = metricsColumns) =>
  insert(sql, "consumer_processing_metrics", columns, metrics.map(metricsRow))

const insertLag = (sql: PgClient.PgClient, { lag }: Measurements, columns: Columns = olderLagColumns) =>
  insert(sql, "consumer_lag_history", columns, lag.map(lagRow))

const insertAll = (sql: PgClient.PgClient, measurements: Measurements, columns: Columns) =>
  sql`
    WITH metrics AS (${insertMetrics(sql, measurements)}),
    members AS (${insert(sql, "consumer_member_metrics", memberColumns, measurements.members.map(memberRow))})
    ${insertLag(sql, measurements, columns)}`

type Write = (sql: PgClient.PgClient, measurements: Measurements) => Effect.Effect<unknown, SqlError>

/** What a database takes, the newest first. */
export const writes: readonly [Write, ...ReadonlyArray<Write>] = [
  (sql, measurements) => insertAll(sql, measurements, lagColumns),
  // Where migration 0051 has not run.
  (sql, measurements) => insertAll(sql, measurements, olderLagColumns),
  // Where migration 0047 has not run, either.
  (sql, measurements) =>
    sql`
      WITH metrics AS (${insertMetrics(sql, measurements, olderMetricsColumns)})
      ${insertLag(sql, measurements)}`
]
