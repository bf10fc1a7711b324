import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { logLevel } from "kafkajs"
import { makeLogCreator } from "../../src/internal/logCreator.ts"

describe("logCreator", () => {
  const entry = (level: logLevel, message: string, second: number, extra: object = {}) => ({
    namespace: "Connection",
    level,
    label: "LABEL",
    log: {
      timestamp: new Date(1_700_000_000_000 + second * 1000).toISOString(),
      logger: "kafkajs",
      message,
      ...extra
    }
  })

  it.effect("each line one level lower, with what it says about brokers, and not the same one all the time", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
        const { broker, stack } = fiber.getRef(References.CurrentLogAnnotations)
        lines.push([logLevel, message, broker, stack].filter((part) => part !== undefined).map(String).join(" | "))
      })
      const context = yield* Effect.context<never>().pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "Debug")
      )
      const log = makeLogCreator(Effect.runForkWith(context))(logLevel.INFO)
      const away = { broker: "b:1", stack: "long", nested: { left: "out" } }
      log(entry(logLevel.ERROR, "refused", 0, away))
      log(entry(logLevel.ERROR, "refused", 9, away))
      log(entry(logLevel.ERROR, "refused", 9, { broker: "b:2" }))
      log(entry(logLevel.ERROR, "refused", 10, away))
      log(entry(logLevel.ERROR, "Response Heartbeat", 0))
      log(entry(logLevel.WARN, "odd", 0))
      log(entry(logLevel.INFO, "detail", 0))
      yield* Effect.yieldNow
      assert.deepStrictEqual(lines, [
        "Warn | kafkajs Connection: refused | b:1",
        "Warn | kafkajs Connection: refused | b:2",
        "Warn | kafkajs Connection: refused | b:1",
        "Debug | kafkajs Connection: Response Heartbeat",
        "Info | kafkajs Connection: odd",
        "Debug | kafkajs Connection: detail"
      ])
    }))
})
