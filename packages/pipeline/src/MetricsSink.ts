/**
 * Where measurements go: once per interval, in one write, whatever the record rate.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

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
  /** The process's resident set. */
  readonly memoryUsageMb: number
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
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Measurements {
  readonly metrics: ReadonlyArray<ProcessingMetrics>
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
