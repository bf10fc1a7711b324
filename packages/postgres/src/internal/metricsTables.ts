/**
 * The tables of metrics, and how the rows of a span of time become hours.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Effect from "effect/Effect"
import { pairs } from "./durations.ts"

type Sql = PgClient.PgClient

/** From and with the first moment to before the second, as texts of timestamptz: they may be infinite. */
export interface Span {
  readonly since: string
  readonly until: string
}

export interface MetricsTable {
  readonly name: string
  readonly hours: string
  /** Writes the hours of the span anew from the rows that are there. */
  readonly sum: (sql: Sql, span: Span) => Effect.Effect<ReadonlyArray<unknown>, SqlError>
}

const inSpan = (sql: Sql, { since, until }: Span) =>
  sql`timestamp >= ${since}::timestamptz AND timestamp < ${until}::timestamptz AND isfinite(timestamp)`

const hourOf = (sql: Sql) => sql`date_trunc('hour', timestamp, 'UTC')`

const upsert = (sql: Sql, keys: ReadonlyArray<string>, columns: ReadonlyArray<string>) =>
  sql.literal(
    `ON CONFLICT (${keys.join(", ")}) DO UPDATE SET `
      + `${columns.map((column) => `${column} = EXCLUDED.${column}`).join(", ")} RETURNING 1 AS written`
  )

const processing: MetricsTable = {
  name: "consumer_processing_metrics",
  hours: "consumer_processing_metrics_by_hour",
  sum: (sql, span) => {
    const keys = ["service_name", "topic", "hour"]
    const columns = [
      "members",
      "messages_processed",
      "timed_messages",
      "processing_time_total_ms",
      "bytes",
      "retries",
      "failures",
      "skipped",
      "dead_letters",
      "batches",
      "full_batches",
      "max_memory_usage_mb",
      "durations"
    ]
    return sql`
      INSERT INTO consumer_processing_metrics_by_hour (${sql.literal([...keys, ...columns].join(", "))})
      SELECT summed.*, coalesce(spread.durations, '[]')
      FROM (
        SELECT
          service_name, topic, ${hourOf(sql)} AS hour, count(DISTINCT member), sum(messages_processed),
          coalesce(sum(messages_processed) FILTER (WHERE processing_time_ms IS NOT NULL), 0),
          coalesce(sum(processing_time_ms * messages_processed), 0), coalesce(sum(bytes), 0),
          coalesce(sum(retries), 0), coalesce(sum(failures), 0), coalesce(sum(skipped), 0),
          coalesce(sum(dead_letters), 0), coalesce(sum(batches), 0), coalesce(sum(full_batches), 0),
          max(memory_usage_mb)
        FROM consumer_processing_metrics WHERE ${inSpan(sql, span)}
        GROUP BY 1, 2, 3
      ) AS summed
      LEFT JOIN (
        SELECT service_name, topic, hour, jsonb_agg(jsonb_build_array(bound, records) ORDER BY bound) AS durations
        FROM (
          SELECT
            service_name, topic, ${hourOf(sql)} AS hour, (pair->>0)::double precision AS bound,
            sum((pair->>1)::double precision) AS records
          FROM consumer_processing_metrics CROSS JOIN LATERAL ${pairs(sql)}
          WHERE ${inSpan(sql, span)}
          GROUP BY 1, 2, 3, 4
        ) AS buckets
        GROUP BY 1, 2, 3
      ) AS spread ON spread.service_name = summed.service_name AND spread.topic IS NOT DISTINCT FROM summed.topic
        AND spread.hour = summed.hour
      ${upsert(sql, keys, columns)}`
  }
}

const lag: MetricsTable = {
  name: "consumer_lag_history",
  hours: "consumer_lag_by_hour",
  sum: (sql, span) => {
    const keys = ["service_name", "topic", "hour"]
    const columns = [
      "partitions",
      "samples",
      "mean_total_lag",
      "max_partition_lag",
      "max_lag_partition",
      "max_lag_seconds"
    ]
    return sql`
      INSERT INTO consumer_lag_by_hour (${sql.literal([...keys, ...columns].join(", "))})
      SELECT
        service_name, topic, hour, count(*), sum(samples), sum(mean_lag), max(max_lag),
        (array_agg(partition ORDER BY max_lag DESC, partition))[1], max(max_lag_seconds)
      FROM (
        SELECT
          service_name, topic, ${hourOf(sql)} AS hour, partition, count(*) AS samples,
          avg(lag)::double precision AS mean_lag, max(lag) AS max_lag, max(lag_seconds) AS max_lag_seconds
        FROM consumer_lag_history WHERE ${inSpan(sql, span)}
        GROUP BY 1, 2, 3, 4
      ) AS of_partitions
      GROUP BY 1, 2, 3
      ${upsert(sql, keys, columns)}`
  }
}

const members: MetricsTable = {
  name: "consumer_member_metrics",
  hours: "consumer_member_metrics_by_hour",
  sum: (sql, span) => {
    const keys = ["service_name", "hour"]
    const columns = [
      "members",
      "max_queued_records",
      "max_queued_bytes",
      "max_oldest_in_flight_ms",
      "max_uncommitted_records",
      "commits",
      "commit_failures",
      "commit_time_total_ms",
      "max_commit_p99_ms",
      "rebalances",
      "lost",
      "crashes",
      "stalls",
      "max_memory_usage_mb",
      "max_heap_used_mb",
      "max_event_loop_delay_ms",
      "late_completions"
    ]
    return sql`
      INSERT INTO consumer_member_metrics_by_hour (${sql.literal([...keys, ...columns].join(", "))})
      SELECT
        service_name, hour, count(*), max(queued_records), max(queued_bytes), max(oldest_in_flight_ms),
        max(uncommitted_records), sum(commits), sum(commit_failures), sum(commit_total_ms), max(commit_p99_ms),
        max(rebalances), sum(lost), sum(crashes), sum(stalls), max(memory_usage_mb), max(heap_used_mb),
        max(event_loop_delay_ms), sum(late_completions)
      FROM (
        SELECT
          service_name, ${hourOf(sql)} AS hour, member, max(queued_records) AS queued_records,
          max(queued_bytes) AS queued_bytes, max(oldest_in_flight_ms) AS oldest_in_flight_ms,
          max(uncommitted_records) AS uncommitted_records, coalesce(sum(commits), 0) AS commits,
          coalesce(sum(commit_failures), 0) AS commit_failures,
          coalesce(sum(commit_mean_ms * commits), 0) AS commit_total_ms, max(commit_p99_ms) AS commit_p99_ms,
          coalesce(sum(rebalances), 0) AS rebalances, coalesce(sum(lost), 0) AS lost,
          coalesce(sum(crashes), 0) AS crashes, coalesce(sum(stalls), 0) AS stalls,
          max(memory_usage_mb) AS memory_usage_mb, max(heap_used_mb) AS heap_used_mb,
          max(event_loop_delay_ms) AS event_loop_delay_ms, coalesce(sum(late_completions), 0) AS late_completions
        FROM consumer_member_metrics WHERE ${inSpan(sql, span)}
        GROUP BY 1, 2, 3
      ) AS of_members
      GROUP BY 1, 2
      ${upsert(sql, keys, columns)}`
  }
}

export const metricsTables: ReadonlyArray<MetricsTable> = [lag, processing, members]
