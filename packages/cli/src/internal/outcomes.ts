/** What a change of a configuration came to, or would come to. Pure. */
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type * as ReloadPlan from "@weft/config/ReloadPlan"
import * as Setting from "@weft/config/Setting"
import type { MemberOutcome, Outcome } from "@weft/postgres/ConfigChange"
import type { Answer } from "./answer.ts"
import { issueJson } from "./issues.ts"
import { type Paint, safe } from "./paint.ts"
import { table } from "./table.ts"
import { ago } from "./times.ts"

const reloadColour: { readonly [K in Setting.ReloadClass]: keyof Paint } = {
  hot: "green",
  rejoin: "yellow",
  restart: "red"
}

/** How a change reaches a running consumer. */
const reloadWords: { readonly [K in Setting.ReloadClass]: string } = {
  hot: "in place",
  rejoin: "by draining, committing and rejoining",
  restart: "with its next start"
}

const nameOf = (change: ReloadPlan.Change) => Setting.settings[change.setting].sql

const changeJson = (change: ReloadPlan.Change) => ({
  setting: nameOf(change),
  from: change.from,
  to: change.to,
  source: change.source,
  reload: change.reload
})

const changes = (paint: Paint, all: ReadonlyArray<ReloadPlan.Change>): string =>
  table(paint, [
    { title: "SETTING", value: nameOf },
    { title: "FROM", value: ({ from }) => String(from) },
    { title: "TO", value: ({ to }) => String(to) },
    { title: "APPLIES", value: ({ reload }) => reload, paint: ({ reload }) => reloadColour[reload] }
  ], all)

/** `in place: max_poll_records; with its next start: consumer_group_id`. */
const effectOn = ({ plan }: MemberOutcome): string => {
  const parts = (["hot", "rejoin", "restart"] as const).flatMap((reload) => {
    const names = plan.changes.filter((change) => change.reload === reload).map(nameOf)
    return names.length === 0 ? [] : [`${reloadWords[reload]}: ${names.join(", ")}`]
  })
  return parts.length === 0 ? "nothing changes" : parts.join("; ")
}

const head = (paint: Paint, { after, before, isWritten, revision, service }: Outcome, isDryRun: boolean): string => {
  const name = paint.bold(safe(service))
  const at = revision === undefined ? "" : `, revision ${revision}`
  if (!isWritten) {
    return isDryRun
      ? `would change ${name}; nothing was written`
      : `${name}: the row says so already${at}`
  }
  if (after === undefined) return `removed the row of ${name}${at}`
  return `${before === undefined ? "made a row for" : "changed"} ${name}${at}`
}

const outcomeText = (paint: Paint, outcome: Outcome, isDryRun: boolean, now: number): string =>
  [
    head(paint, outcome, isDryRun),
    ...outcome.plan.changes.length === 0
      ? ["", "no setting gets another value"]
      : ["", changes(paint, outcome.plan.changes)],
    ...outcome.refused.length === 0
      ? []
      : ["", ...outcome.refused.map((issue) => `${paint.yellow("!")} ${ConfigIssue.message(issue)}`)],
    ...outcome.members.length === 0 ? [] : [
      "",
      table(paint, [
        { title: "MEMBER", value: ({ member }) => member },
        { title: "GROUP", value: ({ group }) => group },
        { title: "LAST SEEN", value: ({ lastSeen }) => ago(lastSeen, now) },
        { title: isDryRun ? "WOULD APPLY" : "APPLIES", value: effectOn }
      ], outcome.members)
    ]
  ].join("\n")

const outcomeJson = (outcome: Outcome) => ({
  service: outcome.service,
  written: outcome.isWritten,
  revision: outcome.revision ?? null,
  before: outcome.before ?? null,
  after: outcome.after ?? null,
  changes: outcome.plan.changes.map(changeJson),
  refused: outcome.refused.map(issueJson),
  members: outcome.members.map(({ group, lastSeen, member, plan }) => ({
    member,
    group,
    lastSeen,
    changes: plan.changes.map(changeJson),
    refused: plan.refused.map(issueJson)
  }))
})

interface Context {
  readonly isDryRun: boolean
  /** Milliseconds since 1970. */
  readonly now: number
}

/** A dry run that found refused values ends with `Findings`, as what it shows would not be written. */
const exitOf = (all: ReadonlyArray<Outcome>, isDryRun: boolean) =>
  isDryRun && all.some(({ refused }) => refused.length > 0) ? "Findings" as const : undefined

export const outcomeAnswer = (outcome: Outcome, { isDryRun, now }: Context): Answer => ({
  json: outcomeJson(outcome),
  text: (paint) => outcomeText(paint, outcome, isDryRun, now),
  exit: exitOf([outcome], isDryRun)
})

export const outcomesAnswer = (all: ReadonlyArray<Outcome>, { isDryRun, now }: Context): Answer => ({
  json: all.map(outcomeJson),
  text: (paint) =>
    all.length === 0
      ? "there is nothing in it"
      : all.map((outcome) => outcomeText(paint, outcome, isDryRun, now)).join("\n\n"),
  exit: exitOf(all, isDryRun)
})
