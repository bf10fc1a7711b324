import * as Command from "effect/cli/Command"
import { explain, get, list, profiles } from "./configRead.ts"
import { validate } from "./configValidate.ts"

export const config = Command.make("config").pipe(
  Command.withDescription("Look at the configuration of services, change it, and see why it is as it is"),
  Command.withSubcommands([list, get, explain, validate, profiles])
)
