/**
 * From what a database says to a configuration that works: row, then profile, then default, each field by itself.
 * Pure and total: whatever the row holds, the answer is a configuration that {@link ConsumerConfig} accepts.
 *
 * @since 0.1.0
 */
import * as ConfigIssue from "./ConfigIssue.ts"
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import * as Rules from "./internal/rules.ts"
import * as Values from "./internal/values.ts"
import * as Setting from "./Setting.ts"
import * as WorkloadProfile from "./WorkloadProfile.ts"

/**
 * Where a value comes from. `derived`: it was left out and made to fit the others (or, for the consumer group, made
 * from the name of the service).
 *
 * @category models
 * @since 0.1.0
 */
export type Source = "row" | "profile" | "default" | "derived"

/**
 * A setting's value, where it comes from, and what was refused on the way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin<A> {
  readonly value: A
  readonly source: Source
  /** The value of the row (or else of the profile) that could not be used, with the reason. */
  readonly refused?: { readonly raw: unknown; readonly reason: ConfigIssue.Refused }
}

/**
 * The origin of each setting.
 *
 * @category models
 * @since 0.1.0
 */
export type Provenance = { readonly [K in keyof ConsumerConfig]: Origin<ConsumerConfig[K]> }

/**
 * What the source of configurations had to say about a service: a row of unknown values by SQL name, or the reason why
 * there is none.
 *
 * @category models
 * @since 0.1.0
 */
export type RowResult =
  | { readonly _tag: "Row"; readonly columns: { readonly [column: string]: unknown } }
  | { readonly _tag: "NoRow"; readonly reason: ConfigIssue.NoRow }

/**
 * What is resolved. Without a profile, `default`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input {
  readonly service: string
  readonly row: RowResult
  readonly profile?: WorkloadProfile.WorkloadProfile | undefined
}

/**
 * A configuration with the reasons for each of its values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resolved {
  readonly service: string
  /** The name of the workload profile. */
  readonly profile: string
  readonly config: ConsumerConfig
  readonly provenance: Provenance
  readonly issues: ReadonlyArray<ConfigIssue.ConfigIssue>
}

/** The columns of `pipeline_consumer_configs` that are no settings. */
const otherColumns: ReadonlySet<string> = new Set(["service_name", "description", "created_at", "updated_at"])

type Value = string | number | boolean
type Accepted = { [K in Setting.SettingKey]?: Value }
type Refusing = (used: ConfigIssue.Replacement) => ConfigIssue.Refused

/** The values of one explicit source, with what was refused of them. */
interface Explicit {
  readonly accepted: Accepted
  readonly raw: { readonly [K in Setting.SettingKey]?: unknown }
  readonly refusals: Map<Setting.SettingKey, Refusing>
}

const explicit = (
  service: string,
  source: ConfigIssue.RefusedSource,
  raw: { readonly [K in Setting.SettingKey]?: unknown }
): Explicit => {
  const accepted: Accepted = {}
  const refusals = new Map<Setting.SettingKey, Refusing>()
  for (const key of Setting.keys) {
    const value = raw[key]
    if (value === undefined || value === null) continue
    const parsed = Values.parse(Setting.get(key), value)
    const refusal = { service, setting: key, source, raw: value }
    switch (parsed._tag) {
      case "Accepted":
        accepted[key] = parsed.value
        break
      case "Bad":
        refusals.set(key, (used) => ({ _tag: "BadValue", ...refusal, expected: parsed.expected, used }))
        break
      case "OutOfBounds":
        refusals.set(key, (used) => ({
          _tag: "OutOfBounds",
          ...refusal,
          bound: parsed.bound,
          limit: parsed.limit,
          used
        }))
        break
    }
  }
  return { accepted, raw, refusals }
}

const numbersOf = (accepted: Accepted): Rules.Partially =>
  Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value = accepted[key]
      return Setting.get(key).type === "integer" && value !== undefined ? [[key, value]] : []
    })
  )

/** Drops what contradicts, and answers the numbers that follow; the reasons need the final provenance. */
const reconcile = (own: Explicit, preferred: Accepted) => {
  const { dropped, numbers } = Rules.reconcile(numbersOf(own.accepted), numbersOf(preferred))
  for (const { key } of dropped) delete own.accepted[key]
  return { dropped, numbers }
}

const defaultValue = (key: Setting.SettingKey, service: string): Value => {
  const setting = Setting.get(key)
  return setting.type === "name" ? Values.defaultName(setting, service) : setting.default
}

/**
 * Resolves the configuration of a service.
 *
 * Each setting is the row's value, else the profile's, else the default; NULL means left out. Values of the wrong type
 * or out of bounds are refused one by one. Where explicit values contradict each other, as few of them as possible fall
 * back. What was left out is derived where it depends on others: a session of 30 s makes a heartbeat of 10 s, a poll
 * interval of 600 s a request timeout of 605 s. Every refusal has its reason in `issues` and in `provenance`.
 *
 * @category resolving
 * @since 0.1.0
 */
export const resolve = (input: Input): Resolved => {
  const { service } = input
  const workload = input.profile ?? WorkloadProfile.profiles.default
  const profile = explicit(service, "profile", workload.values)
  const profileDropped = reconcile(profile, {}).dropped

  const columns = input.row._tag === "Row" ? Object.entries(input.row.columns) : []
  const row = explicit(
    service,
    "row",
    Object.fromEntries(columns.flatMap(([column, value]) => {
      const key = Setting.fromSql(column)
      return key === undefined ? [] : [[key, value]]
    }))
  )
  const { dropped, numbers } = reconcile(row, profile.accepted)

  const origin = (key: Setting.SettingKey): { readonly value: Value; readonly source: Source } => {
    const fromRow = row.accepted[key]
    if (fromRow !== undefined) return { value: fromRow, source: "row" }
    const wished = profile.accepted[key] ?? defaultValue(key, service)
    const value = key in numbers ? numbers[key as Rules.NumericKey] : wished
    const source = value !== wished || key === "consumerGroupId" && profile.accepted[key] === undefined
      ? "derived"
      : profile.accepted[key] === undefined
      ? "default"
      : "profile"
    return { value, source }
  }

  const contradiction =
    (source: ConfigIssue.RefusedSource, own: Explicit, { key, rule }: Rules.Dropped): Refusing => (used) => {
      const contradicts = rule.subject === key ? rule.other : rule.subject
      const by = own.accepted[contradicts] === undefined
        ? origin(contradicts)
        : { value: own.accepted[contradicts], source }
      return {
        _tag: "Contradiction",
        service,
        setting: key,
        source,
        raw: own.raw[key],
        rule: rule.text,
        contradicts,
        contradictedBy: by,
        used
      }
    }
  for (const drop of profileDropped) profile.refusals.set(drop.key, contradiction("profile", profile, drop))
  for (const drop of dropped) row.refusals.set(drop.key, contradiction("row", row, drop))

  const issues: Array<ConfigIssue.ConfigIssue> = []
  if (input.row._tag === "NoRow") issues.push(input.row.reason)
  const provenance: Record<string, Origin<Value>> = {}
  const config: Record<string, Value> = {}
  for (const key of Setting.keys) {
    const used = origin(key)
    const reasons = [row.refusals.get(key), profile.refusals.get(key)].flatMap((refusing) =>
      refusing === undefined ? [] : [refusing(used)]
    )
    issues.push(...reasons)
    config[key] = used.value
    provenance[key] = reasons[0] === undefined
      ? used
      : { ...used, refused: { raw: reasons[0].raw, reason: reasons[0] } }
  }
  for (const [column] of columns) {
    if (Setting.fromSql(column) === undefined && !otherColumns.has(column)) {
      issues.push({ _tag: "UnknownColumn", service, column })
    }
  }
  return {
    service,
    profile: workload.name,
    config: config as unknown as ConsumerConfig,
    provenance: provenance as unknown as Provenance,
    issues
  }
}

/**
 * Whether two resolutions say the same to a reader: values, sources and issues.
 *
 * @category comparing
 * @since 0.1.0
 */
export const same = (self: Resolved, that: Resolved): boolean =>
  self.profile === that.profile
  && Setting.keys.every((key) =>
    self.config[key] === that.config[key] && self.provenance[key].source === that.provenance[key].source
  )
  && self.issues.length === that.issues.length
  && self.issues.every((issue, i) => ConfigIssue.identity(issue) === ConfigIssue.identity(that.issues[i]!))

/**
 * The settings that are not the default, each as `max_poll_records=500 (row)`: one line for a log.
 *
 * @category rendering
 * @since 0.1.0
 */
export const summary = (resolved: Resolved): string => {
  const told = Setting.keys.filter((key) => resolved.provenance[key].source !== "default")
  return told.map((key) => {
    const { source, value } = resolved.provenance[key]
    return `${Setting.settings[key].sql}=${value} (${source})`
  }).join(", ")
}
