/** Reads a configuration once. */
import { ConfigStore } from "@weft/config/ConfigStore"
import * as Effect from "effect/Effect"
import type { ConsumerConfig, ConsumerSettings, Database, Profile } from "../ConsumerConfig.ts"
import { InvalidOptionError } from "../WeftError.ts"
import { configStore } from "./databases.ts"
import { loggingTo } from "./logging.ts"
import { configOf, fixedOf, profileOf } from "./resolved.ts"

export const readConfig = (
  database: string | Database,
  service: string,
  given: { readonly profile?: Profile | undefined; readonly settings?: Partial<ConsumerSettings> | undefined }
): Promise<ConsumerConfig> =>
  Effect.gen(function*() {
    const profile = yield* Effect.try({
      try: () => profileOf(given.profile),
      catch: (error) => error as InvalidOptionError
    })
    const store = yield* ConfigStore
    return configOf(yield* store.load(service, { profile, fixed: fixedOf(given.settings, {}) }))
  }).pipe(
    Effect.provide(configStore(database)),
    Effect.catchTag("DatabaseConfigError", ({ message }) => Effect.fail(optionFault("database", message))),
    // What is wrong is in the answer.
    Effect.provide(loggingTo(false)),
    Effect.runPromise
  )

/** The message of the packages below begins with the name of the option already. */
export const optionFault = (option: string, message: string): InvalidOptionError =>
  new InvalidOptionError(option, message.startsWith(`${option} `) ? message.slice(option.length + 1) : message)
