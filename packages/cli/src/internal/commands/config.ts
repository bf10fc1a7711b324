import * as Command from "effect/cli/Command"
import { exportCommand, importCommand } from "./configFiles.ts"
import { history } from "./configHistory.ts"
import { profiles, rules } from "./configProfiles.ts"
import { explain, get, list } from "./configRead.ts"
import { validate } from "./configValidate.ts"
import { remove, revert, set, unset } from "./configWrite.ts"

export const config = Command.make("config").pipe(
  Command.withDescription("Look at the configuration of services, change it, and see why it is as it is"),
  Command.withSubcommands([
    { group: "LOOK", commands: [list, get, explain, validate] },
    { group: "CHANGE", commands: [set, unset, remove, history, revert] },
    { group: "FILES", commands: [exportCommand, importCommand] },
    { group: "PROFILES", commands: [profiles, rules] }
  ])
)
