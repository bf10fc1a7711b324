/**
 * The last samples of a partition's lag, in little room, and what they tell in seconds: how old the lag is, how fast
 * records come and go, and when there will be none left. Pure.
 *
 * @since 0.1.0
 */
import { EndHistory } from "./internal/endHistory.ts"
import { type LagPoint, lagOf } from "./LagStatus.ts"

/**
 * Samples that are kept unless said otherwise.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultSamples = 10

/**
 * The last samples of one partition, oldest first, and when its end was where. Under 1 KB, whatever comes.
 *
 * @category models
 * @since 0.1.0
 */
export class LagWindow {
  private readonly times: Float64Array
  private readonly offsets: BigInt64Array
  private readonly ends: BigInt64Array
  private readonly history = new EndHistory()
  private next = 0
  private kept = 0

  constructor(samples: number = defaultSamples) {
    this.times = new Float64Array(samples)
    this.offsets = new BigInt64Array(samples)
    this.ends = new BigInt64Array(samples)
  }

  /** How many samples are kept at most. */
  get capacity(): number {
    return this.times.length
  }

  /** How many samples there are. */
  get size(): number {
    return this.kept
  }

  /**
   * The oldest sample is forgotten where there is no room. An end before the last one is another log (the topic was made
   * anew, or records were lost with a leader), and a clock that was set back another time: what was before says nothing
   * about either.
   */
  push({ at, end, offset }: LagPoint): void {
    if (this.kept > 0) {
      const last = this.index(this.kept - 1)
      if (end < this.ends[last]! || at < this.times[last]!) {
        this.kept = 0
        this.history.clear()
      }
    }
    this.times[this.next] = at
    this.offsets[this.next] = offset
    this.ends[this.next] = end
    this.next = (this.next + 1) % this.capacity
    this.kept = Math.min(this.kept + 1, this.capacity)
    this.history.forgetBefore(offset)
    this.history.add(at, end)
  }

  /** The samples, oldest first. */
  points(): ReadonlyArray<LagPoint> {
    return Array.from({ length: this.kept }, (_, i) => this.point(this.index(i)))
  }

  /** The newest sample. */
  get last(): LagPoint | undefined {
    return this.kept === 0 ? undefined : this.point(this.index(this.kept - 1))
  }

  /**
   * When the record at an offset was written, by the times at which the end of the partition was seen: by interpolation;
   * at the first look, where it was there before; `undefined` where the end has not been seen beyond it.
   */
  writtenAt(offset: bigint): number | undefined {
    return this.history.writtenAt(offset)
  }

  /** Whether the oldest record was there before the first look, so that it may be older than `writtenAt` knows. */
  get isOlderThanSeen(): boolean {
    const { last } = this
    return last !== undefined && lagOf(last) > 0n && this.history.startsAfter(last.offset)
  }

  /** Tells when the record at an offset was written, where other means than samples told that. */
  learn(offset: bigint, writtenAt: number): void {
    this.history.addBefore(writtenAt, offset)
  }

  private index(i: number): number {
    return (this.next - this.kept + i + this.capacity) % this.capacity
  }

  private point(index: number): LagPoint {
    return { at: this.times[index]!, offset: this.offsets[index]!, end: this.ends[index]! }
  }
}

/** Nothing that is written to a log today was written ten years ago: such a timestamp is none, or in another unit. */
const oldestAgeMs = 10 * 365 * 86_400_000

/**
 * Whether a record's timestamp can be the time of its writing. Producers write 0, -1, seconds for milliseconds, and times
 * of a clock that is ahead.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isPlausible = (timestamp: number, now: number): boolean =>
  timestamp > 0 && timestamp <= now && now - timestamp <= oldestAgeMs

/**
 * How old the lag is, in seconds: the age of the oldest record that is not settled. Exact where its timestamp is at hand
 * and can be true; else by the samples: then it is off by at most the time between two of them, and of a record that was
 * there before the first one it is the time since that. 0 without lag, and never negative.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ageSeconds = (
  window: LagWindow,
  options: {
    readonly now: number
    /** Milliseconds since 1970. */
    readonly oldestTimestamp?: number | undefined
  }
): number => {
  const { last } = window
  if (last === undefined || lagOf(last) === 0n) return 0
  const { now, oldestTimestamp } = options
  const since = oldestTimestamp !== undefined && isPlausible(oldestTimestamp, now)
    ? oldestTimestamp
    : window.writtenAt(last.offset) ?? now
  return Math.max(0, now - since) / 1_000
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Rates {
  /** Offsets passed by the group in a second. */
  readonly consumedPerSecond: number
  /** Offsets passed by the end of the partition in a second. */
  readonly producedPerSecond: number
}

const idle: Rates = { consumedPerSecond: 0, producedPerSecond: 0 }

/**
 * How fast records come and go over the window; 0 with fewer than two samples. After an offset went back only what follows
 * counts.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rates = (points: ReadonlyArray<LagPoint>): Rates => {
  const from = points.findLastIndex((point, i) => i > 0 && point.offset < points[i - 1]!.offset)
  const first = points[Math.max(0, from)]
  const last = points[points.length - 1]
  if (first === undefined || last === undefined || last.at <= first.at) return idle
  const seconds = (last.at - first.at) / 1_000
  return {
    consumedPerSecond: Number(last.offset - first.offset) / seconds,
    producedPerSecond: Math.max(0, Number(last.end - first.end)) / seconds
  }
}

/** What takes longer than a year is not being drained. */
const longestDrain = 365 * 86_400

/**
 * Seconds until the lag is gone if records go on to come and go as they do: 0 without lag, `undefined` where that will
 * never be.
 *
 * @category combinators
 * @since 0.1.0
 */
export const secondsToDrain = (lag: bigint, { consumedPerSecond, producedPerSecond }: Rates): number | undefined => {
  if (lag <= 0n) return 0
  const net = consumedPerSecond - producedPerSecond
  if (net <= 0) return undefined
  const seconds = Number(lag) / net
  return seconds <= longestDrain ? seconds : undefined
}
