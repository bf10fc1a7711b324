/** Which setting is meant: by the name of its column, in code, or Kafka's own. Pure. */
import * as Setting from "@weft/config/Setting"
import * as Result from "effect/Result"
import { CliFailure } from "../CliFailure.ts"
import { nearNames } from "./nearNames.ts"

const byName: ReadonlyMap<string, Setting.SettingKey> = new Map(
  Setting.keys.flatMap((key) => {
    const { kafka, sql } = Setting.get(key)
    return [...kafka === undefined ? [] : [kafka], key, sql].map((name) => [name, key] as const)
  })
)

/** Columns of a row that are no settings. */
const others: ReadonlyMap<string, string> = new Map([
  ["workload_profile", "workload_profile"],
  ["workloadProfile", "workload_profile"],
  ["profile", "workload_profile"],
  ["description", "description"]
])

const unknown = (name: string): CliFailure =>
  new CliFailure({
    kind: "Usage",
    message: `"${name}" is no setting`,
    near: nearNames(name, [...Setting.keys.map((key) => Setting.settings[key].sql), ...others.values()]),
    next: "weft config get SERVICE shows all settings; the handbook says what each one means"
  })

/** The setting of a name. */
export const settingOf = (name: string): Result.Result<Setting.SettingKey, CliFailure> => {
  const key = byName.get(name)
  return key === undefined ? Result.fail(unknown(name)) : Result.succeed(key)
}

/** The column of a name: of a setting, or of what else a row says. */
export const columnOf = (name: string): Result.Result<string, CliFailure> => {
  const key = byName.get(name)
  const column = key === undefined ? others.get(name) : Setting.settings[key].sql
  return column === undefined ? Result.fail(unknown(name)) : Result.succeed(column)
}

/** `max_poll_records=500` as a column and its value; the value may hold `=`. */
export const assignmentOf = (text: string): Result.Result<readonly [column: string, value: string], CliFailure> => {
  const at = text.indexOf("=")
  if (at < 1) {
    return Result.fail(
      new CliFailure({
        kind: "Usage",
        message: `"${text}" sets nothing`,
        next: "give key=value, such as max_poll_records=500; weft config unset SERVICE key takes a value away"
      })
    )
  }
  return Result.map(columnOf(text.slice(0, at).trim()), (column) => [column, text.slice(at + 1)] as const)
}
