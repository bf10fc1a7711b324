import * as ConfigIssue from "@weft/config/ConfigIssue"
import type { Resolved } from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { isRefused, issueJson } from "../issues.ts"
import { type Paint, safe } from "../paint.ts"
import { knownService, resolved, serviceNames, withServices } from "../services.ts"
import { settingOf } from "../settingNames.ts"
import { table } from "../table.ts"

export const serviceArgument = Argument.String("service").pipe(
  Argument.withDescription("The service's name, as its row and its consumers have it")
)

const settingsArgument = Argument.String("setting").pipe(
  Argument.withDescription("Only these settings, such as max_poll_records"),
  Argument.variadic()
)

const chosen = Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
  if (names.length === 0) return Setting.keys
  return yield* Effect.forEach(names, (name) => {
    const key = settingOf(name)
    return key instanceof CliFailure ? Effect.fail(key) : Effect.succeed(key)
  })
})

const sourceColour = (source: string): keyof Paint | undefined =>
  source === "default" ? "dim" : source === "row" ? "green" : "cyan"

// get

const getSettings = Effect.fnUntraced(function*(service: string, names: ReadonlyArray<string>) {
  const keys = yield* chosen(names)
  const { config } = yield* knownService(service)
  return {
    json: Object.fromEntries(keys.map((key) => [Setting.settings[key].sql, config[key]])),
    text: () =>
      names.length === 1
        ? safe(String(config[keys[0]!]))
        : keys.map((key) => `${Setting.settings[key].sql}=${safe(String(config[key]))}`).join("\n")
  } satisfies Answer
})

export const get = Command.make(
  "get",
  { service: serviceArgument, settings: settingsArgument },
  ({ service, settings }) => answer(withServices(getSettings(service, settings)))
).pipe(
  Command.withDescription("Print the settings that a service's consumers use, or the value of one"),
  Command.withExamples([
    { command: "weft config get georegion-detector" },
    { command: "weft config get georegion-detector max_poll_records", description: "The value alone, for scripts" }
  ])
)

// explain

const explained = (found: Resolved, keys: ReadonlyArray<Setting.SettingKey>): Answer => {
  const rows = keys.map((key) => {
    const setting = Setting.get(key)
    const { refused, source, value } = found.provenance[key]
    return {
      setting: setting.sql,
      value,
      unit: Setting.unit(setting) ?? null,
      source,
      reload: setting.reload,
      refused: refused === undefined ? null : { raw: refused.raw, reason: ConfigIssue.message(refused.reason) }
    }
  })
  const issues = found.issues.filter((issue) => !isRefused(issue) || keys.includes(issue.setting))
  return {
    json: { service: found.service, profile: found.profile, settings: rows, issues: issues.map(issueJson) },
    text: (paint) =>
      [
        `${paint.bold(safe(found.service))}, workload profile ${paint.bold(safe(found.profile))}`,
        "",
        table(paint, [
          { title: "SETTING", value: (row) => row.setting },
          { title: "VALUE", value: (row) => String(row.value) },
          { title: "UNIT", value: (row) => row.unit ?? "" },
          { title: "FROM", value: (row) => row.source, paint: (row) => sourceColour(row.source) },
          { title: "A CHANGE IS", value: (row) => row.reload },
          { title: "", value: (row) => row.refused === null ? "" : "refused, see below", paint: () => "yellow" }
        ], rows),
        ...issues.length === 0
          ? []
          : ["", ...issues.map((issue) => `${paint.yellow("!")} ${ConfigIssue.message(issue)}`)]
      ].join("\n")
  }
}

export const explain = Command.make(
  "explain",
  { service: serviceArgument, settings: settingsArgument },
  ({ service, settings }) =>
    answer(withServices(Effect.gen(function*() {
      const keys = yield* chosen(settings)
      return explained(yield* knownService(service), keys)
    })))
).pipe(
  Command.withDescription(
    "Show each setting with where it comes from (row, profile, default, derived), how a change reaches running consumers "
      + "(hot, rejoin, restart), and why a value was refused"
  ),
  Command.withShortDescription("Show where each setting of a service comes from, and what was refused"),
  Command.withExamples([{ command: "weft config explain georegion-detector" }])
)

// list

const listServices = Effect.gen(function*() {
  const names = yield* serviceNames
  const all = yield* Effect.forEach(names, resolved, { concurrency: 2 })
  const rows = all.map(({ config, issues, profile, provenance, service }) => ({
    service,
    group: config.consumerGroupId,
    profile,
    set: Setting.keys.filter((key) => provenance[key].source === "row").length,
    refused: issues.filter(isRefused).length
  }))
  return {
    json: rows,
    text: (paint: Paint) =>
      rows.length === 0
        ? "no service has a row yet; weft config set SERVICE max_poll_records=500 makes one"
        : table(paint, [
          { title: "SERVICE", value: (row) => row.service },
          { title: "GROUP", value: (row) => row.group },
          { title: "PROFILE", value: (row) => row.profile },
          { title: "SET", value: (row) => row.set, align: "right" },
          {
            title: "REFUSED",
            value: (row) => row.refused,
            align: "right",
            paint: (row) => row.refused > 0 ? "yellow" : undefined
          }
        ], rows)
  } satisfies Answer
})

export const list = Command.make("list", {}, () => answer(withServices(listServices))).pipe(
  Command.withDescription("List the services that have a row, with how many settings are set and refused"),
  Command.withExamples([{ command: "weft config list" }])
)

// profiles

const profileList = (): Answer => {
  const rows = Object.values(WorkloadProfile.profiles)
  const values = ({ values: given }: WorkloadProfile.WorkloadProfile) =>
    Setting.keys.flatMap((key) => given[key] === undefined ? [] : [[Setting.settings[key].sql, given[key]] as const])
  return {
    json: rows.map((profile) => ({
      name: profile.name,
      description: profile.description,
      values: Object.fromEntries(values(profile))
    })),
    text: (paint) =>
      rows.map((profile) =>
        [
          `${paint.bold(profile.name)}  ${profile.description}`,
          ...values(profile).map(([sql, value]) => `  ${sql}=${value}`)
        ].join("\n")
      ).join("\n\n")
  }
}

export const profiles = Command.make("profiles", {}, () => answer(Effect.sync(profileList))).pipe(
  Command.withDescription("List the workload profiles: the values that stand between a row and the defaults"),
  Command.withExamples([{ command: "weft config profiles" }])
)
