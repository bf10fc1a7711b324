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
