/**
 * Durations in log-linear buckets: sixteen for each doubling, so that a quantile is at most 1/16 too high, from a
 * microsecond to a day, in 2 KiB. Pure state.
 */
const linear = 16
const doublings = 37
const buckets = linear * (doublings + 1)

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
    if (this.count === 0) return 0
    const rank = Math.max(1, Math.ceil(q * this.count))
    let seen = 0
    for (let i = 0; i < buckets; i++) {
      seen += this.counts[i]!
      if (seen >= rank) return upperBound(i) / 1_000
    }
    return upperBound(buckets - 1) / 1_000
  }

  /** The buckets that hold any, rising: what can be added to those of others. */
  buckets(): ReadonlyArray<readonly [upperBoundMs: number, records: number]> {
    const found: Array<readonly [number, number]> = []
    for (let i = 0; i < buckets; i++) {
      const records = this.counts[i]!
      if (records > 0) found.push([upperBound(i) / 1_000, records])
    }
    return found
  }

  clear(): void {
    this.counts.fill(0)
    this.count = 0
    this.sum = 0
  }
}

/** The first 16 buckets are a microsecond wide each; after that each doubling has 16. */
const bucketOf = (us: number): number => {
  if (!(us > 0)) return 0
  if (us < linear) return Math.floor(us)
  const exponent = Math.floor(Math.log2(us))
  const scaled = Math.floor(us / 2 ** (exponent - 4)) - linear
  return Math.min(buckets - 1, linear * (exponent - 3) + Math.max(0, Math.min(linear - 1, scaled)))
}

const upperBound = (bucket: number): number => {
  if (bucket < linear) return bucket
  const exponent = Math.floor(bucket / linear) + 3
  return (linear + bucket % linear + 1) * 2 ** (exponent - 4)
}
