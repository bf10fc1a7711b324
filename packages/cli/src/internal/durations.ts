/** Durations as people type them: `500ms`, `30s`, `5m`, `2h`, `7d`. */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const milliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Pure. A number alone is none: nobody would know of what. */
export const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim()) ?? []
  const millis = number === undefined ? 0 : Number(number) * milliseconds[unit as keyof typeof milliseconds]
  return Number.isFinite(millis) && millis > 0 ? Option.some(Duration.millis(millis)) : Option.none()
}

/** A flag that takes one. */
export const durationFlag = (name: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("duration"),
    Flag.filterMap(parseDuration, (text) => `"${text}" is no duration; such are 500ms, 30s, 5m, 2h, 7d`)
  )
