/**
 * What a changed configuration asks of a running consumer: which settings change, how each change reaches it, and which
 * values are refused. Pure; it is computed and logged before anything is applied.
 *
 * @since 0.1.0
 */
import * as ConfigIssue from "./ConfigIssue.ts"
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import * as Rules from "./internal/rules.ts"
import type * as Resolution from "./Resolution.ts"
import * as Setting from "./Setting.ts"

/**
 * A setting that changes. `source` is where the new value comes from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly setting: Setting.SettingKey
  readonly reload: Setting.ReloadClass
  readonly from: string | number | boolean
  readonly to: string | number | boolean
  readonly source: Resolution.Source
}

/**
 * The changes between two configurations of a service, in the order of the table of settings.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReloadPlan {
  readonly service: string
  readonly from: ConsumerConfig
  readonly to: ConsumerConfig
  readonly changes: ReadonlyArray<Change>
  /** What the new configuration refuses and the old one did not, each with its reason. */
  readonly refused: ReadonlyArray<ConfigIssue.Refused>
}

const isRefused = (issue: ConfigIssue.ConfigIssue): issue is ConfigIssue.Refused => "setting" in issue

/**
 * The plan that leads from one configuration to another. What the old one has refused as well is not told again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  old: Pick<Resolution.Resolved, "config" | "issues">,
  next: Resolution.Resolved
): ReloadPlan => {
  const known = new Set(old.issues.map(ConfigIssue.identity))
  return {
    service: next.service,
    from: old.config,
    to: next.config,
    changes: Setting.keys.flatMap((setting): ReadonlyArray<Change> => {
      const from = old.config[setting]
      const { source, value: to } = next.provenance[setting]
      return from === to ? [] : [{ setting, reload: Setting.settings[setting].reload, from, to, source }]
    }),
    refused: next.issues.filter(isRefused).filter((issue) => !known.has(ConfigIssue.identity(issue)))
  }
}

/**
 * Whether there is nothing to apply and nothing to tell.
 *
 * @category combinators
 * @since 0.1.0
 */
export const isEmpty = (plan: ReloadPlan): boolean => plan.changes.length === 0 && plan.refused.length === 0

/**
 * The settings that change in a given way.
 *
 * @category combinators
 * @since 0.1.0
 */
export const changesOf = (plan: ReloadPlan, reload: Setting.ReloadClass): ReadonlyArray<Change> =>
  plan.changes.filter((change) => change.reload === reload)

const withChanges = (plan: ReloadPlan, changes: ReadonlyArray<Change>): ConsumerConfig =>
  Object.assign({}, plan.from, ...changes.map(({ setting, to }) => ({ [setting]: to })))

/**
 * The configuration to run with after the first step, in place (`hot`), or after the second one, when the consumer has
 * joined its group again (`rejoin`); what needs a start of the process stays as it was. Where a hot setting contradicts
 * one that changes with the rejoin only (a `retry_backoff_ms` that the old `max_poll_interval_ms` forbids), it waits for
 * the rejoin too, so that each step is a configuration that the Schema accepts.
 *
 * @category combinators
 * @since 0.1.0
 */
export const step = (plan: ReloadPlan, to: "hot" | "rejoin"): ConsumerConfig => {
  const hot = changesOf(plan, "hot")
  if (to === "rejoin") return withChanges(plan, [...hot, ...changesOf(plan, "rejoin")])
  const waiting = new Set<Setting.SettingKey>()
  for (;;) {
    const config = withChanges(plan, hot.filter(({ setting }) => !waiting.has(setting)))
    const before = waiting.size
    for (const { other, subject } of Rules.violations(config)) {
      for (const { setting } of hot) if (setting === subject || setting === other) waiting.add(setting)
    }
    if (waiting.size === before) return config
  }
}

const renderChange = ({ from, reload, setting, to }: Change) =>
  `${Setting.settings[setting].sql} ${shown(from)} -> ${shown(to)} ${reload}`

/** Words and numbers stand for themselves; any other text is quoted, as it comes from outside. */
const shown = (value: string | number | boolean) =>
  typeof value !== "string" || /^[\w.-]{1,120}$/.test(value) ? String(value) : ConfigIssue.render(value)

/**
 * The plan in one line: `max_poll_records 100 -> 500 hot; session_timeout_ms 30000 -> 45000 rejoin`, then what is
 * refused, with the reason; `no change` where it is empty.
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (plan: ReloadPlan): string =>
  isEmpty(plan)
    ? "no change"
    : [...plan.changes.map(renderChange), ...plan.refused.map((issue) => `refused: ${ConfigIssue.message(issue)}`)]
      .join("; ")
