/**
 * The lag of services as it is and as it was, read from PostgreSQL.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { LagStatus } from "@weft/pipeline/LagStatus"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./internal/bounded.ts"
import { detailOf } from "./internal/sqlFault.ts"

/**
 * The lag of a service on a topic: the last sample of each partition, of the last 5 minutes.
 *
 * @category models
 * @since 0.1.0
 */
export interface CurrentLag {
  readonly service: string
  readonly topic: string
  readonly partitionCount: number
  readonly totalLag: bigint
  readonly avgLagPerPartition: number
  readonly maxPartitionLag: bigint
  readonly lastUpdate: Date
}

/**
 * The lag of a service on a topic over the last 10 minutes, rated by the service's thresholds in `consumer_lag_thresholds`:
 * where it has none, `critical` above 10000 records or 30 minutes on a partition, `warning` above 1000 or 5 minutes.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagAlert {
  readonly service: string
  readonly topic: string
  readonly avgLag: number
  readonly maxLag: bigint
  /** As a member runs with it; where none reports, of the service's row: `null` where it is left out or there is none. */
  readonly maxPollRecords: number | null
  readonly maxPollIntervalMs: number | null
  readonly level: "critical" | "warning" | "ok"
  readonly message: string
}

/**
 * One sample of one partition.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagPoint {
  readonly topic: string
  readonly partition: number
  readonly lag: bigint
  readonly consumerOffset: bigint | null
  readonly endOffset: bigint | null
  readonly lagSeconds: number | null
  /** What the samples of the partition meant then; `null` where the writer did not tell. */
  readonly status: LagStatus | null
  readonly member: string | null
  readonly timestamp: Date
}

/**
 * The lag could not be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class LagHistoryError extends Data.TaggedError("LagHistoryError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * Reads lag.
 *
 * @category services
 * @since 0.1.0
 */
export class LagHistory extends Context.Service<LagHistory, {
  /** Of one service, or of all. */
  readonly current: (service?: string) => Effect.Effect<ReadonlyArray<CurrentLag>, LagHistoryError>
  /** Of one service, or of all; those that are `ok` included. */
  readonly alerts: (service?: string) => Effect.Effect<ReadonlyArray<LagAlert>, LagHistoryError>
  /** The samples of a service not older than `within`, oldest first; at most the newest 10000. */
  readonly history: (
    service: string,
    within: Duration.Input
  ) => Effect.Effect<ReadonlyArray<LagPoint>, LagHistoryError>
}>()("@weft/postgres/LagHistory") {}

const failed = (error: SqlError) =>
  new LagHistoryError({ cause: error, message: `the lag cannot be read: ${detailOf(error)}` })

const late = () =>
  new LagHistoryError({ cause: undefined, message: "the lag cannot be read: no answer within 10 seconds" })

/**
 * Lag from the tables and views of migration 0041. A query may take 10 seconds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<LagHistory, never, PgClient.PgClient> = Layer.effect(
  LagHistory,
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    const ask = <A>(query: Effect.Effect<A, SqlError>) =>
      query.pipe(
        Effect.mapError(failed),
        bounded("10 seconds"),
        Effect.flatMap(Option.match({ onNone: () => Effect.fail(late()), onSome: (rows) => Effect.succeed(rows) }))
      )
    const of = (service: string | undefined) =>
      service === undefined ? sql`TRUE` : sql`service_name = ${service.replaceAll("\u0000", "")}`
    return LagHistory.of({
      current: (service) =>
        ask(sql<CurrentLag>`
          SELECT
            service_name AS service, topic, partition_count AS "partitionCount", total_lag AS "totalLag",
            avg_lag_per_partition AS "avgLagPerPartition", max_partition_lag AS "maxPartitionLag",
            last_update AS "lastUpdate"
          FROM v_current_consumer_lag WHERE ${of(service)} ORDER BY service_name, topic`),
      alerts: (service) =>
        ask(sql<LagAlert>`
          SELECT
            service_name AS service, topic, avg_lag AS "avgLag", max_lag AS "maxLag",
            max_poll_records AS "maxPollRecords", max_poll_interval_ms AS "maxPollIntervalMs",
            alert_level AS level, alert_message AS message
          FROM v_consumer_lag_alerts WHERE ${of(service)} ORDER BY max_lag DESC, service_name, topic`),
      history: (service, within) =>
        ask(sql<LagPoint>`
          SELECT
            topic, partition, lag, consumer_offset AS "consumerOffset", end_offset AS "endOffset",
            lag_seconds AS "lagSeconds", to_jsonb(newest) ->> 'status' AS status, member, timestamp
          FROM (
            -- Also where migration 0051 has not run, and there is no status.
            SELECT *
            FROM consumer_lag_history
            WHERE ${of(service)} AND timestamp > now() - make_interval(
              secs => ${Duration.toSeconds(Duration.fromInputUnsafe(within))}::double precision
            )
            ORDER BY timestamp DESC LIMIT 10000
          ) AS newest ORDER BY timestamp, topic, partition`)
    })
  })
)
