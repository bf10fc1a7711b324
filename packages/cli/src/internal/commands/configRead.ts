import type { AppliedMember } from "@weft/config/AppliedConfigs"
import { AppliedConfigs } from "@weft/config/AppliedConfigs"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type { Resolved } from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import { ConfigWriter } from "@weft/postgres/ConfigWriter"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Answer, answer } from "../answer.ts"
import { isRefused, issueJson } from "../issues.ts"
import { type Paint, safe } from "../paint.ts"
import { isMissing, knownService, withServices } from "../services.ts"
import { settingOf } from "../settingNames.ts"
import { table } from "../table.ts"
import { ago } from "../times.ts"

export const serviceArgument = Argument.String("service").pipe(
  Argument.withDescription("The service's name, as its row and its consumers have it")
)

const settingsArgument = Argument.String("setting").pipe(
  Argument.withDescription("Only these settings, such as max_poll_records"),
  Argument.variadic()
)

const chosen = (names: ReadonlyArray<string>) =>
  names.length === 0
    ? Effect.succeed(Setting.keys)
    : Effect.forEach(names, (name) => Effect.fromResult(settingOf(name)))

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
  Command.withDescription("Print the settings that a service's row comes to, or the value of one"),
  Command.withExamples([
    { command: "weft config get georegion-detector" },
    { command: "weft config get georegion-detector max_poll_records", description: "The value alone, for scripts" }
  ])
)

// explain

const settingRow = (found: Resolved) => (key: Setting.SettingKey) => {
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
}

/** What a member runs with other than the row says: by its environment, or as a change has not reached it. */
const differences = ({ applied }: AppliedMember, { config }: Resolved, keys: ReadonlyArray<Setting.SettingKey>) =>
  keys.flatMap((key) => {
    const { sql } = Setting.settings[key]
    const own = applied.settings[sql]
    return own === undefined || own.value === config[key]
      ? []
      : [{ setting: sql, value: own.value, source: own.variable ?? own.source }]
  })

const memberRow = (found: Resolved, keys: ReadonlyArray<Setting.SettingKey>) => (member: AppliedMember) => ({
  member: member.member,
  group: member.group,
  revision: member.applied.revision ?? null,
  appliedAt: member.appliedAt,
  lastSeen: member.lastSeen,
  differs: differences(member, found, keys)
})

const explained = (
  found: Resolved,
  keys: ReadonlyArray<Setting.SettingKey>,
  running: ReadonlyArray<AppliedMember>,
  now: number
): Answer => {
  const rows = keys.map(settingRow(found))
  const members = running.map(memberRow(found, keys))
  const issues = found.issues.filter((issue) => !isRefused(issue) || keys.includes(issue.setting))
  const at = found.revision === undefined ? "" : `, revision ${found.revision}`
  return {
    json: {
      service: found.service,
      revision: found.revision ?? null,
      profile: found.profile,
      profileSource: found.profileSource,
      settings: rows,
      issues: issues.map(issueJson),
      members
    },
    text: (paint) =>
      [
        `${paint.bold(safe(found.service))}, workload profile ${
          paint.bold(safe(found.profile))
        } (${found.profileSource})${at}`,
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
          : ["", ...issues.map((issue) => `${paint.yellow("!")} ${ConfigIssue.message(issue)}`)],
        "",
        members.length === 0 ? "no member has told what it runs with" : table(paint, [
          { title: "MEMBER", value: (row) => row.member },
          { title: "REVISION", value: (row) => row.revision ?? "none", align: "right" },
          { title: "APPLIED", value: (row) => ago(row.appliedAt, now) },
          { title: "LAST SEEN", value: (row) => ago(row.lastSeen, now) },
          {
            title: "RUNS WITH",
            value: ({ differs }) =>
              differs.length === 0
                ? "the settings above"
                : differs.map(({ setting, source, value }) => `${setting}=${value} (${source})`).join(", "),
            paint: ({ differs }) => differs.length === 0 ? undefined : "yellow"
          }
        ], members)
      ].join("\n")
  }
}

const explainService = Effect.fnUntraced(function*(service: string, names: ReadonlyArray<string>) {
  const keys = yield* chosen(names)
  const writer = yield* ConfigWriter
  const running = yield* (yield* AppliedConfigs).list(service)
  const found = yield* writer.get(service)
  // A service that runs without a row is known all the same.
  if (isMissing(found) && running.length === 0) yield* knownService(service)
  return explained(found, keys, running, yield* Clock.currentTimeMillis)
})

export const explain = Command.make(
  "explain",
  { service: serviceArgument, settings: settingsArgument },
  ({ service, settings }) => answer(withServices(explainService(service, settings)))
).pipe(
  Command.withDescription(
    "Show each setting with where it comes from (row, profile, default, derived), how a change reaches running consumers "
      + "(hot, rejoin, restart), why a value was refused, and what each running member has applied"
  ),
  Command.withShortDescription("Show where each setting of a service comes from, and what its members run with"),
  Command.withExamples([{ command: "weft config explain georegion-detector" }])
)

// list

const listServices = Effect.gen(function*() {
  const all = yield* (yield* ConfigWriter).list
  const rows = all.map(({ config, issues, profile, provenance, revision, service }) => ({
    service,
    group: config.consumerGroupId,
    profile,
    set: Setting.keys.filter((key) => provenance[key].source === "row").length,
    refused: issues.filter(isRefused).length,
    revision: revision ?? null
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
          },
          { title: "REVISION", value: (row) => row.revision ?? "none", align: "right" }
        ], rows)
  } satisfies Answer
})

export const list = Command.make("list", {}, () => answer(withServices(listServices))).pipe(
  Command.withDescription("List the services that have a row, with how many settings are set and refused"),
  Command.withExamples([{ command: "weft config list" }])
)
