/**
 * Metrics and lag in PostgreSQL: `consumer_processing_metrics` and `consumer_lag_history`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { bounded } from "./internal/bounded.ts"
import { lagRow, metricsRow } from "./internal/metricsRows.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a write may take, waiting for a connection included. Default 10 seconds. */
  readonly writeTimeout?: Duration.Input | undefined
  /** How long rows are kept; older ones are deleted about once an hour. Default 7 days. */
  readonly retention?: Duration.Input | undefined
  /** Rows deleted in one statement, so that none holds its locks for long. Default 10000. */
  readonly pruneSize?: number | undefined
}

/**
 * Deletes the rows of both tables that are older than `retention`, and answers how many they were.
 *
 * @category pruning
 * @since 0.1.0
 */
export const prune = Effect.fnUntraced(function*(options: Pick<Options, "retention" | "pruneSize"> = {}) {
  const sql = yield* PgClient.PgClient
  const seconds = Duration.toSeconds(Duration.fromInputUnsafe(options.retention ?? "7 days"))
  const size = options.pruneSize ?? 10_000
  let deleted = 0
  for (const table of ["consumer_processing_metrics", "consumer_lag_history"]) {
    let last = size
    while (last === size) {
      const rows = yield* sql`
        DELETE FROM ${sql(table)} WHERE id IN (
          SELECT id FROM ${sql(table)}
          WHERE timestamp < now() - make_interval(secs => ${seconds}::double precision)
          ORDER BY timestamp LIMIT ${size}::int
        ) RETURNING 1 AS deleted`
      last = rows.length
      deleted += last
    }
  }
  return deleted
})

/**
 * A sink that writes all that it is given in one statement: a row per topic and per partition, all or none of them. A
 * write that is repeated, because its answer was lost, adds nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options = {}): Layer.Layer<MetricsSink.MetricsSink, never, PgClient.PgClient> =>
  Layer.effect(
    MetricsSink.MetricsSink,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* prune(options).pipe(
        Effect.timeout("10 minutes"),
        Effect.catch((error) => Effect.logDebug(`old metrics could not be deleted: ${error.message}`)),
        Effect.repeat(Schedule.jittered(Schedule.spaced("1 hour"))),
        Effect.delay("1 minute"),
        Effect.forkScoped
      )
      const writeTimeout = Duration.fromInputUnsafe(options.writeTimeout ?? "10 seconds")
      const late = `no answer from the database within ${Duration.toMillis(writeTimeout)} ms`
      return MetricsSink.MetricsSink.of({
        write: ({ lag, metrics }) =>
          metrics.length + lag.length === 0 ? Effect.void : sql`
            WITH metrics AS (
              INSERT INTO consumer_processing_metrics (
                service_name, topic, member, timestamp, interval_ms, messages_processed, processing_time_ms,
                processing_time_p50_ms, processing_time_p95_ms, processing_time_p99_ms, messages_per_second, bytes,
                retries, failures, skipped, dead_letters, memory_usage_mb
              )
              SELECT
                service_name, topic, member, to_timestamp(at_ms / 1000), interval_ms, messages_processed,
                processing_time_ms, processing_time_p50_ms, processing_time_p95_ms, processing_time_p99_ms,
                messages_per_second, bytes, retries, failures, skipped, dead_letters, memory_usage_mb
              FROM jsonb_to_recordset(${sql.json(metrics.map(metricsRow))}) AS row (
                service_name text, topic text, member text, at_ms double precision, interval_ms double precision,
                messages_processed bigint, processing_time_ms double precision,
                processing_time_p50_ms double precision, processing_time_p95_ms double precision,
                processing_time_p99_ms double precision, messages_per_second double precision, bytes bigint,
                retries bigint, failures bigint, skipped bigint, dead_letters bigint, memory_usage_mb double precision
              )
              ON CONFLICT DO NOTHING
            )
            INSERT INTO consumer_lag_history (
              service_name, consumer_group_id, member, topic, partition, lag, consumer_offset, end_offset, lag_seconds,
              timestamp
            )
            SELECT
              service_name, consumer_group_id, member, topic, partition, lag, consumer_offset, end_offset, lag_seconds,
              to_timestamp(at_ms / 1000)
            FROM jsonb_to_recordset(${sql.json(lag.map(lagRow))}) AS row (
              service_name text, consumer_group_id text, member text, topic text, partition integer, lag bigint,
              consumer_offset bigint, end_offset bigint, lag_seconds double precision, at_ms double precision
            )
            ON CONFLICT DO NOTHING
          `.pipe(
            bounded(writeTimeout),
            Effect.flatMap(Effect.fromOption),
            Effect.catchTag("NoSuchElementError", () => Effect.fail(new Cause.TimeoutError(late))),
            Effect.mapError((cause) => new MetricsSink.MetricsSinkError({ cause })),
            Effect.asVoid
          )
      })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<MetricsSink.MetricsSink, never, PgClient.PgClient> = layerWith()
