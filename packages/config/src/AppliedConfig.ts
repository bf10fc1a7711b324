/**
 * The configuration that a member of a consumer group runs with, in a form that can be stored and read back by another
 * version of the program. Pure.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ConfigIssue from "./ConfigIssue.ts"
import type * as ConfigRow from "./ConfigRow.ts"
import * as ConsumerConfig from "./ConsumerConfig.ts"
import type * as Environment from "./Environment.ts"
import * as ReloadPlan from "./ReloadPlan.ts"
import * as Resolution from "./Resolution.ts"
import * as Setting from "./Setting.ts"
import type * as WorkloadProfile from "./WorkloadProfile.ts"

/**
 * A setting as it is applied, with its provenance; `refused` is told in words, since its raw value may be anything.
 *
 * @category models
 * @since 0.1.0
 */
export interface AppliedSetting {
  readonly value: string | number | boolean
  readonly source: string
  readonly variable?: string | undefined
  readonly refused?: { readonly raw: string; readonly reason: string } | undefined
}

/**
 * Plain values by SQL name.
 *
 * @category models
 * @since 0.1.0
 */
export type Plain = { readonly [sql: string]: string | number | boolean }

/**
 * A configuration as it is stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface AppliedConfig {
  readonly profile: string
  readonly profileSource: string
  readonly revision?: number | undefined
  /** By SQL name. */
  readonly settings: { readonly [sql: string]: AppliedSetting }
  /** One line for each issue. */
  readonly issues: ReadonlyArray<string>
  /** The profile that the program gave, with which it resolves the next row. */
  readonly program?: { readonly name: string; readonly values: Plain } | undefined
  /** By SQL name: what the program insists on, whatever the next row says. */
  readonly fixed?: Plain | undefined
  /** By SQL name: what the program says where row and profile say nothing. */
  readonly defaults?: Plain | undefined
  readonly broker?: Resolution.BrokerLimits | undefined
}

const Value = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])
const Plain = Schema.Record(Schema.String, Value)

/**
 * The Schema of what is stored; it ignores what a newer version has added.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AppliedConfig: Schema.Codec<AppliedConfig> = Schema.Struct({
  profile: Schema.String,
  profileSource: Schema.String,
  revision: Schema.optional(Schema.Finite),
  settings: Schema.Record(
    Schema.String,
    Schema.Struct({
      value: Value,
      source: Schema.String,
      variable: Schema.optional(Schema.String),
      refused: Schema.optional(Schema.Struct({ raw: Schema.String, reason: Schema.String }))
    })
  ),
  issues: Schema.Array(Schema.String),
  program: Schema.optional(Schema.Struct({ name: Schema.String, values: Plain })),
  fixed: Schema.optional(Plain),
  defaults: Schema.optional(Plain),
  broker: Schema.optional(
    Schema.Struct({ groupMinSessionTimeoutMs: Schema.Finite, groupMaxSessionTimeoutMs: Schema.Finite })
  )
})

/** What is no plain value is left out: it is refused here, and would be refused there. */
const plainOf = (values: WorkloadProfile.Values): Plain =>
  Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value: unknown = values[key]
      const isPlain = typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)
      return isPlain ? [[Setting.settings[key].sql, value as string | number | boolean]] : []
    })
  )

/**
 * What is stored of a resolved configuration.
 *
 * @category converting
 * @since 0.1.0
 */
export const fromResolved = (resolved: Resolution.Resolved): AppliedConfig => {
  const { given: { broker, defaults, fixed, profile }, issues, profileSource, provenance, revision } = resolved
  return {
    profile: resolved.profile,
    profileSource,
    ...(revision !== undefined && { revision }),
    settings: Object.fromEntries(Setting.keys.map((key): readonly [string, AppliedSetting] => {
      const { refused, source, value, variable } = provenance[key]
      return [Setting.settings[key].sql, {
        value,
        source,
        ...(variable !== undefined && { variable }),
        ...(refused !== undefined && {
          refused: { raw: ConfigIssue.render(refused.raw), reason: ConfigIssue.message(refused.reason) }
        })
      }]
    })),
    issues: issues.map(ConfigIssue.message),
    ...(profile !== undefined && { program: { name: profile.name, values: plainOf(profile.values) } }),
    ...(fixed !== undefined && { fixed: plainOf(fixed) }),
    ...(defaults !== undefined && { defaults: plainOf(defaults) }),
    ...(broker !== undefined && { broker })
  }
}

/**
 * Whether a member works the same with both: profile and values. Where values come from, the row's revision and the issues
 * may differ: a database that goes away and comes back changes those, and nothing of how a member works.
 *
 * @category comparing
 * @since 0.1.0
 */
export const worksAlike = (self: AppliedConfig, that: AppliedConfig): boolean => {
  const settings = Object.keys(that.settings)
  return self.profile === that.profile
    && settings.length === Object.keys(self.settings).length
    && settings.every((sql) => self.settings[sql]?.value === that.settings[sql]!.value)
}

/**
 * The settings of a stored configuration, where they are all there and a configuration that {@link ConsumerConfig}
 * accepts.
 *
 * @category converting
 * @since 0.1.0
 */
export const toConfig = (applied: AppliedConfig): Option.Option<ConsumerConfig.ConsumerConfig> =>
  Schema.decodeUnknownOption(ConsumerConfig.ConsumerConfig)(
    Object.fromEntries(Setting.keys.map((key) => [key, applied.settings[Setting.settings[key].sql]?.value]))
  )

/**
 * What another row would become at the member that runs with `applied`: with its program's profile and values, its
 * brokers, and the overrides of its environment that hold there.
 *
 * @category converting
 * @since 0.1.0
 */
export const resolveAgain = (
  applied: AppliedConfig,
  service: string,
  row: ConfigRow.RowResult
): Resolution.Resolved => {
  // The resolver takes a program's values as it takes a row's: a bad one falls back.
  const bySql = (values: Plain = {}) =>
    Object.fromEntries(Setting.keys.map((key) => [key, values[Setting.settings[key].sql]])) as WorkloadProfile.Values
  const overrides: { [K in Setting.SettingKey]?: Environment.Override } = {}
  for (const key of Setting.keys) {
    const setting = applied.settings[Setting.settings[key].sql]
    if (setting?.source !== "environment") continue
    overrides[key] = { variable: setting.variable ?? Setting.settings[key].sql, raw: String(setting.value) }
  }
  return Resolution.resolve({
    service,
    row,
    environment: [overrides, {}],
    broker: applied.broker,
    fixed: bySql(applied.fixed),
    defaults: bySql(applied.defaults),
    profile: applied.program && {
      name: applied.program.name,
      description: "",
      values: bySql(applied.program.values)
    }
  })
}

/** What a member of an older version does not know does not change there. */
const completed = (applied: AppliedConfig, next: Resolution.Resolved): AppliedConfig => ({
  ...applied,
  settings: { ...fromResolved(next).settings, ...applied.settings }
})

/**
 * What another row would do to the member that runs with `applied`; none where what it stored is no configuration. A
 * setting that is newer than the member changes nothing there.
 *
 * @category converting
 * @since 0.1.0
 */
export const planFor = (
  applied: AppliedConfig,
  service: string,
  row: ConfigRow.RowResult
): Option.Option<ReloadPlan.ReloadPlan> => {
  const next = resolveAgain(applied, service, row)
  return Option.map(toConfig(completed(applied, next)), (config) => {
    const plan = ReloadPlan.make({ config, issues: [] }, next)
    const known = new Set(applied.issues)
    return { ...plan, refused: plan.refused.filter((issue) => !known.has(ConfigIssue.message(issue))) }
  })
}
