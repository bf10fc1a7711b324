/** kafkajs's log, as lines of Effect's logger. */
import * as Effect from "effect/Effect"
import { type LogEntry, type logCreator, logLevel } from "kafkajs"

/**
 * Its errors are retried or come back as typed failures, and its information is of its inside: all one level lower. An
 * error in an answer is for whoever asked, who knows whether it is one.
 */
const logAt = ({ level, log }: LogEntry): (...message: ReadonlyArray<unknown>) => Effect.Effect<void> => {
  switch (level) {
    case logLevel.ERROR:
      return log.message.startsWith("Response ") ? Effect.logDebug : Effect.logWarning
    case logLevel.WARN:
      return Effect.logInfo
    case logLevel.INFO:
    case logLevel.DEBUG:
    case logLevel.NOTHING:
      return Effect.logDebug
  }
}

/** A broker that is away is tried many times a minute; once in so long is enough to say it. */
const silenceMs = 10_000

/** `run` carries the logger, its level and its annotations of wherever the consumer or producer was made. */
export const makeLogCreator = (run: (effect: Effect.Effect<void>) => void): logCreator => () => {
  const saidAt = new Map<string, number>()
  return (entry) => {
    const { log: { logger: _logger, message, stack: _stack, timestamp, ...extra }, namespace } = entry
    const line = `kafkajs ${namespace}: ${message}`
    const now = Date.parse(timestamp)
    const said = `${line} ${extra["broker"]}`
    if (now - (saidAt.get(said) ?? 0) < silenceMs) return
    for (const [other, at] of saidAt) if (now - at >= silenceMs) saidAt.delete(other)
    saidAt.set(said, now)
    const annotations = Object.fromEntries(
      Object.entries(extra).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
    )
    run(Effect.annotateLogs(logAt(entry)(line), { transport: "kafkajs", ...annotations }))
  }
}
