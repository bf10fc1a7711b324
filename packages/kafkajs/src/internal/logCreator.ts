/** kafkajs's log, as lines of Effect's logger. */
import * as Effect from "effect/Effect"
import { type logCreator, logLevel } from "kafkajs"

/**
 * Its errors are retried or come back as typed failures, and its information is of its inside: all one level lower. An
 * error in an answer is for whoever asked, who knows whether it is one.
 */
const logAt = (level: logLevel, message: string): (...message: ReadonlyArray<unknown>) => Effect.Effect<void> => {
  switch (level) {
    case logLevel.ERROR:
      return message.startsWith("Response ") ? Effect.logDebug : Effect.logWarning
    case logLevel.WARN:
      return Effect.logInfo
    case logLevel.INFO:
    case logLevel.DEBUG:
    case logLevel.NOTHING:
      return Effect.logDebug
  }
}

/** `run` carries the logger, its level and its annotations of wherever the layer was built. */
export const makeLogCreator = (run: (effect: Effect.Effect<void>) => void): logCreator => () =>
({ level, log: { logger: _logger, message, stack: _stack, timestamp: _timestamp, ...extra }, namespace }) => {
  const annotations = Object.fromEntries(
    Object.entries(extra).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
  )
  run(Effect.annotateLogs(logAt(level, message)(`kafkajs ${namespace}: ${message}`), { transport: "kafkajs", ...annotations }))
}
