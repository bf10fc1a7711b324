import { type Severity, stateOf, type StoredAlert } from "@weft/pipeline/Alert"
import * as AlertRules from "@weft/pipeline/AlertRules"
import * as PostgresAlerts from "@weft/postgres/PostgresAlerts"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { userInfo } from "node:os"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { positive } from "../counts.ts"
import { withDatabase } from "../database.ts"
import { type Paint, safe } from "../paint.ts"
import { unknownService } from "../services.ts"
import { count, table } from "../table.ts"
import { ago, moment } from "../times.ts"
import { answerWatching, watchFlags } from "../watch.ts"

const toJson = (alert: StoredAlert) => ({
  id: alert.id,
  service: alert.service,
  kind: alert.kind,
  topic: alert.topic ?? null,
  partition: alert.partition ?? null,
  severity: alert.severity,
  state: stateOf(alert),
  message: alert.message,
  evidence: alert.evidence,
  advice: AlertRules.adviceOf(alert.kind) ?? null,
  opened_at: moment(alert.openedAt),
  closed_at: alert.closedAt === undefined ? null : moment(alert.closedAt),
  closed_because: alert.closedBecause ?? null,
  acknowledged_at: alert.acknowledgedAt === undefined ? null : moment(alert.acknowledgedAt),
  acknowledged_by: alert.acknowledgedBy ?? null
})

const colours: { readonly [S in Severity]: keyof Paint } = { critical: "red", warning: "yellow" }

const colour = (alert: StoredAlert): keyof Paint => alert.closedAt === undefined ? colours[alert.severity] : "green"

const lines = (paint: Paint, alerts: ReadonlyArray<StoredAlert>, now: number): string =>
  table(paint, [
    { title: "ID", value: ({ id }) => id, align: "right" },
    { title: "STATE", value: stateOf, paint: colour },
    { title: "KIND", value: ({ kind }) => kind },
    { title: "SINCE", value: ({ openedAt }) => ago(openedAt, now) },
    { title: "ACKNOWLEDGED", value: ({ acknowledgedBy }) => acknowledgedBy ?? "" },
    { title: "WHAT", value: ({ message }) => message }
  ], alerts)

/** Once for each kind that is open. */
const advice = (paint: Paint, alerts: ReadonlyArray<StoredAlert>): ReadonlyArray<string> => {
  const kinds = new Set(alerts.flatMap(({ closedAt, kind }) => closedAt === undefined ? [kind] : []))
  const said = [...kinds].flatMap((kind) => {
    const text = AlertRules.adviceOf(kind)
    return text === undefined ? [] : [`${paint.bold(safe(kind))}: ${text}`]
  })
  return said.length === 0 ? [] : ["", ...said]
}

const summary = (alerts: ReadonlyArray<StoredAlert>): string => {
  const open = alerts.filter(({ closedAt }) => closedAt === undefined)
  const critical = open.filter(({ severity }) => severity === "critical").length
  return open.length === 0
    ? "no alert is open"
    : `${count(open.length, "alert")} open, ${critical} critical`
}

/** A service that is well has no alerts either: a name that nobody knows is told apart from it. */
const knownService = Effect.fnUntraced(function*(service: string) {
  const names = yield* PostgresAlerts.services
  if (names.includes(service)) return
  return yield* unknownService(service, names, "weft alerts shows the open alerts of all services")
})

const show = Effect.fnUntraced(function*(options: {
  readonly service: Option.Option<string>
  readonly all: boolean
  readonly limit: number
  readonly exitCode: boolean
}) {
  const { all, exitCode, limit } = options
  const service = Option.getOrUndefined(options.service)
  yield* positive("--limit", limit)
  if (service !== undefined) yield* knownService(service)
  const alerts = yield* PostgresAlerts.list({ service, all, limit })
  const now = yield* Clock.currentTimeMillis
  const isOpen = alerts.some(({ closedAt }) => closedAt === undefined)
  return {
    json: alerts.map(toJson),
    text: (paint) =>
      alerts.length === 0
        ? `${all ? "there was no alert" : "no alert is open"}${service === undefined ? "" : ` of ${safe(service)}`}`
        : [
          lines(paint, alerts, now),
          "",
          summary(alerts),
          ...(alerts.length === limit ? [paint.dim(`the first ${limit}; --limit shows more`)] : []),
          ...advice(paint, alerts)
        ].join("\n"),
    ...(exitCode && isOpen ? { exit: "Findings" as const } : {})
  } satisfies Answer
})

const serviceFlag = Flag.String("service").pipe(
  Flag.withAlias("s"),
  Flag.withDescription("Only of this service"),
  Flag.optional
)

const ack = Command.make("ack", {
  ids: Argument.String("id").pipe(
    Argument.withDescription("Ids of alerts, as weft alerts shows them"),
    Argument.variadic()
  ),
  service: serviceFlag,
  by: Flag.String("by").pipe(Flag.withDescription("Who says so. Default: the user of this computer"), Flag.optional)
}, ({ by, ids, service }) => answer(withDatabase(acknowledge(ids, service, by)))).pipe(
  Command.withDescription(
    "Say that somebody knows of alerts: those with these ids, or every open one of a service. It changes nothing else: they " +
      "close when what they are about is over."
  ),
  Command.withShortDescription("Say that somebody knows of alerts"),
  Command.withExamples([
    { command: "weft alerts ack 17 18" },
    { command: "weft alerts ack --service georegion-detector --by ann" }
  ])
)

const user = Effect.orElseSucceed(Effect.try(() => userInfo().username), () => "unknown")

const acknowledge = Effect.fnUntraced(function*(
  ids: ReadonlyArray<string>,
  service: Option.Option<string>,
  by: Option.Option<string>
) {
  if (Option.isSome(service) ? ids.length > 0 : ids.length === 0) {
    return yield* new CliFailure({
      kind: "Usage",
      message: "which alerts? name their ids, or one service",
      next: "weft alerts shows the ids"
    })
  }
  const bad = ids.find((id) => !/^\d{1,18}$/.test(id))
  if (bad !== undefined) {
    return yield* new CliFailure({
      kind: "Usage",
      message: `"${bad}" is no id of an alert`,
      next: "weft alerts shows the ids"
    })
  }
  const name = Option.isSome(by) ? by.value : yield* user
  const known = yield* PostgresAlerts.acknowledge(
    Option.isSome(service) ? { service: service.value } : { ids },
    name
  )
  const unknown = ids.filter((id) => !known.some((one) => one.id === String(BigInt(id))))
  if (unknown.length > 0) {
    return yield* new CliFailure({
      kind: "NotFound",
      message: `there is no alert ${unknown.join(", ")}${
        known.length > 0 ? `; the others are acknowledged: ${known.map(({ id }) => id).join(", ")}` : ""
      }`,
      next: "weft alerts --all shows all ids"
    })
  }
  return {
    json: known.map(toJson),
    text: () =>
      known.length === 0
        ? "no alert is open"
        : known.map((one) => `${one.id} ${safe(one.message)}: acknowledged by ${safe(one.acknowledgedBy ?? "")}`).join(
          "\n"
        )
  } satisfies Answer
})

export const alerts = Command.make("alerts", {
  service: serviceFlag,
  all: Flag.Boolean("all").pipe(
    Flag.withAlias("a"),
    Flag.withDescription("Closed ones too, the newest first"),
    Flag.withDefault(false)
  ),
  limit: Flag.Int("limit").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("count"),
    Flag.withDescription("At most so many alerts; 100 by default"),
    Flag.withDefault(100)
  ),
  exitCode: Flag.Boolean("exit-code").pipe(
    Flag.withDescription("End with 6 where an alert is open, for scripts"),
    Flag.withDefault(false)
  ),
  ...watchFlags
}, ({ interval, watch, ...options }) => answerWatching(withDatabase(show(options)), { interval, watch })).pipe(
  Command.withDescription(
    "Show what is wrong with services now, the worst first, and what to do about it. Alerts are judged by members that were " +
      "given PostgresAlertWatch.layer, or by weft monitor."
  ),
  Command.withShortDescription("Show what is wrong with services now"),
  Command.withSubcommands([ack]),
  Command.withExamples([
    { command: "weft alerts" },
    { command: "weft alerts --service georegion-detector --all --json" },
    { command: "weft alerts --watch" },
    { command: "weft alerts --exit-code || echo something is wrong" }
  ])
)
