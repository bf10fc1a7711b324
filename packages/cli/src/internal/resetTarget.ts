/** What `--to` may say. Pure. */
import type { OffsetSpec } from "@weft/kafka/Transport"
import * as DateTime from "effect/DateTime"

export type ResetTarget =
  | { readonly _tag: "Target"; readonly to: bigint | OffsetSpec; readonly words: string }
  | { readonly _tag: "Bad"; readonly expected: string }

export const accepted =
  "earliest, latest, an offset (1200), a time (2026-01-31T08:00:00Z) or how long ago (30m, 12h, 7d)"

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A date with a time, and where it is meant: without a zone it would mean another moment on another machine. */
const isoTime = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/

const atTime = (timestamp: number): ResetTarget => ({
  _tag: "Target",
  to: { timestamp },
  words: `the first record at or after ${DateTime.formatIso(DateTime.makeUnsafe(timestamp))}`
})

/** `now` is in milliseconds since 1970. */
export const resetTarget = (text: string, now: number): ResetTarget => {
  const wanted = text.trim()
  if (wanted === "earliest") return { _tag: "Target", to: "earliest", words: "the oldest record that is kept" }
  if (wanted === "latest") return { _tag: "Target", to: "latest", words: "the end: only records to come" }
  if (/^\d{1,19}$/.test(wanted)) {
    const offset = BigInt(wanted)
    return offset < 2n ** 63n
      ? { _tag: "Target", to: offset, words: `offset ${offset}, or the nearest that the log holds` }
      : { _tag: "Bad", expected: accepted }
  }
  const ago = /^(\d{1,6})([smhd])$/.exec(wanted)
  if (ago !== null) return atTime(now - Number(ago[1]) * units[ago[2]!]!)
  if (isoTime.test(wanted) && !Number.isNaN(Date.parse(wanted))) return atTime(Date.parse(wanted))
  return { _tag: "Bad", expected: accepted }
}
