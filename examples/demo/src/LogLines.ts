/** Log lines as the demo shows them: kept for the screen, or printed. */
import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type { LogView } from "./View.ts"

const labels: Readonly<Record<string, string>> = { Fatal: "ERROR", Error: "ERROR", Warn: "WARN", Info: "INFO" }

const textOf = (message: unknown): string =>
  Array.isArray(message)
    ? message.map(textOf).join(" ")
    : typeof message === "string"
    ? message
    : JSON.stringify(message)

const partitionOf = ({ partition, topic }: Readonly<Record<string, unknown>>): string => {
  if (typeof topic !== "string") return ""
  return typeof partition === "number" ? `${topic}-${partition}: ` : `${topic}: `
}

/** Gives each log line to `take`, on one line, after the partition that it is about. */
export const logger = (take: (line: LogView) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const where = partitionOf(fiber.getRef(References.CurrentLogAnnotations))
    const why = cause.reasons.length === 0 ? "" : ` (${String(Cause.squash(cause))})`
    const text = `${where}${textOf(message)}${why}`.replace(/\s+/g, " ")
    take({ at: date.getTime(), level: labels[logLevel] ?? "DEBUG", text })
  })
