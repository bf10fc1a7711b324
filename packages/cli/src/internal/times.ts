/** Moments as people read them. Pure. */
import * as DateTime from "effect/DateTime"

const unit = (count: number, name: string) => `${count} ${name}${count === 1 ? "" : "s"} ago`

/** `2026-01-31 08:00:00Z`; the argument is in milliseconds since 1970. */
export const moment = (millis: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(millis)).replace("T", " ").replace(/\.\d+Z$/, "Z")

/** `3 minutes ago`. */
export const ago = (millis: number, now: number): string => {
  const seconds = Math.max(0, Math.floor((now - millis) / 1000))
  if (seconds < 60) return unit(seconds, "second")
  if (seconds < 3600) return unit(Math.floor(seconds / 60), "minute")
  return seconds < 86_400 ? unit(Math.floor(seconds / 3600), "hour") : unit(Math.floor(seconds / 86_400), "day")
}

const spans: ReadonlyArray<readonly [seconds: number, name: string]> = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"]
]

/** `350ms`, `42s`, `3m 20s`, `2d 4h`: the two largest units. */
export const span = (seconds: number): string => {
  if (seconds === 0) return "0s"
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1_000))}ms`
  const whole = Math.round(seconds)
  const i = spans.findIndex(([size]) => whole >= size)
  const [size, name] = spans[i]!
  const next = spans[i + 1]
  const rest = next === undefined ? 0 : Math.floor((whole % size) / next[0])
  return `${Math.floor(whole / size)}${name}${rest === 0 ? "" : ` ${rest}${next![1]}`}`
}
