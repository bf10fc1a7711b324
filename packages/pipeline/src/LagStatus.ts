/**
 * What a window of lag samples means, after Burrow's rules, with what only the process itself knows: whether records are
 * in flight, and whether someone paused the partition. Pure.
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
  readonly inFlight: number
  readonly paused: boolean
  /** Halted by the stall policy. */
  readonly halted: boolean
}

/**
 * - `ok`: at the end, or catching up, at some point of the window.
 * - `behind`: it makes progress, and the lag never fell: too slow for what comes in.
 * - `stuck`: no progress although records are in flight: a handler does not return, or keeps failing.
 * - `stalled`: no progress and nothing in flight: no records come in.
 * - `paused`, `halted`: behind because it is told not to read.
 * - `rewound`: the offset went back and has not regained its place.
 *
 * @category models
 * @since 0.1.0
 */
export type LagStatus = "ok" | "behind" | "stuck" | "stalled" | "paused" | "halted" | "rewound"

/**
 * From worst to best.
 *
 * @category constants
 * @since 0.1.0
 */
export const bySeverity: ReadonlyArray<LagStatus> = [
  "stuck",
  "halted",
  "stalled",
  "rewound",
  "behind",
  "paused",
  "ok"
]

/**
 * @category accessors
 * @since 0.1.0
 */
export const lagOf = ({ end, offset }: Pick<LagPoint, "end" | "offset">): bigint => end > offset ? end - offset : 0n

/**
 * The meaning of a window of samples, oldest first. Fewer than three say nothing yet and are `ok`. A lag up to
 * `allowedLag` (default 0) at any point of the window is `ok`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const classify = (window: ReadonlyArray<LagPoint>, allowedLag: bigint = 0n): LagStatus => {
  const last = window[window.length - 1]
  if (last === undefined || lagOf(last) <= allowedLag) return "ok"
  if (last.halted) return "halted"
  if (last.paused) return "paused"
  if (window.length < 3) return "ok"
  if (window.some((point) => point.offset > last.offset)) return "rewound"
  if (window.some((point) => lagOf(point) <= allowedLag)) return "ok"
  if (window.every((point) => point.offset === last.offset)) return last.inFlight > 0 ? "stuck" : "stalled"
  const fell = window.some((point, i) => i > 0 && lagOf(point) < lagOf(window[i - 1]!))
  return fell ? "ok" : "behind"
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

/**
 * How old the lag is, in seconds. Exact where the oldest unsettled record is at hand; else since when the end of the
 * partition, by the samples, has been past the offset; 0 without lag.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ageSeconds = (
  window: ReadonlyArray<LagPoint>,
  options: { readonly now: number; readonly oldestTimestamp: number | undefined }
): number => {
  const last = window[window.length - 1]
  if (last === undefined || lagOf(last) === 0n) return 0
  const since = options.oldestTimestamp !== undefined && options.oldestTimestamp >= 0
    ? options.oldestTimestamp
    : window.find((point) => point.end > last.offset)?.at ?? last.at
  return Math.max(0, options.now - since) / 1_000
}
