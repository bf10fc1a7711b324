/**
 * What a service should change, from what it was measured to do: {@link RecommendationRules.rules} applied to evidence, and
 * each wish brought to what the resolution of configurations accepts. Pure.
 *
 * @since 0.1.0
 */
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import type { Evidence } from "./RecommendationEvidence.ts"
import * as RecommendationRules from "./RecommendationRules.ts"

/**
 * Values by SQL name.
 *
 * @category models
 * @since 0.1.0
 */
export type Configuration = { readonly [sql: string]: string | number | boolean }

/**
 * A recommendation to whoever runs a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recommendation {
  readonly service: string
  /** The name of the rule that it comes from. */
  readonly rule: string
  readonly priority: RecommendationRules.Priority
  /** What is wrong, in a sentence. */
  readonly reason: string
  /** The values now: of the settings that the rule judges, and of those that would change. */
  readonly currentConfig: Configuration
  /** The settings that should change; none where no setting helps. */
  readonly recommendedConfig: Configuration
  /** What else to do, or what to do instead; `undefined` where the settings are all. */
  readonly action: string | undefined
  readonly expectedEffect: string
  readonly evidence: RecommendationRules.Figures
  /** From 0 to 1: how sure the cause is, and how much was seen of it. */
  readonly confidence: number
}

/**
 * The same by the names that the columns of `consumer_recommendations` have, as the guide does.
 *
 * @category accessors
 * @since 0.1.0
 */
export const columns = (one: Recommendation) => ({
  service_name: one.service,
  rule: one.rule,
  priority: one.priority,
  reason: one.reason,
  current_config: one.currentConfig,
  recommended_config: one.recommendedConfig,
  action: one.action ?? null,
  expected_effect: one.expectedEffect,
  evidence: one.evidence,
  confidence: one.confidence
})

/**
 * The configuration that is judged, and what it would become with other values in its row.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly current: Resolution.Resolved
  readonly resolve: (changes: WorkloadProfile.Values) => Resolution.Resolved
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Evaluation {
  /** Those of high priority first; among equals by the precedence of their rules. */
  readonly recommendations: ReadonlyArray<Recommendation>
  /** Rules that have not seen enough to say that all is well. */
  readonly undecided: ReadonlyArray<string>
}

/**
 * What a row comes to, now and with changes, by whatever makes a configuration of it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const subjectOf = (
  row: Resolution.RowResult,
  resolve: (row: Resolution.RowResult) => Resolution.Resolved
): Subject => ({
  current: resolve(row),
  resolve: (changes) =>
    resolve({
      _tag: "Row",
      columns: { ...row._tag === "NoRow" ? {} : row.columns, ...configurationOf(changes) },
      table: row.table,
      revision: row.revision
    })
})

/**
 * What the resolution makes of a row and the rest of its input, now and with changes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const subject = (input: Resolution.Input): Subject =>
  subjectOf(input.row, (row) => Resolution.resolve({ ...input, row }))

/**
 * Values by SQL name.
 *
 * @category converting
 * @since 0.1.0
 */
export const configurationOf = (values: WorkloadProfile.Values): Configuration =>
  Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value = values[key]
      return value === undefined ? [] : [[Setting.settings[key].sql, value]]
    })
  )

type Value = string | number | boolean
type Changes = { [K in Setting.SettingKey]?: Value }

const keysOf = (changes: Changes): ReadonlyArray<Setting.SettingKey> =>
  Setting.keys.filter((key) => changes[key] !== undefined)

/** The brokers' limits of a session where they did not tell theirs. */
const { max: sessionMax, min: sessionMin } = Setting.settings.sessionTimeoutMs

/** A wish within the bounds of its setting. */
const withinBounds = (key: Setting.SettingKey, value: Value, { broker }: Resolution.Resolved["given"]): Value => {
  const setting = Setting.get(key)
  if (setting.type !== "integer" || typeof value !== "number") return value
  const [min, max] = key === "sessionTimeoutMs"
    ? [broker?.groupMinSessionTimeoutMs ?? sessionMin.value, broker?.groupMaxSessionTimeoutMs ?? sessionMax.value]
    : [setting.min.value, setting.max.value]
  return Math.round(Math.min(Math.max(value, setting.min.value, min), setting.max.value, max))
}

const isUp = (from: Value, to: Value): boolean | undefined =>
  typeof from === "number" && typeof to === "number" ? to > from : undefined

/** What became of the wishes of a rule. */
interface Fitted {
  readonly changes: Changes
  /** Why wishes were left out, for those whom an earlier rule did not take them from. */
  readonly notes: ReadonlyArray<string>
}

/** Why a value does not hold once it is in the row, where that is not for another recommendation. */
const whyNot = (
  key: Setting.SettingKey,
  { current }: Subject,
  result: Resolution.Resolved
): string | undefined => {
  const { source, variable } = current.provenance[key]
  if (source === "environment") return `is set by the variable ${variable ?? "of the environment"}, before the row`
  if (source === "code") return "is set by the program, before the row"
  const reason = result.provenance[key].refused?.reason
  return reason === undefined ? undefined : `cannot change: ${ConfigIssue.message(reason)}`
}

/** Without those that follow by themselves: a row should say no more than it must. */
const needed = (judged: Subject, changes: Changes, earlier: Changes): Changes => {
  const kept: Changes = { ...changes }
  for (const key of keysOf(changes)) {
    const { [key]: value, ...others } = kept
    const follows = both(judged, others, earlier).every((result) =>
      result.config[key] === value && newlyRefused(judged, result).length === 0
    )
    if (keysOf(others).length > 0 && follows) delete kept[key]
  }
  return kept
}

/** The same value of the same source; what it contradicts, and what takes its place, may have changed. */
const refusalOf = ({ raw, setting, source }: ConfigIssue.Refused): string =>
  JSON.stringify([setting, source, ConfigIssue.render(raw)])

const refusedIn = ({ issues }: Resolution.Resolved): ReadonlyArray<ConfigIssue.Refused> =>
  issues.filter((issue): issue is ConfigIssue.Refused => "setting" in issue)

const newlyRefused = ({ current }: Subject, result: Resolution.Resolved): ReadonlyArray<ConfigIssue.Refused> => {
  const known = new Set(refusedIn(current).map(refusalOf))
  return refusedIn(result).filter((issue) => !known.has(refusalOf(issue)))
}

/** What the row becomes with the changes alone, and with those of earlier rules. */
const both = (judged: Subject, changes: Changes, earlier: Changes): ReadonlyArray<Resolution.Resolved> =>
  [changes, { ...earlier, ...changes }].map((all) => judged.resolve(all as unknown as WorkloadProfile.Values))

/**
 * The wishes as changes that the row can take: each differs from what holds now, holds once it is written, and nothing is
 * refused for it, alone or together with `earlier` changes. What has to move with them moves with them.
 */
const fit = (judged: Subject, wishes: WorkloadProfile.Values, earlier: Changes): Fitted => {
  const { config, given } = judged.current
  const notes: Array<string> = []
  const wished: Changes = {}
  for (const key of keysOf(wishes)) {
    const now = config[key]
    const wish = withinBounds(key, wishes[key]!, given)
    const { sql } = Setting.settings[key]
    if (wish === now) {
      if (wishes[key] !== now) notes.push(`${sql} cannot go further than ${now}`)
    } else if (earlier[key] === undefined) {
      wished[key] = wish
    } else if (isUp(now, earlier[key]) !== undefined && isUp(now, earlier[key]) === isUp(now, wish)) {
      wished[key] = earlier[key]
    }
  }
  const follows: Changes = {}
  // Each round leaves a wish out or has one more setting follow.
  for (let round = 0; round < 2 * Setting.keys.length && keysOf(wished).length > 0; round++) {
    const changes: Changes = { ...follows, ...wished }
    const results = both(judged, changes, earlier)
    const without = keysOf(wished).find((key) => results.some(({ config }) => config[key] !== wished[key]))
    if (without !== undefined) {
      const note = whyNot(without, judged, results[0]!)
      if (note !== undefined) notes.push(`${Setting.settings[without].sql} ${note}`)
      delete wished[without]
      for (const follower of keysOf(follows)) delete follows[follower]
      continue
    }
    const refused = results.flatMap((result) => newlyRefused(judged, result))
    const other = refused[0]
    if (other === undefined) return { changes: needed(judged, changes, earlier), notes }
    // An earlier rule's value does not give way, and what followed once has been tried.
    if (earlier[other.setting] !== undefined || follows[other.setting] !== undefined) break
    follows[other.setting] = other.used.value
  }
  return { changes: {}, notes }
}

const hasEnough = (seen: Evidence, { needs }: RecommendationRules.Rule): boolean =>
  seen.intervals >= needs.intervals && seen.records >= needs.records

/** The more was seen beyond what the rule needs, up to five times that, the surer. */
const confidenceOf = (seen: Evidence, { certainty, needs }: RecommendationRules.Rule): number => {
  const seenOf = (amount: number, needed: number) => needed === 0 ? 1 : Math.min(1, amount / (5 * needed))
  const share = Math.min(seenOf(seen.intervals, needs.intervals), seenOf(seen.records, needs.records))
  return Math.round(certainty * (0.6 + 0.4 * share) * 100) / 100
}

/** Whole numbers as they are, others with four digits. */
const readable = (figures: RecommendationRules.Figures): RecommendationRules.Figures =>
  Object.fromEntries(
    Object.entries(figures).map((
      [name, value]
    ) => [name, Number.isInteger(value) ? value : Number(value.toPrecision(4))])
  )

const rank: { readonly [P in RecommendationRules.Priority]: number } = { high: 0, medium: 1, low: 2 }

const joined = (parts: ReadonlyArray<string | undefined>): string | undefined => {
  const said = parts.filter((part) => part !== undefined)
  return said.length === 0 ? undefined : said.join("; ")
}

/**
 * What the rules make of the evidence. Rules are asked in their order: what an earlier one changes, a later one may agree
 * with, but not take back.
 *
 * @category evaluating
 * @since 0.1.0
 */
export const evaluate = (
  seen: Evidence | undefined,
  judged: Subject,
  rules: ReadonlyArray<RecommendationRules.Rule> = RecommendationRules.rules
): Evaluation => {
  if (seen === undefined) return { recommendations: [], undecided: rules.map(({ name }) => name) }
  const { config, service } = judged.current
  const able = rules.filter((rule) => hasEnough(seen, rule))
  const fired = able.flatMap((rule) => {
    const figures = rule.fires(seen, config)
    return figures === undefined ? [] : [{ rule, figures }]
  })
  const names = new Set(fired.map(({ rule }) => rule.name))
  const taken: Changes = {}
  const recommendations: Array<Recommendation> = []
  for (const { figures, rule } of fired) {
    if (rule.yieldsTo?.some((name) => names.has(name)) === true) continue
    const advice = rule.advice(seen, config)
    const { changes, notes } = fit(judged, advice.settings, taken)
    const keys = keysOf(changes)
    const action = joined([advice.action, ...notes])
    // An earlier rule has taken all that it wished for, and there is nothing else to say.
    if (keys.length === 0 && action === undefined) continue
    Object.assign(taken, changes)
    const told = Setting.keys.filter((key) => keys.includes(key) || rule.judges.includes(key))
    recommendations.push({
      service,
      rule: rule.name,
      priority: advice.priority,
      reason: advice.reason,
      currentConfig: Object.fromEntries(told.map((key) => [Setting.settings[key].sql, config[key]])),
      recommendedConfig: configurationOf(changes as unknown as WorkloadProfile.Values),
      action,
      expectedEffect: advice.effect,
      evidence: readable({ ...figures, intervals: seen.intervals }),
      confidence: confidenceOf(seen, rule)
    })
  }
  return {
    recommendations: recommendations.toSorted((a, b) => rank[a.priority] - rank[b.priority]),
    undecided: rules.filter((rule) => !able.includes(rule)).map(({ name }) => name)
  }
}
