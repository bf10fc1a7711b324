/**
 * Everything that can be wrong with a service's configuration, as a closed union. None of it stops a consumer: each
 * issue says what is used instead. Pure.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Formatter from "effect/Formatter"
import * as Setting from "./Setting.ts"
import type * as WorkloadProfile from "./WorkloadProfile.ts"

/**
 * There is no row for the service: its profile and the defaults hold. A normal state of a new service.
 *
 * @category models
 * @since 0.1.0
 */
export interface MissingRow {
  readonly _tag: "MissingRow"
  readonly service: string
}

/**
 * The database has no table `pipeline_consumer_configs`: the migrations were not run, or not in this schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface MissingTable {
  readonly _tag: "MissingTable"
  readonly service: string
}

/**
 * The database could not be reached, or refused the login.
 *
 * @category models
 * @since 0.1.0
 */
export interface DatabaseUnreachable {
  readonly _tag: "DatabaseUnreachable"
  readonly service: string
  readonly detail: string
}

/**
 * The database was asked and did not answer in time.
 *
 * @category models
 * @since 0.1.0
 */
export interface DatabaseTimeout {
  readonly _tag: "DatabaseTimeout"
  readonly service: string
  readonly timeoutMs: number
}

/**
 * The database refused the query for another reason, such as a missing permission.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueryFailed {
  readonly _tag: "QueryFailed"
  readonly service: string
  readonly detail: string
}

/**
 * Why there is no row to resolve.
 *
 * @category models
 * @since 0.1.0
 */
export type NoRow = MissingRow | MissingTable | DatabaseUnreachable | DatabaseTimeout | QueryFailed

/**
 * Nothing could be read since the process started: what an earlier one has kept of the service holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface LastKnownGood {
  readonly _tag: "LastKnownGood"
  readonly service: string
  /** When it was saved, in milliseconds since 1970. */
  readonly savedAt: number
}

/**
 * A workload profile was named that neither the table of profiles nor the program knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnknownProfile {
  readonly _tag: "UnknownProfile"
  readonly service: string
  readonly profile: unknown
  readonly namedBy: WorkloadProfile.NamedBy
  /** The pattern of the rule that named it. */
  readonly pattern?: string | undefined
  /** The name of the profile that holds instead. */
  readonly used: string
}

/**
 * The brokers' limits of a session timeout that cannot be kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface BrokerLimits {
  readonly _tag: "BrokerLimits"
  readonly service: string
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  readonly detail: string
}

/**
 * Which source a refused value stood in. `code`: the program. `default`: the setting's own default is not accepted by the brokers.
 *
 * @category models
 * @since 0.1.0
 */
export type RefusedSource = "code" | "environment" | "row" | "lastKnownGood" | "profile" | "default"

/**
 * The value that is used in place of a refused one, and where it comes from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Replacement {
  readonly value: string | number | boolean
  readonly source: string
}

interface Refusal {
  readonly service: string
  readonly setting: Setting.SettingKey
  readonly source: RefusedSource
  /** The variable of the environment, where the value stood in one. */
  readonly variable?: string | undefined
  readonly raw: unknown
  readonly used: Replacement
}

/**
 * A value that is not of the setting's type, or none of its choices.
 *
 * @category models
 * @since 0.1.0
 */
export interface BadValue extends Refusal {
  readonly _tag: "BadValue"
  readonly expected: string
}

/**
 * A number beyond a bound of its setting.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutOfBounds extends Refusal {
  readonly _tag: "OutOfBounds"
  readonly bound: "min" | "max"
  readonly limit: Setting.Bound
}

/**
 * A value that cannot hold together with another one; of the two, this one falls back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Contradiction extends Refusal {
  readonly _tag: "Contradiction"
  readonly rule: string
  readonly contradicts: Setting.SettingKey
  readonly contradictedBy: Replacement
}

/**
 * A column that is no setting: of a newer version of the table, or misspelt.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnknownColumn {
  readonly _tag: "UnknownColumn"
  readonly service: string
  readonly column: string
}

/**
 * Values that hold, and decide nothing, as `group_protocol` is `consumer`: the broker decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface NoEffect {
  readonly _tag: "NoEffect"
  readonly service: string
  readonly settings: ReadonlyArray<Replacement & { readonly key: Setting.SettingKey }>
  /** Where the `group_protocol` comes from. */
  readonly decidedBy: string
}

/**
 * A value that was refused, and why.
 *
 * @category models
 * @since 0.1.0
 */
export type Refused = BadValue | OutOfBounds | Contradiction

/**
 * The closed union of all issues.
 *
 * @category models
 * @since 0.1.0
 */
export type ConfigIssue = NoRow | LastKnownGood | UnknownProfile | BrokerLimits | Refused | NoEffect | UnknownColumn

const shown = 120

/**
 * A value as it may stand in a log line: quoted, without line breaks, at most 120 characters.
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (raw: unknown): string => {
  const text = Formatter.format(raw).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ").toWellFormed()
  return text.length <= shown ? text : `${text.slice(0, shown).toWellFormed()}... (${text.length} characters)`
}

const replacement = (used: Replacement) => `${render(used.value)} (${used.source}) is used`

/**
 * One line that says what is wrong and what is used instead.
 *
 * @category rendering
 * @since 0.1.0
 */
export const message = (issue: ConfigIssue): string => {
  switch (issue._tag) {
    case "MissingRow":
      return `no row for service ${render(issue.service)} in pipeline_consumer_configs: profile and defaults hold`
    case "MissingTable":
      return "the table pipeline_consumer_configs does not exist: run the migrations"
    case "DatabaseUnreachable":
      return `the database is unreachable: ${render(issue.detail)}`
    case "DatabaseTimeout":
      return `the database did not answer within ${issue.timeoutMs} ms`
    case "QueryFailed":
      return `the database refused to read the configuration: ${render(issue.detail)}`
    case "LastKnownGood":
      return `the last known good configuration, saved at ${time(issue.savedAt)}, holds`
    case "UnknownProfile":
      return `the workload profile ${render(issue.profile)} of the ${namedBy(issue)} is not known: `
        + `${render(issue.used)} holds`
    case "BrokerLimits":
      return `the brokers' session timeouts of ${issue.groupMinSessionTimeoutMs} to ${issue.groupMaxSessionTimeoutMs} `
        + `cannot be kept: ${issue.detail}`
    case "BadValue":
      return `${sql(issue)} ${render(issue.raw)} is not ${issue.expected}: ${replacement(issue.used)}`
    case "OutOfBounds":
      return `${sql(issue)} ${render(issue.raw)} is ${issue.bound === "min" ? "less" : "more"} than `
        + `${issue.limit.value} (${issue.limit.reason}): ${replacement(issue.used)}`
    case "Contradiction":
      return `${sql(issue)} ${render(issue.raw)} contradicts ${Setting.settings[issue.contradicts].sql} `
        + `${render(issue.contradictedBy.value)} (${issue.contradictedBy.source}): ${issue.rule}: `
        + replacement(issue.used)
    case "NoEffect":
      return `${issue.settings.map(vain).join(", ")} ${
        issue.settings.length === 1 ? "has" : "have"
      } no effect where the `
        + `members speak group_protocol consumer (${issue.decidedBy}): the broker decides, by its `
        + "group.consumer.session.timeout.ms, group.consumer.heartbeat.interval.ms and group.consumer.assignors"
    case "UnknownColumn":
      return `the column ${render(issue.column)} is no setting and has no effect`
  }
}

const vain = ({ key, source, value }: NoEffect["settings"][number]) =>
  `${Setting.settings[key].sql} ${render(value)} (${source})`

const time = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(Math.min(Math.max(millis, 0), 8.64e15)))

const namedBy = ({ namedBy, pattern }: UnknownProfile) =>
  pattern === undefined ? namedBy : `${namedBy} ${render(pattern)}`

const sql = (issue: Refused): string => {
  const name = Setting.settings[issue.setting].sql
  switch (issue.source) {
    case "code":
      return `${name} of the program`
    case "environment":
      return issue.variable ?? name
    case "row":
      return name
    case "lastKnownGood":
      return `${name} of the last known good configuration`
    case "profile":
      return `${name} of the profile`
    case "default":
      return `the default of ${name},`
  }
}

/**
 * Whether an issue deserves attention (`Warn`) or is a normal state (`Info`).
 *
 * @category rendering
 * @since 0.1.0
 */
export const level = (issue: ConfigIssue): "Info" | "Warn" =>
  issue._tag === "MissingRow" || issue._tag === "UnknownColumn" || issue._tag === "NoEffect" ? "Info" : "Warn"

/**
 * Equal for two issues that a reader would take for the same one; what is logged once is logged once per identity.
 *
 * @category rendering
 * @since 0.1.0
 */
export const identity = (issue: ConfigIssue): string =>
  // The details of a connection error change from attempt to attempt (ports, addresses); the outage is one.
  issue._tag === "DatabaseUnreachable" ? issue._tag : `${issue._tag}: ${message(issue)}`
