/**
 * Measurements as rows of JSON, for `jsonb_to_recordset`. Pure.
 */
import type { LagSample, ProcessingMetrics } from "@weft/pipeline/MetricsSink"
import { storable } from "./storable.ts"

/** JSON has no NaN and no infinity; they become NULL. */
const finite = (value: number): number | null => Number.isFinite(value) ? value : null
const count = (value: number): number | null => Number.isFinite(value) ? Math.round(value) : null

export const metricsRow = (metrics: ProcessingMetrics) => ({
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
  memory_usage_mb: finite(metrics.memoryUsageMb)
})

export const lagRow = (sample: LagSample) => ({
  service_name: storable(sample.service),
  consumer_group_id: storable(sample.group),
  member: storable(sample.member),
  topic: storable(sample.topic),
  partition: sample.partition,
  lag: String(sample.lag),
  consumer_offset: String(sample.consumerOffset),
  end_offset: String(sample.endOffset),
  lag_seconds: finite(sample.lagSeconds),
  at_ms: sample.timestamp
})
