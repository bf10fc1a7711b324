/**
 * What a window of lag samples means: Burrow's rules, taken on a clock of one's own, with what is known of the reader
 * added to them, so that slow, stuck and back-pressured are told apart. Pure.
 *
 * @since 0.1.0
 */

/**
 * One look at a partition.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagPoint {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The first offset that is not settled (or, of a foreign group, the committed one). */
  readonly offset: bigint
  /** The end of the partition. */
  readonly end: bigint
}

/**
 * Who reads a partition.
 *
 * - `Self`: this process, which knows what it holds.
 * - `Member`: a member of the group in another process.
 * - `Nobody`: no member of the group.
 * - `Unknown`: only offsets are known.
 *
 * @category models
 * @since 0.1.0
 */
export type Reader =
  | {
    readonly _tag: "Self"
    /** Records handed out and not settled. */
    readonly inFlight: number
    /** Records that wait in the partition queue. */
    readonly queued: number
    /** Told not to read, by the program. */
    readonly paused: boolean
    /** Halted by the stall policy. */
    readonly halted: boolean
    /** The partition queue was full at some point of the window. */
    readonly backPressured: boolean
  }
  | { readonly _tag: "Member" }
  | { readonly _tag: "Nobody" }
  | { readonly _tag: "Unknown" }

/**
 * - `ok`: at the end, or catching up, at some point of the window.
 * - `slow`: it makes progress and the lag does not fall: more comes in than it takes (Burrow's WARN).
 * - `back-pressured`: the same, and records wait in a full queue: the handler is what is slow, not the fetching.
 * - `stuck`: no progress although records are in flight: a handler does not return, or keeps failing.
 * - `stall`: somebody holds the partition, and makes no progress; of this process's own: no records come in.
 * - `stop`: no progress and nobody holds the partition.
 * - `rewind`: the offset went back and has not regained its place.
 * - `paused`, `halted`: behind because it is told not to read.
 *
 * @category models
 * @since 0.1.0
 */
export type LagStatus =
  | "ok"
  | "slow"
  | "back-pressured"
  | "stuck"
  | "stall"
  | "stop"
  | "rewind"
  | "paused"
  | "halted"

/**
 * From worst to best.
 *
 * @category constants
 * @since 0.1.0
 */
export const bySeverity: ReadonlyArray<LagStatus> = [
  "stop",
  "stuck",
  "halted",
  "stall",
  "rewind",
  "back-pressured",
  "slow",
  "paused",
  "ok"
]

/**
 * Records between the offset and the end; never negative, also where the log was cut off or the topic made anew.
 *
 * @category accessors
 * @since 0.1.0
 */
export const lagOf = ({ end, offset }: Pick<LagPoint, "end" | "offset">): bigint => end > offset ? end - offset : 0n

/**
 * @category models
 * @since 0.1.0
 */
export interface Rules {
  /** A lag up to this, at any point of the window, is `ok`. Default 0. */
  readonly allowedLag?: bigint | undefined
  /** Fewer samples say nothing yet and are `ok`. Default and least 3. */
  readonly minSamples?: number | undefined
  /**
   * As many samples without a commit are needed before a reader in another process counts as stalled: commits may be rarer
   * than samples. Default `minSamples`.
   */
  readonly stallSamples?: number | undefined
}

const fewest = 3

/** The smallest lag of the newer half is above the largest of the older half: it grew, whatever it did in between. */
const grew = (lags: ReadonlyArray<bigint>): boolean => {
  const middle = lags.length >> 1
  if (middle < fewest) return false
  const older = lags.slice(0, middle)
  return lags.slice(middle).every((lag) => older.every((one) => lag > one))
}

/** Burrow's rule: it never fell between two samples. */
const neverFell = (lags: ReadonlyArray<bigint>): boolean => lags.every((lag, i) => i === 0 || lag >= lags[i - 1]!)

const withoutProgress = (reader: Reader, samples: number, stallSamples: number): LagStatus => {
  switch (reader._tag) {
    case "Self":
      return reader.inFlight > 0 ? "stuck" : reader.queued > 0 ? "back-pressured" : "stall"
    case "Nobody":
      return "stop"
    case "Member":
    case "Unknown":
      return samples >= stallSamples ? "stall" : "ok"
  }
}

/**
 * The meaning of a window of samples, oldest first.
 *
 * Two rules differ from Burrow's: an offset that stands still is a `stop` as soon as nobody holds the partition, however
 * rare commits are; and a lag that grew from one half of the window to the other is not `ok` because of a dip.
 *
 * @category combinators
 * @since 0.1.0
 */
export const classify = (window: ReadonlyArray<LagPoint>, reader: Reader, rules: Rules = {}): LagStatus => {
  const allowedLag = rules.allowedLag ?? 0n
  const minSamples = Math.max(fewest, rules.minSamples ?? fewest)
  const last = window[window.length - 1]
  if (last === undefined || lagOf(last) <= allowedLag) return "ok"
  if (reader._tag === "Self" && reader.halted) return "halted"
  if (reader._tag === "Self" && reader.paused) return "paused"
  if (window.length < minSamples) return "ok"
  if (window.some(({ offset }) => offset > last.offset)) return "rewind"
  const lags = window.map(lagOf)
  if (lags.some((lag) => lag <= allowedLag)) return "ok"
  if (window.every(({ offset }) => offset === last.offset)) {
    return withoutProgress(reader, window.length, rules.stallSamples ?? minSamples)
  }
  if (!neverFell(lags) && !grew(lags)) return "ok"
  return reader._tag === "Self" && reader.backPressured ? "back-pressured" : "slow"
}

/**
 * The worst of several; `ok` for none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const worst = (statuses: Iterable<LagStatus>): LagStatus => {
  let index = bySeverity.length - 1
  for (const status of statuses) index = Math.min(index, bySeverity.indexOf(status))
  return bySeverity[index]!
}
