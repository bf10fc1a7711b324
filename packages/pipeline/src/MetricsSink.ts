/**
 * Where measurements go: once per interval, in one write, whatever the record rate.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LagStatus } from "./LagStatus.ts"

/**
 * What one member did with one topic in one interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessingMetrics {
  readonly service: string
  readonly topic: string
  readonly member: string
  /** The end of the interval, milliseconds since 1970. */
  readonly timestamp: number
  readonly intervalMs: number
  /** Records settled: processed, skipped or dead-lettered. */
  readonly messagesProcessed: number
  /** The mean time from the begin of a record's first attempt to its settling, in milliseconds. */
  readonly processingTimeMs: number
  readonly processingTimeP50Ms: number
  readonly processingTimeP95Ms: number
  readonly processingTimeP99Ms: number
  readonly messagesPerSecond: number
  readonly bytes: number
  readonly retries: number
  readonly failures: number
  readonly skipped: number
  readonly deadLetters: number
  /**
   * How many records took how long, as pairs of a bucket's upper bound in milliseconds and a count, rising, without the
   * empty buckets. `Histogram` adds those of several members or intervals and finds their quantiles; the mean or the
   * maximum of quantiles is none.
   */
  readonly durations: ReadonlyArray<DurationBucket>
  /** Batches that were made for the handler; where records are processed one by one, the runs taken from the consumer. */
  readonly batches: number
  /** Of these, as large as they may be: `max_poll_records`, or the size that the pipeline gives its batches. */
  readonly fullBatches: number
  /** Partitions of the topic whose records were settled in the interval. */
  readonly partitions: number
  /** Records of the one with the most. */
  readonly busiestPartitionRecords: number
  /**
   * Records of the key with the most, taken in by this member in the interval: an estimate that is never too high, and too
   * low by a 65th of the records at most. `undefined` where no key was looked at: they are where the order is by key.
   */
  readonly busiestKeyRecords: number | undefined
  /** The process's resident set. */
  readonly memoryUsageMb: number
}

/**
 * A bucket's upper bound in milliseconds, and how many durations it holds.
 *
 * @category models
 * @since 0.1.0
 */
export type DurationBucket = readonly [upperBoundMs: number, records: number]

/**
 * How one member fared in one interval. Its counts are of the interval; nothing is counted twice, whoever restarts: a
 * member that starts again is another member.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemberMetrics {
  readonly service: string
  readonly group: string
  readonly member: string
  /** The end of the interval, milliseconds since 1970. */
  readonly timestamp: number
  readonly intervalMs: number
  /** Partitions that it holds. */
  readonly partitions: number
  /** Of these, the ones that nothing is fetched for: paused, halted, or back-pressured. */
  readonly pausedPartitions: number
  /** Records and bytes that were fetched and that nobody has taken yet. */
  readonly queuedRecords: number
  readonly queuedBytes: number
  /** Records that were taken in and are not settled. */
  readonly inFlight: number
  /** How long ago the first attempt of the oldest record (or batch) at work began; 0 where nothing is at work. */
  readonly oldestInFlightMs: number
  /** Records that are settled without a gap and not committed yet: they would be repeated after a crash. */
  readonly uncommittedRecords: number
  readonly commits: number
  readonly commitFailures: number
  /** From the request to the broker's answer; 0 without any. */
  readonly commitMeanMs: number
  readonly commitP99Ms: number
  /** Assignments after the first. */
  readonly rebalances: number
  /** Partitions lost with the membership. */
  readonly lost: number
  /** How often the client library failed. */
  readonly crashes: number
  /** How often a partition made no progress for `max_poll_interval_ms`. */
  readonly stalls: number
  /** The process's resident set. */
  readonly memoryUsageMb: number
  readonly heapUsedMb: number
  /** The longest time that the event loop was busy with one thing. */
  readonly eventLoopDelayMs: number
  /** Records whose processing ended after their partition was given up; they were not committed. */
  readonly lateCompletions: number
}

/**
 * One partition's lag at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagSample {
  readonly service: string
  readonly group: string
  readonly member: string
  readonly topic: string
  readonly partition: number
  /** Records between the first unsettled one and the end of the log. */
  readonly lag: bigint
  /** The first offset that is not settled. */
  readonly consumerOffset: bigint
  readonly endOffset: bigint
  /** The age of the oldest unsettled record, in seconds; 0 where there is none. */
  readonly lagSeconds: number
  /** What the last samples mean; absent where that was not judged, as in samples that are read back. */
  readonly status?: LagStatus | undefined
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Measurements {
  readonly metrics: ReadonlyArray<ProcessingMetrics>
  readonly members: ReadonlyArray<MemberMetrics>
  readonly lag: ReadonlyArray<LagSample>
}

/**
 * The sink did not take the measurements; they are kept in a bounded buffer and written later.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricsSinkError extends Data.TaggedError("MetricsSinkError")<{
  readonly cause: unknown
}> {
  override get message(): string {
    return `the metrics could not be written: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class MetricsSink extends Context.Service<MetricsSink, {
  readonly write: (measurements: Measurements) => Effect.Effect<void, MetricsSinkError>
}>()("@weft/pipeline/MetricsSink") {}

/**
 * Measurements go nowhere.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<MetricsSink> = Layer.succeed(MetricsSink, { write: () => Effect.void })
