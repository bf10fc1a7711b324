/** Which setting is meant: by the name of its column, in code, or Kafka's own. Pure. */
import * as Setting from "@weft/config/Setting"
import { CliFailure } from "../CliFailure.ts"
import { nearNames } from "./nearNames.ts"

const byName: ReadonlyMap<string, Setting.SettingKey> = new Map(
  Setting.keys.flatMap((key) => [
    [Setting.settings[key].kafka, key] as const,
    [key, key] as const,
    [Setting.settings[key].sql, key] as const
  ])
)

/** The setting of a name, or why there is none. */
export const settingOf = (name: string): Setting.SettingKey | CliFailure =>
  byName.get(name) ?? new CliFailure({
    kind: "Usage",
    message: `"${name}" is no setting`,
    near: nearNames(name, Setting.keys.map((key) => Setting.settings[key].sql)),
    next: "weft config get SERVICE shows all settings; docs/configuration.md says what each one means"
  })
