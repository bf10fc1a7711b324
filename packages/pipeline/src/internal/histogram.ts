/**
 * Durations in log-linear buckets: sixteen for each doubling, so that a bucket's upper bound is at most 1/16 above what it
 * holds, from a microsecond to a day, in 5 KiB. Histograms of the same buckets add up without losing anything. Pure state.
 */
import type { DurationBucket } from "../MetricsSink.ts"

const perDoubling = 16
const doublings = 37
const buckets = 1 + perDoubling * (doublings - 3)

export class Histogram {
  private readonly counts = new Float64Array(buckets)
  count = 0
  /** In milliseconds. */
  sum = 0

  record(ms: number, times: number = 1): void {
    this.counts[bucketOf(ms * 1_000)]! += times
    this.count += times
    this.sum += ms * times
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  /** The duration in milliseconds that a share `q` (0 to 1) of the durations does not exceed; 0 without any. */
  quantile(q: number): number {
    return quantileOf(this.buckets(), q)
  }

  /** The buckets that hold any, rising. */
  buckets(): ReadonlyArray<DurationBucket> {
    const found: Array<DurationBucket> = []
    for (let bucket = 0; bucket < buckets; bucket++) {
      const records = this.counts[bucket]!
      if (records > 0) found.push([upperBoundUs(bucket) / 1_000, records])
    }
    return found
  }

  /** How many durations were at most so long. Exact where the bound is a bucket's, as all powers of 2 microseconds are. */
  atMost(ms: number): number {
    const last = bucketOf(ms * 1_000)
    let records = 0
    for (let bucket = 0; bucket <= last; bucket++) records += this.counts[bucket]!
    return records
  }

  /** Adds the durations of another. */
  add(other: Histogram): void {
    for (let bucket = 0; bucket < buckets; bucket++) this.counts[bucket]! += other.counts[bucket]!
    this.count += other.count
    this.sum += other.sum
  }

  clear(): void {
    this.counts.fill(0)
    this.count = 0
    this.sum = 0
  }
}

/** The upper bound of the bucket with the duration that a share `q` of the durations does not exceed; 0 without any. */
export const quantileOf = (histogram: ReadonlyArray<DurationBucket>, q: number): number => {
  const total = histogram.reduce((sum, [, records]) => sum + records, 0)
  const rank = Math.max(1, Math.ceil(q * total))
  let seen = 0
  for (const [upperBoundMs, records] of histogram) {
    seen += records
    if (seen >= rank) return upperBoundMs
  }
  return histogram.at(-1)?.[0] ?? 0
}

/** One for 0, one for each microsecond up to 16; after that each doubling has 16. Upper bounds are inclusive. */
const bucketOf = (us: number): number => {
  if (!(us > 0)) return 0
  if (us <= perDoubling) return Math.ceil(us)
  const exponent = Math.ceil(Math.log2(us)) - 1
  const place = Math.ceil(us / 2 ** (exponent - 4)) - perDoubling
  return Math.min(buckets - 1, perDoubling * (exponent - 3) + place)
}

const upperBoundUs = (bucket: number): number => {
  if (bucket <= perDoubling) return bucket
  const exponent = Math.floor((bucket - 1) / perDoubling) + 3
  return (perDoubling + 1 + (bucket - 1) % perDoubling) * 2 ** (exponent - 4)
}
