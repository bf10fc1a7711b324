import * as Recommendation from "@weft/pipeline/Recommendation"
import * as RecommendationRules from "@weft/pipeline/RecommendationRules"
import type { ConfigChangeError } from "@weft/postgres/ConfigChange"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { changeFlags, changeOptions } from "../changeFlags.ts"
import { storeFailure } from "../database.ts"
import { nearNames } from "../nearNames.ts"
import { outcomeAnswer } from "../outcomes.ts"
import { type Paint, safe } from "../paint.ts"
import { unknownService, withServices } from "../services.ts"
import { count, fields, table } from "../table.ts"
import { ago, moment } from "../times.ts"

type Stored = Recommendations.StoredRecommendation

const failure = (error: Recommendations.RecommendationsError): CliFailure =>
  storeFailure(error, "check DATABASE_URL, and that PostgreSQL is well")

const withRecommendations = <A, R>(
  effect: Effect.Effect<A, CliFailure | ConfigChangeError | Recommendations.RecommendationsError, R>
) =>
  effect.pipe(
    Effect.catchTag("RecommendationsError", (error) => Effect.fail(failure(error))),
    Effect.provide(Recommendations.layer)
  )

/** The service, once it is sure that something is known of it. */
const knownService = Effect.fnUntraced(function*(service: string) {
  const recommendations = yield* Recommendations.Recommendations
  const writer = yield* ConfigWriter.ConfigWriter
  const measured = yield* recommendations.services
  if (measured.includes(service)) return
  const names = new Set([...measured, ...(yield* writer.list).map((one) => one.service)])
  if (names.has(service)) return
  return yield* unknownService(service, names, "weft recommend shows all services that were measured lately")
})

// show

const priorityColours: { readonly [P in RecommendationRules.Priority]: keyof Paint } = {
  high: "red",
  medium: "yellow",
  low: "dim"
}

const settings = (configuration: Stored["recommendedConfig"]): string =>
  Object.entries(configuration).map(([name, value]) => `${name}=${value}`).join(" ")

const toJson = (one: Stored) => ({
  ...Recommendation.columns(one),
  created_at: moment(one.createdAt),
  updated_at: moment(one.updatedAt),
  resolved_at: one.resolvedAt === undefined ? null : moment(one.resolvedAt),
  resolution: one.resolution ?? null
})

const changes = ({ currentConfig, recommendedConfig }: Stored): string =>
  Object.entries(recommendedConfig).map(([name, value]) => `${name} ${currentConfig[name] ?? "?"} -> ${value}`).join(
    ", "
  )

const detail = (paint: Paint, one: Stored, now: number): string => {
  const head = `${paint[priorityColours[one.priority]](one.priority)} ${paint.bold(safe(one.service))}: ${one.rule}`
  const state = one.resolvedAt === undefined
    ? ""
    : paint.dim(` (${one.resolution ?? "no longer"}, ${ago(one.resolvedAt, now)})`)
  const figures = Object.entries(one.evidence).map(([name, value]) => `${name} ${value}`).join(", ")
  return [
    `${head}${state}`,
    safe(one.reason),
    fields(paint, [
      ...Object.keys(one.recommendedConfig).length === 0 ? [] : [["change", changes(one)] as const],
      ...one.action === undefined ? [] : [["do", safe(one.action)] as const],
      ["effect", safe(one.expectedEffect)],
      ["seen", figures],
      ["confidence", `${Math.round(one.confidence * 100)}%, since ${ago(one.createdAt, now)}`]
    ])
  ].join("\n  ").replaceAll(/\n(?! )/g, "\n  ")
}

const refreshed = Effect.fnUntraced(function*(service: Option.Option<string>, all: boolean) {
  const recommendations = yield* Recommendations.Recommendations
  if (Option.isSome(service)) yield* knownService(service.value)
  // What stands is as old as the last look of a member; here it is judged now, even where none of them looks.
  const services = Option.isSome(service) ? [service.value] : yield* recommendations.services
  yield* Effect.forEach(services, (one) => recommendations.refresh(one), { discard: true })
  return yield* recommendations.list(Option.getOrUndefined(service), { all })
})

const show = Effect.fnUntraced(function*(service: Option.Option<string>, all: boolean) {
  const found = yield* refreshed(service, all)
  const now = yield* Clock.currentTimeMillis
  return {
    json: found.map(toJson),
    text: (paint) =>
      found.length === 0
        ? `nothing to recommend${Option.isSome(service) ? ` to ${safe(service.value)}` : ""}`
        : Option.isSome(service)
        ? found.map((one) => detail(paint, one, now)).join("\n\n")
        : [
          table(paint, [
            {
              title: "PRIORITY",
              value: ({ priority }) => priority,
              paint: ({ priority }) => priorityColours[priority]
            },
            { title: "SERVICE", value: (one) => one.service },
            { title: "RULE", value: ({ rule }) => rule },
            { title: "CHANGE", value: (one) => settings(one.recommendedConfig) || "(see the service)" },
            { title: "SINCE", value: ({ createdAt }) => ago(createdAt, now) }
          ], found),
          "",
          `${count(found.length, "recommendation")}; weft recommend SERVICE tells why, with the figures`
        ].join("\n")
  } satisfies Answer
})

// apply

const nothingToApply = (service: string, chosen: ReadonlyArray<Stored>): CliFailure =>
  new CliFailure({
    kind: "Refused",
    message: chosen.length === 0
      ? `nothing is recommended to ${service}`
      : [
        `no setting would help ${service}:`,
        ...chosen.flatMap(({ action, rule }) => action === undefined ? [] : [`${rule}: ${action}`])
      ].join("\n  "),
    next: chosen.length === 0 ? "weft recommend shows what is recommended to others" : undefined
  })

const apply = Effect.fnUntraced(function*(
  service: string,
  rule: Option.Option<string>,
  flags: Parameters<typeof changeOptions>[0]
) {
  const known = RecommendationRules.rules.map(({ name }) => name)
  if (Option.isSome(rule) && !known.includes(rule.value)) {
    return yield* new CliFailure({
      kind: "NotFound",
      message: `no rule is called "${rule.value}"`,
      near: nearNames(rule.value, known),
      next: "docs/recommendations.md has a section for each rule"
    })
  }
  const found = yield* refreshed(Option.some(service), false)
  const chosen = found.filter((one) => Option.isNone(rule) || one.rule === rule.value)
  const withSettings = chosen.filter(({ recommendedConfig }) => Object.keys(recommendedConfig).length > 0)
  if (withSettings.length === 0) return yield* nothingToApply(service, chosen)
  const writer = yield* ConfigWriter.ConfigWriter
  const options = yield* changeOptions(flags)
  const outcome = yield* writer.set(service, Object.assign({}, ...withSettings.map((one) => one.recommendedConfig)), {
    ...options,
    reason: options.reason ?? withSettings.map((one) => `recommendation: ${one.rule}: ${one.reason}`).join("; ")
  })
  const now = yield* Clock.currentTimeMillis
  const { exit, json, text } = outcomeAnswer(outcome, { isDryRun: flags.dryRun, now })
  return {
    json: { ...json as object, rules: withSettings.map((one) => one.rule) },
    text: (paint) =>
      [
        text(paint),
        "",
        ...withSettings.map((one) => `${one.rule}: ${safe(one.reason)}`),
        ...chosen.flatMap((one) => one.action === undefined ? [] : [`${paint.yellow("!")} ${safe(one.action)}`])
      ].join("\n"),
    exit
  } satisfies Answer
})

export const recommend = Command.make(
  "recommend",
  {
    service: Argument.String("service").pipe(
      Argument.withDescription("One service in detail; without it, a line for each recommendation"),
      Argument.optional
    ),
    rule: Argument.String("rule").pipe(
      Argument.withDescription("With --apply: this recommendation alone"),
      Argument.optional
    ),
    apply: Flag.Boolean("apply").pipe(
      Flag.withDescription("Write the recommended settings to the service's row; with --dry-run only show the plan"),
      Flag.withDefault(false)
    ),
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Those that stand no more, too: applied, or no longer needed"),
      Flag.withDefault(false)
    ),
    ...changeFlags
  },
  ({ all, apply: isApplied, rule, service, ...flags }) =>
    answer(withServices(withRecommendations(Effect.gen(function*(): Effect.fn.Return<
      Answer,
      Effect.Error<ReturnType<typeof apply>>,
      Recommendations.Recommendations | ConfigWriter.ConfigWriter
    > {
      if (!isApplied) {
        return Option.isSome(rule)
          ? yield* new CliFailure({
            kind: "Usage",
            message: "a rule is named to be applied",
            next: "weft recommend --apply SERVICE RULE, or weft recommend SERVICE"
          })
          : yield* show(service, all)
      }
      return Option.isSome(service)
        ? yield* apply(service.value, rule, flags)
        : yield* new CliFailure({
          kind: "Usage",
          message: "--apply needs a service",
          next: "weft recommend --apply SERVICE --dry-run shows what it would do"
        })
    }))))
).pipe(
  Command.withDescription(
    "Show what services should change, by what their members measured since their configuration was applied: the settings, "
      + "the reason with its figures, and the expected effect. With --apply the settings are written, with the reason in "
      + "their history; running consumers follow within a second"
  ),
  Command.withShortDescription("Show what services should change, and why; --apply writes it"),
  Command.withExamples([
    { command: "weft recommend" },
    { command: "weft recommend georegion-detector" },
    { command: "weft recommend --apply georegion-detector --dry-run" },
    { command: "weft recommend --apply georegion-detector growing-lag" }
  ])
)
