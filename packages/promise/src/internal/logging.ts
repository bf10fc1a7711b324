/** Log lines for a logger that knows nothing of Effect. */
import * as Cause from "effect/Cause"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as EffectLogger from "effect/Logger"
import * as References from "effect/References"
import type { Logger } from "../ConsumerOptions.ts"

const methods = {
  All: "debug",
  Trace: "debug",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "error",
  None: "debug"
} as const

const text = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part) => typeof part === "string" ? part : Formatter.format(part)).join(" ")

const to = (logger: Logger) =>
  EffectLogger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    const fields: Record<string, unknown> = { ...fiber.getRef(References.CurrentLogAnnotations) }
    if (cause.reasons.length > 0) fields["error"] = Cause.squash(cause)
    logger[methods[logLevel]](text(message), fields)
  })

export const loggingTo = (logger: Logger | false | undefined): Layer.Layer<never> =>
  logger === undefined
    ? Layer.empty
    : EffectLogger.layer(logger === false ? [] : [to(logger)])
