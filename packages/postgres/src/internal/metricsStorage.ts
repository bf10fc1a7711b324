/**
 * The steps of the job that keeps a table of metrics. Each is a transaction under the job's advisory lock, and is right
 * whatever step of another run came before it.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { MetricsTable } from "./metricsTables.ts"

type Sql = PgClient.PgClient

/** A number that says "weft" among the advisory locks of a database; the second one is the table's. */
const weft = 0x77656674
const lockOf = (sql: Sql, { name }: MetricsTable) => sql`${weft}::int, hashtext(${name})`

/** Partitions of so many days are there before their days begin. */
const daysAhead = 3

/**
 * In a transaction: no other run is at work on the table, and no lock on it is waited for longer than writers can wait behind
 * it.
 */
const locked = <A, E, R>(sql: Sql, table: MetricsTable, step: Effect.Effect<A, E, R>) =>
  sql.withTransaction(
    Effect.andThen(
      Effect.andThen(
        sql`SELECT pg_advisory_xact_lock(${lockOf(sql, table)})`,
        sql`SELECT set_config('lock_timeout', '3000', true)`
      ),
      step
    )
  )

const cutoff = (sql: Sql, retention: number) =>
  sql`date_trunc('day', now() - make_interval(secs => ${retention}::double precision), 'UTC')`

/** Takes the table's turn, where the last one began at least `every` seconds ago. */
export const claim = (
  sql: Sql,
  table: MetricsTable,
  every: number
): Effect.Effect<"claimed" | "not due" | "elsewhere", SqlError> =>
  sql.withTransaction(Effect.gen(function*() {
    const [free] = yield* sql<{ taken: boolean }>`
      SELECT pg_try_advisory_xact_lock(${lockOf(sql, table)}) AS taken`
    if (free?.taken !== true) return "elsewhere"
    const rows = yield* sql`
      UPDATE consumer_metrics_maintenance SET ran_at = clock_timestamp()
      WHERE table_name = ${table.name}
        AND coalesce(ran_at <= clock_timestamp() - make_interval(secs => ${every}::double precision), true)
      RETURNING 1 AS claimed`
    return rows.length > 0 ? "claimed" : "not due"
  }))

export const unclaim = (sql: Sql, { name }: MetricsTable) =>
  sql`UPDATE consumer_metrics_maintenance SET ran_at = NULL WHERE table_name = ${name}`

export interface Partition {
  readonly name: string
  readonly since: string
  readonly until: string
}

export interface Storage {
  readonly kind: "partitions" | "chunks" | "plain"
  /** Those that hold nothing but what is too old. */
  readonly expired: ReadonlyArray<Partition>
}

/** How the table is stored: TimescaleDB's hypertables look like plain ones. */
export const readStorage = Effect.fnUntraced(function*(
  sql: Sql,
  { name }: MetricsTable,
  retention: number
): Effect.fn.Return<Storage, SqlError> {
  const [found] = yield* sql<{ isPartitioned: boolean; hasTimescale: boolean }>`
    SELECT
      (SELECT relkind = 'p' FROM pg_class WHERE oid = ${name}::regclass) AS "isPartitioned",
      EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS "hasTimescale"`
  if (found?.isPartitioned === true) {
    const expired = yield* sql<Partition>`
      SELECT partition::text AS name, lower::text AS since, upper::text AS until
      FROM weft_metrics_partitions(${name}::regclass) WHERE upper <= ${cutoff(sql, retention)} ORDER BY upper`
    return { kind: "partitions", expired }
  }
  if (found?.hasTimescale !== true) return { kind: "plain", expired: [] }
  const hypertables = yield* sql`
    SELECT 1 AS found FROM timescaledb_information.hypertables
    WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = ${name}::regclass`
  return { kind: hypertables.length > 0 ? "chunks" : "plain", expired: [] }
})

/** Of yesterday to the days ahead, and of the days that rows in the default partition are of. */
export const addPartitions = (sql: Sql, table: MetricsTable, retention: number) =>
  locked(
    sql,
    table,
    sql<{ made: number }>`
      SELECT (count(*) FILTER (WHERE weft_add_metrics_partition(${table.name}::regclass, day)))::int AS made FROM (
        SELECT (now() AT TIME ZONE 'UTC')::date + ahead AS day FROM generate_series(-1, ${daysAhead}::int) AS ahead
        UNION
        SELECT (timestamp AT TIME ZONE 'UTC')::date FROM ${sql(`${table.name}_default`)}
        WHERE timestamp >= ${cutoff(sql, retention)} AND timestamp < now() + make_interval(days => ${daysAhead}::int)
      ) AS wanted WHERE day >= (${cutoff(sql, retention)} AT TIME ZONE 'UTC')::date`
  ).pipe(Effect.map(([row]) => row?.made ?? 0))

/** The hours that have ended since the last run, and two more before them for what came late. */
export const sumHours = (sql: Sql, table: MetricsTable) =>
  locked(
    sql,
    table,
    Effect.gen(function*() {
      const [span] = yield* sql<{ since: string; until: string }>`
        SELECT
          greatest(kept_since, summed_until - INTERVAL '2 hours')::text AS since,
          date_trunc('hour', now(), 'UTC')::text AS until
        FROM consumer_metrics_maintenance WHERE table_name = ${table.name}`
      if (span === undefined) return 0
      const hours = yield* table.sum(sql, span)
      yield* sql`
        UPDATE consumer_metrics_maintenance SET summed_until = ${span.until}::timestamptz
        WHERE table_name = ${table.name}`
      return hours.length
    })
  )

/** Sums the hours of the span for good: from now on nothing that arrives late changes them. */
const close = Effect.fnUntraced(function*(sql: Sql, table: MetricsTable, since: string, until: string) {
  const [span] = yield* sql<{ since: string }>`
    SELECT greatest(kept_since, ${since}::timestamptz)::text AS since
    FROM consumer_metrics_maintenance WHERE table_name = ${table.name}`
  const hours = span === undefined ? [] : yield* table.sum(sql, { since: span.since, until })
  yield* sql`
    UPDATE consumer_metrics_maintenance SET kept_since = greatest(kept_since, ${until}::timestamptz)
    WHERE table_name = ${table.name}`
  return hours.length
})

export const drop = (sql: Sql, table: MetricsTable, { name, since, until }: Partition) =>
  locked(
    sql,
    table,
    Effect.gen(function*() {
      const hours = yield* close(sql, table, since, until)
      yield* sql`DROP TABLE IF EXISTS ${sql.literal(name)}`.unprepared
      return { name, hours }
    })
  )

/**
 * Old rows that no expired partition held: those of the default partition, and those of tables without partitions. The
 * partition of all days before the migration goes as a whole, later.
 */
export const deleteRest = (sql: Sql, table: MetricsTable, { kind }: Storage, retention: number) =>
  locked(
    sql,
    table,
    Effect.gen(function*() {
      const [limit] = yield* sql<{ until: string }>`SELECT ${cutoff(sql, retention)}::text AS until`
      const until = limit!.until
      const hours = yield* close(sql, table, "-infinity", until)
      const chunks = kind === "chunks" ? yield* dropChunks(sql, table, until) : []
      const rest = kind === "partitions" ? `${table.name}_default` : table.name
      const [gone] = yield* sql<{ rows: number }>`
        WITH gone AS (DELETE FROM ${sql(rest)} WHERE timestamp < ${until}::timestamptz RETURNING 1)
        SELECT count(*)::int AS rows FROM gone`
      return { hours, chunks, rows: gone?.rows ?? 0 }
    })
  )

const dropChunks = Effect.fnUntraced(function*(sql: Sql, { name }: MetricsTable, until: string) {
  const [schema] = yield* sql<{ name: string }>`
    SELECT nspname AS name FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'timescaledb'`
  const chunks = yield* sql<{ name: string }>`
    SELECT ${sql(`${schema!.name}.drop_chunks`)}(${name}::regclass, older_than => ${until}::timestamptz)::text AS name`
  return chunks.map((chunk) => chunk.name)
})

export const deleteHours = (sql: Sql, table: MetricsTable, retention: number) =>
  locked(
    sql,
    table,
    sql<{ rows: number }>`
      WITH gone AS (
        DELETE FROM ${
      sql(table.hours)
    } WHERE hour < now() - make_interval(secs => ${retention}::double precision) RETURNING 1
      ) SELECT count(*)::int AS rows FROM gone`
  ).pipe(Effect.map(([row]) => row?.rows ?? 0))
