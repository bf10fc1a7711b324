/**
 * The durations of several members or intervals as one. Quantiles cannot be averaged, nor is the highest of them one of the
 * whole; buckets add up without losing anything.
 *
 * @since 0.1.0
 */
import { quantileOf } from "./internal/histogram.ts"
import type { DurationBucket } from "./MetricsSink.ts"

/**
 * How many durations each bucket holds, rising, without the empty ones: what `ProcessingMetrics` carries, and what the
 * column `durations` of `consumer_processing_metrics` holds.
 *
 * @category models
 * @since 0.1.0
 */
export type Histogram = ReadonlyArray<DurationBucket>

/**
 * All durations of all histograms.
 *
 * @category combinators
 * @since 0.1.0
 */
export const merge = (histograms: Iterable<Histogram>): Histogram => {
  const counts = new Map<number, number>()
  for (const histogram of histograms) {
    for (const [upperBoundMs, records] of histogram) {
      counts.set(upperBoundMs, (counts.get(upperBoundMs) ?? 0) + records)
    }
  }
  return [...counts].sort(([a], [b]) => a - b)
}

/**
 * How many durations there are.
 *
 * @category accessors
 * @since 0.1.0
 */
export const count = (histogram: Histogram): number => histogram.reduce((sum, [, records]) => sum + records, 0)

/**
 * The duration, in milliseconds, that a share `q` (0 to 1) of the durations does not exceed; 0 without any.
 *
 * **Details**
 *
 * Never below the true one, and at most a sixteenth (or a microsecond) above it: the buckets are log-linear, sixteen for
 * each doubling. Merging adds no error.
 *
 * @category accessors
 * @since 0.1.0
 */
export const quantile = (histogram: Histogram, q: number): number => quantileOf(histogram, q)
