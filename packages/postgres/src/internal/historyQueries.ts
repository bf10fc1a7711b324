/**
 * The queries of `MetricsHistory`.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Histogram from "@weft/pipeline/Histogram"
import type { LagSample, MemberMetrics, ProcessingMetrics } from "@weft/pipeline/MetricsSink"
import * as Effect from "effect/Effect"
import { histogramOf, pairs } from "./durations.ts"
import { storable } from "./storable.ts"

export interface Times {
  readonly service: string | undefined
  readonly since: number
  readonly until: number
}

export interface Steps extends Times {
  readonly stepMs: number
}

/** Of a kind, in one answer: enough for hours of a large service, and bounded memory whatever the window. */
const most = 50_000
const samplesOfPartition = 30

const within = (sql: PgClient.PgClient, { service, since, until }: Times) =>
  sql`timestamp > to_timestamp(${since / 1000}::double precision)
    AND timestamp <= to_timestamp(${until / 1000}::double precision)
    AND ${service === undefined ? sql`TRUE` : sql`service_name = ${storable(service)}`}`

const millis = (sql: PgClient.PgClient, expression: string) =>
  sql`round(extract(epoch FROM ${sql.literal(expression)}) * 1000)::double precision`

/** The end of the interval in which a row's timestamp is; a timestamp at its end is of it. */
const endOf = (sql: PgClient.PgClient, stepMs: number) =>
  sql`ceil(round(extract(epoch FROM timestamp) * 1000) / ${stepMs}::double precision) * ${stepMs}::double precision`

interface MetricsRow extends Omit<ProcessingMetrics, "busiestKeyRecords"> {
  readonly busiestKeyRecords: number | null
}

export const metrics = (sql: PgClient.PgClient, times: Times) =>
  sql<MetricsRow>`
    SELECT * FROM (
      SELECT
        service_name AS service, coalesce(topic, '') AS topic, coalesce(member, '') AS member,
        ${millis(sql, "timestamp")} AS timestamp, coalesce(interval_ms, 0) AS "intervalMs",
        messages_processed::double precision AS "messagesProcessed",
        coalesce(processing_time_ms, 0) AS "processingTimeMs",
        coalesce(processing_time_p50_ms, 0) AS "processingTimeP50Ms",
        coalesce(processing_time_p95_ms, 0) AS "processingTimeP95Ms",
        coalesce(processing_time_p99_ms, 0) AS "processingTimeP99Ms",
        coalesce(messages_per_second, 0) AS "messagesPerSecond",
        coalesce(bytes, 0)::double precision AS bytes, coalesce(retries, 0)::double precision AS retries,
        coalesce(failures, 0)::double precision AS failures, coalesce(skipped, 0)::double precision AS skipped,
        coalesce(dead_letters, 0)::double precision AS "deadLetters", coalesce(memory_usage_mb, 0) AS "memoryUsageMb",
        coalesce(durations, '[]') AS durations, coalesce(batches, 0)::double precision AS batches,
        coalesce(full_batches, 0)::double precision AS "fullBatches", coalesce(partitions, 0) AS partitions,
        coalesce(busiest_partition_records, 0)::double precision AS "busiestPartitionRecords",
        busiest_key_records::double precision AS "busiestKeyRecords"
      FROM consumer_processing_metrics WHERE ${within(sql, times)} ORDER BY 4 DESC LIMIT ${most}::int
    ) AS newest ORDER BY timestamp, service, topic, member
  `.pipe(Effect.map((rows): ReadonlyArray<ProcessingMetrics> =>
    rows.map((row) => ({
      ...row,
      durations: histogramOf(row.durations),
      busiestKeyRecords: row.busiestKeyRecords ?? undefined
    }))
  ))

export const members = (sql: PgClient.PgClient, times: Times) =>
  sql<MemberMetrics>`
    SELECT * FROM (
      SELECT
        service_name AS service, coalesce(consumer_group_id, '') AS "group", member,
        ${millis(sql, "timestamp")} AS timestamp, coalesce(interval_ms, 0) AS "intervalMs",
        coalesce(partitions, 0) AS partitions, coalesce(paused_partitions, 0) AS "pausedPartitions",
        coalesce(queued_records, 0)::double precision AS "queuedRecords",
        coalesce(queued_bytes, 0)::double precision AS "queuedBytes",
        coalesce(in_flight, 0)::double precision AS "inFlight", coalesce(oldest_in_flight_ms, 0) AS "oldestInFlightMs",
        coalesce(uncommitted_records, 0)::double precision AS "uncommittedRecords",
        coalesce(commits, 0)::double precision AS commits,
        coalesce(commit_failures, 0)::double precision AS "commitFailures",
        coalesce(commit_mean_ms, 0) AS "commitMeanMs", coalesce(commit_p99_ms, 0) AS "commitP99Ms",
        coalesce(rebalances, 0)::double precision AS rebalances, coalesce(lost, 0)::double precision AS lost,
        coalesce(crashes, 0)::double precision AS crashes, coalesce(stalls, 0)::double precision AS stalls,
        coalesce(memory_usage_mb, 0) AS "memoryUsageMb", coalesce(heap_used_mb, 0) AS "heapUsedMb",
        coalesce(event_loop_delay_ms, 0) AS "eventLoopDelayMs",
        coalesce(late_completions, 0)::double precision AS "lateCompletions"
      FROM consumer_member_metrics WHERE ${within(sql, times)} ORDER BY 4 DESC LIMIT ${most}::int
    ) AS newest ORDER BY timestamp, service, member`

/** Of each partition the last sample of each of thirty parts of the window. */
export const lag = (sql: PgClient.PgClient, times: Times) =>
  sql<LagSample>`
    SELECT * FROM (
      SELECT * FROM (
        SELECT DISTINCT ON (service_name, topic, partition, part)
          service_name AS service, coalesce(consumer_group_id, '') AS "group", coalesce(member, '') AS member, topic,
          partition, lag, coalesce(consumer_offset, 0) AS "consumerOffset",
          coalesce(end_offset, consumer_offset + lag, lag) AS "endOffset", coalesce(lag_seconds, 0) AS "lagSeconds",
          ${millis(sql, "timestamp")} AS timestamp
        FROM (
          SELECT *, ${endOf(sql, Math.max(1, (times.until - times.since) / samplesOfPartition))} AS part
          FROM consumer_lag_history WHERE ${within(sql, times)}
        ) AS sampled
        ORDER BY service_name, topic, partition, part, sampled.timestamp DESC, id DESC
      ) AS thinned ORDER BY timestamp DESC LIMIT ${most}::int
    ) AS newest ORDER BY timestamp, service, topic, partition`

interface TopicRow {
  readonly service: string
  readonly topic: string | null
  readonly timestamp: number
  readonly members: number
  readonly messagesProcessed: number
  readonly processingTimeMs: number | null
  readonly durations: Histogram.Histogram
  readonly bytes: number
  readonly retries: number
  readonly failures: number
  readonly skipped: number
  readonly deadLetters: number
  readonly batches: number
  readonly fullBatches: number
  readonly memoryUsageMb: number | null
}

const withQuantiles = (stepMs: number) => (row: TopicRow) => {
  const quantile = (q: number) => row.durations.length === 0 ? null : Histogram.quantile(row.durations, q)
  return {
    ...row,
    intervalMs: stepMs,
    messagesPerSecond: row.messagesProcessed * 1000 / stepMs,
    processingTimeP50Ms: quantile(0.5),
    processingTimeP95Ms: quantile(0.95),
    processingTimeP99Ms: quantile(0.99)
  }
}

export const topicIntervals = (sql: PgClient.PgClient, steps: Steps) =>
  sql<TopicRow>`
    WITH measured AS MATERIALIZED (
      SELECT *, ${endOf(sql, steps.stepMs)} AS until FROM consumer_processing_metrics WHERE ${within(sql, steps)}
    ), spread AS (
      SELECT
        service_name, topic, until,
        jsonb_agg(jsonb_build_array(bound, records) ORDER BY bound) AS durations
      FROM (
        SELECT
          service_name, topic, until, (pair->>0)::double precision AS bound,
          sum((pair->>1)::double precision) AS records
        FROM measured CROSS JOIN LATERAL ${pairs(sql)}
        GROUP BY 1, 2, 3, 4
      ) AS buckets
      GROUP BY 1, 2, 3
    ), summed AS (
      SELECT
        service_name, topic, until, count(DISTINCT member)::int AS members,
        sum(messages_processed)::double precision AS "messagesProcessed",
        sum(processing_time_ms * messages_processed)
          / nullif(sum(messages_processed) FILTER (WHERE processing_time_ms IS NOT NULL), 0)::double precision
          AS "processingTimeMs",
        coalesce(sum(bytes), 0)::double precision AS bytes, coalesce(sum(retries), 0)::double precision AS retries,
        coalesce(sum(failures), 0)::double precision AS failures,
        coalesce(sum(skipped), 0)::double precision AS skipped,
        coalesce(sum(dead_letters), 0)::double precision AS "deadLetters",
        coalesce(sum(batches), 0)::double precision AS batches,
        coalesce(sum(full_batches), 0)::double precision AS "fullBatches", max(memory_usage_mb) AS "memoryUsageMb"
      FROM measured GROUP BY 1, 2, 3
    )
    SELECT
      summed.service_name AS service, summed.topic, summed.until AS timestamp, members, "messagesProcessed",
      "processingTimeMs", coalesce(spread.durations, '[]') AS durations, bytes, retries, failures, skipped,
      "deadLetters", batches, "fullBatches", "memoryUsageMb"
    FROM summed LEFT JOIN spread ON spread.service_name = summed.service_name
      AND spread.topic IS NOT DISTINCT FROM summed.topic AND spread.until = summed.until
    ORDER BY summed.until, 1, 2
  `.pipe(Effect.map((rows) => rows.map(withQuantiles(steps.stepMs))))

export const hours = (sql: PgClient.PgClient, steps: Steps) =>
  sql<TopicRow>`
    SELECT
      service_name AS service, topic, ${millis(sql, "timestamp")} AS timestamp, members,
      messages_processed::double precision AS "messagesProcessed",
      processing_time_total_ms / nullif(timed_messages, 0) AS "processingTimeMs", durations,
      bytes::double precision AS bytes, retries::double precision AS retries, failures::double precision AS failures,
      skipped::double precision AS skipped, dead_letters::double precision AS "deadLetters",
      batches::double precision AS batches, full_batches::double precision AS "fullBatches",
      max_memory_usage_mb AS "memoryUsageMb"
    FROM (SELECT *, hour + INTERVAL '1 hour' AS timestamp FROM consumer_processing_metrics_by_hour) AS kept
    WHERE ${within(sql, steps)}
    ORDER BY 3, 1, 2
  `.pipe(Effect.map((rows) => rows.map(withQuantiles(steps.stepMs))))

interface ServiceRow {
  readonly service: string
  readonly timestamp: number
  readonly members: number
  readonly partitions: number
  readonly pausedPartitions: number
  readonly queuedRecords: number
  readonly queuedBytes: number
  readonly inFlight: number
  readonly uncommittedRecords: number
  readonly commits: number
  readonly commitFailures: number
  readonly lost: number
  readonly crashes: number
  readonly stalls: number
  readonly lateCompletions: number
  readonly rebalances: number
  readonly commitMeanMs: number | null
  readonly commitP99Ms: number | null
  readonly oldestInFlightMs: number | null
  readonly memoryUsageMb: number | null
  readonly heapUsedMb: number | null
  readonly eventLoopDelayMs: number | null
}

const last = (sql: PgClient.PgClient, column: string) =>
  sql`coalesce((array_agg(${sql(column)} ORDER BY timestamp DESC))[1], 0)::double precision AS ${sql(column)}`

export const serviceIntervals = (sql: PgClient.PgClient, steps: Steps) =>
  sql<ServiceRow>`
    WITH of_members AS (
      SELECT
        service_name, member, ${endOf(sql, steps.stepMs)} AS until,
        ${last(sql, "partitions")}, ${last(sql, "paused_partitions")}, ${last(sql, "queued_records")},
        ${last(sql, "queued_bytes")}, ${last(sql, "in_flight")}, ${last(sql, "uncommitted_records")},
        coalesce(sum(commits), 0)::double precision AS commits,
        coalesce(sum(commit_failures), 0)::double precision AS commit_failures,
        coalesce(sum(lost), 0)::double precision AS lost, coalesce(sum(crashes), 0)::double precision AS crashes,
        coalesce(sum(stalls), 0)::double precision AS stalls,
        coalesce(sum(late_completions), 0)::double precision AS late_completions,
        coalesce(sum(rebalances), 0)::double precision AS rebalances,
        sum(commit_mean_ms * commits) AS commit_total_ms, max(commit_p99_ms) AS commit_p99_ms,
        max(oldest_in_flight_ms) AS oldest_in_flight_ms, max(memory_usage_mb) AS memory_usage_mb,
        max(heap_used_mb) AS heap_used_mb, max(event_loop_delay_ms) AS event_loop_delay_ms
      FROM consumer_member_metrics WHERE ${within(sql, steps)}
      GROUP BY 1, 2, 3
    )
    SELECT
      service_name AS service, until AS timestamp, ${steps.stepMs}::double precision AS "intervalMs",
      count(*)::int AS members, sum(partitions) AS partitions, sum(paused_partitions) AS "pausedPartitions",
      sum(queued_records) AS "queuedRecords", sum(queued_bytes) AS "queuedBytes", sum(in_flight) AS "inFlight",
      sum(uncommitted_records) AS "uncommittedRecords", sum(commits) AS commits,
      sum(commit_failures) AS "commitFailures", sum(lost) AS lost, sum(crashes) AS crashes, sum(stalls) AS stalls,
      sum(late_completions) AS "lateCompletions", max(rebalances) AS rebalances,
      sum(commit_total_ms) / nullif(sum(commits), 0) AS "commitMeanMs", max(commit_p99_ms) AS "commitP99Ms",
      max(oldest_in_flight_ms) AS "oldestInFlightMs", max(memory_usage_mb) AS "memoryUsageMb",
      max(heap_used_mb) AS "heapUsedMb", max(event_loop_delay_ms) AS "eventLoopDelayMs"
    FROM of_members GROUP BY 1, 2 ORDER BY 2, 1
  `.pipe(Effect.map((rows) => rows.map((row) => ({ ...row, intervalMs: steps.stepMs }))))

interface LagRow {
  readonly service: string
  readonly topic: string
  readonly timestamp: number
  readonly partitions: number
  readonly totalLag: number
  readonly maxPartitionLag: number
  readonly maxLagSeconds: number | null
}

export const lagIntervals = (sql: PgClient.PgClient, steps: Steps) =>
  sql<LagRow>`
    SELECT
      service_name AS service, topic, until AS timestamp, count(*)::int AS partitions,
      sum(lag)::double precision AS "totalLag", max(lag)::double precision AS "maxPartitionLag",
      max(lag_seconds) AS "maxLagSeconds"
    FROM (
      SELECT DISTINCT ON (service_name, topic, partition, until) * FROM (
        SELECT *, ${endOf(sql, steps.stepMs)} AS until FROM consumer_lag_history WHERE ${within(sql, steps)}
      ) AS sampled
      ORDER BY service_name, topic, partition, until, timestamp DESC, id DESC
    ) AS last_samples
    GROUP BY 1, 2, 3 ORDER BY 3, 1, 2
  `.pipe(Effect.map((rows) => rows.map((row) => ({ ...row, intervalMs: steps.stepMs }))))
