/**
 * From what a database says to a configuration that works: what the program insists on, then environment, row, profile,
 * what the program says otherwise, and the default, each field by itself.
 * Pure and total: whatever the row holds, the answer is a configuration that {@link ConsumerConfig} accepts.
 *
 * @since 0.1.0
 */
import * as ConfigIssue from "./ConfigIssue.ts"
import type * as ConfigRow from "./ConfigRow.ts"
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import * as Environment from "./Environment.ts"
import * as ProfileChoice from "./internal/profileChoice.ts"
import * as Rules from "./internal/rules.ts"
import * as SessionLimits from "./internal/sessionLimits.ts"
import * as Values from "./internal/values.ts"
import * as Setting from "./Setting.ts"
import type * as WorkloadProfile from "./WorkloadProfile.ts"

/**
 * Where a value comes from. `code`: the program. `environment`: a variable of the process. `lastKnownGood`: what was read before the process
 * started, as nothing could be read since. `derived`: it was left out and made to fit the others (or, for the consumer
 * group, made from the name of the service).
 *
 * @category models
 * @since 0.1.0
 */
export type Source = "code" | "environment" | "row" | "lastKnownGood" | "profile" | "default" | "derived"

/**
 * A setting's value, where it comes from, and what was refused on the way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin<A> {
  readonly value: A
  readonly source: Source
  /** The variable of the environment that the value stands in. */
  readonly variable?: string
  /** The value of the strongest source that had one, where it could not be used, with the reason. */
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
 * What the source of configurations had to say about a service.
 *
 * @category models
 * @since 0.1.0
 */
export type RowResult = ConfigRow.RowResult

/**
 * `group.min.session.timeout.ms` and `group.max.session.timeout.ms` of the brokers, in milliseconds: they refuse a
 * member whose session timeout is not within them.
 *
 * @category models
 * @since 0.1.0
 */
export type BrokerLimits = SessionLimits.BrokerLimits

/**
 * What is resolved.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input {
  readonly service: string
  readonly row: RowResult
  /** The program's workload profile; one that the row or a rule names comes before it. Without any, `default`. */
  readonly profile?: WorkloadProfile.WorkloadProfile | undefined
  /** What the program insists on: it comes before the environment and the row. Default: nothing. */
  readonly fixed?: WorkloadProfile.Values | undefined
  /** What the program says where row and profile say nothing: it comes before the defaults. Default: nothing. */
  readonly defaults?: WorkloadProfile.Values | undefined
  /** Default: nothing is overridden. */
  readonly environment?: Environment.Environment | undefined
  /** Default: those that brokers have by default, 6000 and 1800000. */
  readonly broker?: BrokerLimits | undefined
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
  readonly profileSource: WorkloadProfile.NamedBy
  readonly config: ConsumerConfig
  readonly provenance: Provenance
  readonly issues: ReadonlyArray<ConfigIssue.ConfigIssue>
  /** The revision of the row in the history of configurations; `undefined` where none is kept. */
  readonly revision: number | undefined
  /** What the program gave: with it, others can tell what another row would become here. */
  readonly given: Pick<Input, "profile" | "fixed" | "defaults" | "broker">
}

/** The columns of `pipeline_consumer_configs` that are no settings. */
const otherColumns: ReadonlySet<string> = new Set([
  "service_name",
  "workload_profile",
  "description",
  "created_at",
  "updated_at"
])

type Value = string | number | boolean
type Accepted = { [K in Setting.SettingKey]?: Value }
type Raw = { readonly [K in Setting.SettingKey]?: unknown }
type Refusing = (used: ConfigIssue.Replacement) => ConfigIssue.Refused

/** The values of one explicit source, with what was refused of them. */
interface Explicit {
  readonly source: Exclude<ConfigIssue.RefusedSource, "default">
  readonly accepted: Accepted
  readonly raw: Raw
  readonly variables: { readonly [K in Setting.SettingKey]?: string }
  readonly refusals: Map<Setting.SettingKey, Refusing>
}

const boundBroken = (key: Setting.SettingKey, value: Value, session: SessionLimits.SessionBounds) => {
  if (key !== "sessionTimeoutMs") return undefined
  if (Number(value) < session.min.value) return { bound: "min", limit: session.min } as const
  return Number(value) > session.max.value ? { bound: "max", limit: session.max } as const : undefined
}

/** What every member of a service reads: the same value for all of them. */
const shared: ReadonlySet<ConfigIssue.RefusedSource> = new Set(["row", "lastKnownGood", "profile"])

const parse = (key: Setting.SettingKey, source: Explicit["source"], raw: unknown): Values.Parsed => {
  const parsed = Values.parse(Setting.get(key), raw)
  if (key !== "groupInstanceId" || parsed._tag !== "Accepted" || !shared.has(source)) return parsed
  const expected = Values.sharedFault(String(parsed.value))
  return expected === undefined ? parsed : { _tag: "Bad", expected }
}

const explicit = (
  service: string,
  source: Explicit["source"],
  raw: Raw,
  session: SessionLimits.SessionBounds,
  variables: Explicit["variables"] = {}
): Explicit => {
  const accepted: Accepted = {}
  const refusals = new Map<Setting.SettingKey, Refusing>()
  for (const key of Setting.keys) {
    const value = raw[key]
    if (value === undefined || value === null) continue
    const parsed = parse(key, source, value)
    const variable = variables[key]
    const refusal = { service, setting: key, source, ...(variable !== undefined && { variable }), raw: value }
    const outOfBounds = parsed._tag === "OutOfBounds"
      ? parsed
      : parsed._tag === "Accepted"
      ? boundBroken(key, parsed.value, session)
      : undefined
    if (outOfBounds !== undefined) {
      const { bound, limit } = outOfBounds
      refusals.set(key, (used) => ({ _tag: "OutOfBounds", ...refusal, bound, limit, used }))
    } else if (parsed._tag === "Bad") {
      refusals.set(key, (used) => ({ _tag: "BadValue", ...refusal, expected: parsed.expected, used }))
    } else if (parsed._tag === "Accepted") {
      accepted[key] = parsed.value
    }
  }
  return { source, accepted, raw, variables, refusals }
}

const fromEnvironment = (service: string, overrides: Environment.Overrides, session: SessionLimits.SessionBounds) =>
  explicit(
    service,
    "environment",
    Object.fromEntries(Object.entries(overrides).map(([key, { raw }]) => [key, raw])),
    session,
    Object.fromEntries(Object.entries(overrides).map(([key, { variable }]) => [key, variable]))
  )

const numbersOf = (accepted: Accepted): Rules.Partially =>
  Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value = accepted[key]
      return Setting.get(key).type === "integer" && value !== undefined ? [[key, value]] : []
    })
  )

/** Drops what contradicts, and answers the numbers that follow; the reasons need the final provenance. */
const reconcile = (layers: ReadonlyArray<Explicit>, preferred: Accepted, session: SessionLimits.SessionBounds) => {
  const { dropped, numbers } = Rules.reconcile(
    layers.map(({ accepted }) => numbersOf(accepted)),
    numbersOf(preferred),
    { min: session.min.value, max: session.max.value }
  )
  for (const { key, layer } of dropped) delete layers[layer]!.accepted[key]
  return { dropped, numbers }
}

const defaultValue = (key: Setting.SettingKey, service: string): Value => {
  const setting = Setting.get(key)
  return setting.type === "name" ? Values.defaultName(setting, service) : setting.default
}

/** The values of the profile; what it has wrong is that of the built-in profile of its name. */
const profileValues = (service: string, choice: ProfileChoice.Choice, session: SessionLimits.SessionBounds) => {
  const profile = explicit(service, "profile", choice.values, session)
  const fallback = explicit(service, "profile", choice.fallback, session)
  for (const key of profile.refusals.keys()) {
    const value = fallback.accepted[key]
    if (value !== undefined) profile.accepted[key] = value
  }
  return profile
}

/** What the broker decides in the protocol of KIP-848, where somebody has said it. */
const vainIssue = (service: string, provenance: Provenance): ReadonlyArray<ConfigIssue.NoEffect> => {
  const { groupProtocol, partitionAssignmentStrategy } = provenance
  if (groupProtocol.value !== "consumer") return []
  const settings = (["sessionTimeoutMs", "heartbeatIntervalMs", "partitionAssignmentStrategy"] as const).filter(
    // The coordinator has a range of its own.
    (key) => key !== "partitionAssignmentStrategy" || partitionAssignmentStrategy.value !== "range"
  ).flatMap((key) => {
    const { source, value } = provenance[key]
    return source === "default" || source === "derived" ? [] : [{ key, value, source }]
  })
  return settings.length === 0 ? [] : [{ _tag: "NoEffect", service, settings, decidedBy: groupProtocol.source }]
}

const limitsIssue = (
  service: string,
  broker: BrokerLimits | undefined,
  { fault }: SessionLimits.SessionBounds
): ReadonlyArray<ConfigIssue.BrokerLimits> =>
  broker === undefined || fault === undefined ? [] : [{ _tag: "BrokerLimits", service, ...broker, detail: fault }]

/**
 * Resolves the configuration of a service.
 *
 * Each setting is what the program insists on, else what the environment overrides, else the row's value, else the
 * profile's, else what the program says otherwise, else the default; NULL means left out. The profile is the one that the row names, else the one of the first rule that the service's name matches,
 * else the program's; its values are those of the table of profiles, else the built-in ones. Where no row can be read,
 * what was read last takes its place.
 *
 * Values of the wrong type or out of bounds are refused one by one. Where explicit values contradict each other, as few
 * of them as possible fall back, and none of a stronger source where those of weaker ones can. What was left out is
 * derived where it depends on others: a session of 30 s makes a heartbeat of 10 s, a poll interval of 600 s a request
 * timeout of 605 s. A session timeout is within the brokers' limits. Every refusal has its reason in `issues` and in
 * `provenance`.
 *
 * @category resolving
 * @since 0.1.0
 */
export const resolve = (input: Input): Resolved => {
  const { row: found, service } = input
  const session = SessionLimits.sessionBounds(input.broker)
  const columns = found._tag === "NoRow" ? {} : found.columns
  const choice = ProfileChoice.choose(service, columns, found.table, input.profile)
  const profile = profileValues(service, choice, session)
  const profileSource = choice.isFromTable && found._tag === "LastKnownGood" ? "lastKnownGood" : "profile"
  const defaults = explicit(service, "code", input.defaults ?? {}, session)
  const preferences = [profile, defaults]
  const preferredDropped = reconcile(preferences, {}, session).dropped

  const rowValues = Object.fromEntries(
    Object.entries(columns).flatMap(([column, value]) => {
      const key = Setting.fromSql(column)
      return key === undefined ? [] : [[key, value]]
    })
  )
  const layers: ReadonlyArray<Explicit> = [
    explicit(service, "code", input.fixed ?? {}, session),
    ...(input.environment ?? Environment.empty).map((overrides) => fromEnvironment(service, overrides, session)),
    explicit(service, found._tag === "LastKnownGood" ? "lastKnownGood" : "row", rowValues, session)
  ]
  const { dropped, numbers } = reconcile(layers, { ...defaults.accepted, ...profile.accepted }, session)

  const origin = (key: Setting.SettingKey): Origin<Value> => {
    for (const { accepted, source, variables } of layers) {
      const value = accepted[key]
      const variable = variables[key]
      if (value !== undefined) return { value, source, ...(variable !== undefined && { variable }) }
    }
    const ofProfile = profile.accepted[key]
    const ofCode = defaults.accepted[key]
    const wished = ofProfile ?? ofCode ?? defaultValue(key, service)
    const value = key in numbers ? numbers[key as Rules.NumericKey] : wished
    if (value !== wished) return { value, source: "derived" }
    if (ofProfile !== undefined) return { value, source: profileSource }
    if (ofCode !== undefined) return { value, source: "code" }
    return { value, source: key === "consumerGroupId" ? "derived" : "default" }
  }

  const contradiction = (own: Explicit, { key, rule }: Pick<Rules.Dropped, "key" | "rule">): Refusing => (used) => {
    const contradicts = rule.subject === key ? rule.other : rule.subject
    const variable = own.variables[key]
    const preferred = own === profile || own === defaults
      ? preferences.find(({ accepted }) => accepted[contradicts] !== undefined)
      : undefined
    const by = preferred === undefined
      ? origin(contradicts)
      : { value: preferred.accepted[contradicts]!, source: preferred.source }
    return {
      _tag: "Contradiction",
      service,
      setting: key,
      source: own.source,
      ...(variable !== undefined && { variable }),
      raw: own.raw[key],
      rule: rule.text,
      contradicts,
      contradictedBy: { value: by.value, source: by.source },
      used
    }
  }
  for (const drop of preferredDropped) {
    const own = preferences[drop.layer]!
    own.refusals.set(drop.key, contradiction(own, drop))
  }
  for (const drop of dropped) layers[drop.layer]!.refusals.set(drop.key, contradiction(layers[drop.layer]!, drop))

  const refusedDefault = (key: Setting.SettingKey): ReadonlyArray<Refusing> => {
    if ([...layers, ...preferences].some(({ accepted }) => accepted[key] !== undefined)) return []
    const raw = defaultValue(key, service)
    const broken = boundBroken(key, raw, session)
    return broken === undefined
      ? []
      : [(used) => ({ _tag: "OutOfBounds", service, setting: key, source: "default", raw, ...broken, used })]
  }

  const issues: Array<ConfigIssue.ConfigIssue> = found._tag === "Row" ? [] : [found.reason]
  if (found._tag === "LastKnownGood") issues.push({ _tag: "LastKnownGood", service, savedAt: found.savedAt })
  issues.push(...choice.issues, ...limitsIssue(service, input.broker, session))
  const provenance: Record<string, Origin<Value>> = {}
  const config: Record<string, Value> = {}
  for (const key of Setting.keys) {
    const used = origin(key)
    const refusing = [...layers, ...preferences].flatMap(({ refusals }) => refusals.get(key) ?? [])
    const reasons = [...refusing, ...refusedDefault(key)].map((refuse) =>
      refuse({ value: used.value, source: used.source })
    )
    issues.push(...reasons)
    config[key] = used.value
    provenance[key] = reasons[0] === undefined
      ? used
      : { ...used, refused: { raw: reasons[0].raw, reason: reasons[0] } }
  }
  issues.push(...vainIssue(service, provenance as unknown as Provenance))
  for (const column of Object.keys(columns)) {
    if (Setting.fromSql(column) === undefined && !otherColumns.has(column)) {
      issues.push({ _tag: "UnknownColumn", service, column })
    }
  }
  return {
    service,
    profile: choice.name,
    profileSource: choice.source,
    config: config as unknown as ConsumerConfig,
    provenance: provenance as unknown as Provenance,
    issues,
    revision: found.revision,
    given: { profile: input.profile, fixed: input.fixed, defaults: input.defaults, broker: input.broker }
  }
}

/**
 * Whether two resolutions say the same to a reader: values, sources, revision and issues.
 *
 * @category comparing
 * @since 0.1.0
 */
export const same = (self: Resolved, that: Resolved): boolean =>
  self.profile === that.profile
  && self.profileSource === that.profileSource
  && self.revision === that.revision
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
