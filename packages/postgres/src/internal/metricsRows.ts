/**
 * Measurements as rows of JSON, for `jsonb_to_recordset`, with the columns that they go to. Pure.
 */
import type { LagSample, MemberMetrics, ProcessingMetrics } from "@weft/pipeline/MetricsSink"
import { storable } from "./storable.ts"

/** JSON has no NaN and no infinity; they become NULL. */
const finite = (value: number): number | null => Number.isFinite(value) ? value : null
const count = (value: number): number | null => Number.isFinite(value) ? Math.round(value) : null

/** Columns with their types; `timestamp` is none of them: it comes from `at_ms`, and every table has it. */
export type Columns = Readonly<Record<string, "text" | "integer" | "bigint" | "double precision" | "jsonb">>

export const olderMetricsColumns = {
  service_name: "text",
  topic: "text",
  member: "text",
  interval_ms: "double precision",
  messages_processed: "bigint",
  processing_time_ms: "double precision",
  processing_time_p50_ms: "double precision",
  processing_time_p95_ms: "double precision",
  processing_time_p99_ms: "double precision",
  messages_per_second: "double precision",
  bytes: "bigint",
  retries: "bigint",
  failures: "bigint",
  skipped: "bigint",
  dead_letters: "bigint",
  memory_usage_mb: "double precision"
} as const satisfies Columns

export const metricsColumns = {
  ...olderMetricsColumns,
  durations: "jsonb",
  batches: "bigint",
  full_batches: "bigint",
  partitions: "integer",
  busiest_partition_records: "bigint",
  busiest_key_records: "bigint"
} as const satisfies Columns

export const memberColumns = {
  service_name: "text",
  consumer_group_id: "text",
  member: "text",
  interval_ms: "double precision",
  partitions: "integer",
  paused_partitions: "integer",
  queued_records: "bigint",
  queued_bytes: "bigint",
  in_flight: "bigint",
  oldest_in_flight_ms: "double precision",
  uncommitted_records: "bigint",
  commits: "bigint",
  commit_failures: "bigint",
  commit_mean_ms: "double precision",
  commit_p99_ms: "double precision",
  rebalances: "bigint",
  lost: "bigint",
  crashes: "bigint",
  stalls: "bigint",
  memory_usage_mb: "double precision",
  heap_used_mb: "double precision",
  event_loop_delay_ms: "double precision",
  late_completions: "bigint"
} as const satisfies Columns

export const olderLagColumns = {
  service_name: "text",
  consumer_group_id: "text",
  member: "text",
  topic: "text",
  partition: "integer",
  lag: "bigint",
  consumer_offset: "bigint",
  end_offset: "bigint",
  lag_seconds: "double precision"
} as const satisfies Columns

export const lagColumns = { ...olderLagColumns, status: "text" } as const satisfies Columns

type Row<C extends Columns> =
  & { readonly [K in keyof C]: string | number | null | ReadonlyArray<readonly [number, number]> }
  & { readonly at_ms: number }

export const metricsRow = (metrics: ProcessingMetrics): Row<typeof metricsColumns> => ({
  service_name: storable(metrics.service),
  topic: storable(metrics.topic),
  member: storable(metrics.member),
  at_ms: metrics.timestamp,
  interval_ms: finite(metrics.intervalMs),
  messages_processed: count(metrics.messagesProcessed) ?? 0,
  processing_time_ms: finite(metrics.processingTimeMs),
  processing_time_p50_ms: finite(metrics.processingTimeP50Ms),
  processing_time_p95_ms: finite(metrics.processingTimeP95Ms),
  processing_time_p99_ms: finite(metrics.processingTimeP99Ms),
  messages_per_second: finite(metrics.messagesPerSecond),
  bytes: count(metrics.bytes),
  retries: count(metrics.retries),
  failures: count(metrics.failures),
  skipped: count(metrics.skipped),
  dead_letters: count(metrics.deadLetters),
  memory_usage_mb: finite(metrics.memoryUsageMb),
  durations: metrics.durations.filter(([bound, records]) => Number.isFinite(bound) && Number.isFinite(records)),
  batches: count(metrics.batches),
  full_batches: count(metrics.fullBatches),
  partitions: count(metrics.partitions),
  busiest_partition_records: count(metrics.busiestPartitionRecords),
  busiest_key_records: metrics.busiestKeyRecords === undefined ? null : count(metrics.busiestKeyRecords)
})

export const memberRow = (metrics: MemberMetrics): Row<typeof memberColumns> => ({
  service_name: storable(metrics.service),
  consumer_group_id: storable(metrics.group),
  member: storable(metrics.member),
  at_ms: metrics.timestamp,
  interval_ms: finite(metrics.intervalMs),
  partitions: count(metrics.partitions),
  paused_partitions: count(metrics.pausedPartitions),
  queued_records: count(metrics.queuedRecords),
  queued_bytes: count(metrics.queuedBytes),
  in_flight: count(metrics.inFlight),
  oldest_in_flight_ms: finite(metrics.oldestInFlightMs),
  uncommitted_records: count(metrics.uncommittedRecords),
  commits: count(metrics.commits),
  commit_failures: count(metrics.commitFailures),
  commit_mean_ms: finite(metrics.commitMeanMs),
  commit_p99_ms: finite(metrics.commitP99Ms),
  rebalances: count(metrics.rebalances),
  lost: count(metrics.lost),
  crashes: count(metrics.crashes),
  stalls: count(metrics.stalls),
  memory_usage_mb: finite(metrics.memoryUsageMb),
  heap_used_mb: finite(metrics.heapUsedMb),
  event_loop_delay_ms: finite(metrics.eventLoopDelayMs),
  late_completions: count(metrics.lateCompletions)
})

export const lagRow = (sample: LagSample): Row<typeof lagColumns> => ({
  service_name: storable(sample.service),
  consumer_group_id: storable(sample.group),
  member: storable(sample.member),
  topic: storable(sample.topic),
  partition: sample.partition,
  lag: String(sample.lag),
  consumer_offset: String(sample.consumerOffset),
  end_offset: String(sample.endOffset),
  lag_seconds: finite(sample.lagSeconds),
  status: sample.status ?? null,
  at_ms: sample.timestamp
})
