import * as PgClient from "@effect/sql-pg/PgClient"
import * as Histogram from "@weft/pipeline/Histogram"
import * as MetricsHistory from "@weft/postgres/MetricsHistory"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import type { CliFailure } from "../../CliFailure.ts"
import type { Answer } from "../answer.ts"
import { storeFailure, withDatabase } from "../database.ts"
import { durationFlag } from "../durations.ts"
import type { Paint } from "../paint.ts"
import { unknownService } from "../services.ts"
import { count, fields, table } from "../table.ts"
import { moment } from "../times.ts"
import { answerWatching, watchFlags } from "../watch.ts"
import { metricsMaintain } from "./metricsMaintain.ts"

interface Health {
  readonly service: string
  readonly status: string
  readonly reason: string
  readonly members: number
  readonly lag: number | null
}

const health = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  return yield* sql<Health>`
    SELECT service_name AS service, status, reason, members, total_lag::double precision AS lag
    FROM v_service_health ORDER BY service_name`
})

const statusColours: { readonly [status: string]: keyof Paint } = {
  ok: "green",
  warning: "yellow",
  critical: "red",
  down: "red"
}

/** What a service, or one of its topics, did in a while. */
interface Work {
  readonly records: number
  readonly recordsPerSecond: number
  readonly meanMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly bytes: number
  readonly retries: number
  readonly failures: number
  readonly skipped: number
  readonly deadLetters: number
  readonly memoryMb: number | null
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, one) => total + one, 0)

const most = (numbers: ReadonlyArray<number | null>): number | null =>
  numbers.reduce((largest, one) => one === null ? largest : Math.max(largest ?? one, one), null)

/** Intervals as one: rates over the whole of `overMs`, quantiles of all durations together. */
export const total = (intervals: ReadonlyArray<MetricsHistory.TopicInterval>, overMs: number): Work => {
  const durations = Histogram.merge(intervals.map((one) => one.durations))
  const timed = intervals.filter(({ processingTimeMs }) => processingTimeMs !== null)
  const records = sum(intervals.map((one) => one.messagesProcessed))
  const timedRecords = sum(timed.map((one) => one.messagesProcessed))
  const quantile = (q: number) => Histogram.count(durations) === 0 ? null : Histogram.quantile(durations, q)
  return {
    records,
    recordsPerSecond: overMs > 0 ? records * 1_000 / overMs : 0,
    meanMs: timedRecords === 0
      ? null
      : sum(timed.map((one) => one.processingTimeMs! * one.messagesProcessed)) / timedRecords,
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    p99Ms: quantile(0.99),
    bytes: sum(intervals.map((one) => one.bytes)),
    retries: sum(intervals.map((one) => one.retries)),
    failures: sum(intervals.map((one) => one.failures)),
    skipped: sum(intervals.map((one) => one.skipped)),
    deadLetters: sum(intervals.map((one) => one.deadLetters)),
    memoryMb: most(intervals.map((one) => one.memoryUsageMb))
  }
}

const ms = (value: number | null): string =>
  value === null
    ? ""
    : value < 10
    ? value.toFixed(2)
    : value < 1_000
    ? value.toFixed(0)
    : `${(value / 1_000).toFixed(1)}s`
const rate = (value: number): string => value === 0 ? "0" : value < 10 ? value.toFixed(2) : Math.round(value).toString()

const right = "right" as const

const workColumns = [
  { title: "RECORDS", value: (row: Work) => row.records, align: right },
  { title: "PER SECOND", value: (row: Work) => rate(row.recordsPerSecond), align: right },
  { title: "P50 MS", value: (row: Work) => ms(row.p50Ms), align: right },
  { title: "P95 MS", value: (row: Work) => ms(row.p95Ms), align: right },
  { title: "P99 MS", value: (row: Work) => ms(row.p99Ms), align: right },
  { title: "FAILURES", value: (row: Work) => row.failures, align: right },
  {
    title: "DEAD LETTERS",
    value: (row: Work) => row.deadLetters,
    align: right,
    paint: (row: Work): keyof Paint | undefined => row.deadLetters > 0 ? "yellow" : undefined
  }
]

/** From the first interval that has any rows, so that what began to run a minute ago is not measured over an hour. */
const observedMs = (intervals: ReadonlyArray<MetricsHistory.TopicInterval>, until: number): number =>
  intervals.length === 0 ? 0 : until - Math.min(...intervals.map(({ intervalMs, timestamp }) => timestamp - intervalMs))

const overview = Effect.fnUntraced(function*(window: Duration.Duration) {
  const until = yield* Clock.currentTimeMillis
  const services = yield* health
  const history = yield* MetricsHistory.MetricsHistory
  const topics = yield* history.topics({ since: until - Duration.toMillis(window), until })
  const rows = services.map((service) => {
    const own = topics.filter((one) => one.service === service.service)
    return { ...service, ...total(own, observedMs(own, until)) }
  })
  return {
    json: rows,
    text: (paint) =>
      rows.length === 0
        ? "no service is configured, and none has measured anything"
        : [
          table(paint, [
            { title: "SERVICE", value: (row) => row.service },
            { title: "STATUS", value: (row) => row.status, paint: (row) => statusColours[row.status] },
            { title: "MEMBERS", value: (row) => row.members, align: right },
            { title: "LAG", value: (row) => row.lag ?? "", align: right },
            ...workColumns
          ], rows),
          ...rows.filter(({ status }) => status === "warning" || status === "critical" || status === "down")
            .map(({ reason, service }) => `\n${paint.yellow("!")} ${service}: ${reason}`)
        ].join("\n")
  } satisfies Answer
})

/** At most so many lines of intervals. */
const linesMost = 12

const ofService = Effect.fnUntraced(function*(service: string, window: Duration.Duration) {
  const known = yield* health
  const found = known.find((one) => one.service === service)
  if (found === undefined) {
    return yield* unknownService(
      service,
      known.map((one) => one.service),
      "weft metrics shows all services"
    )
  }
  const until = yield* Clock.currentTimeMillis
  const since = until - Duration.toMillis(window)
  const step = Duration.max(Duration.millis((until - since) / linesMost), Duration.seconds(10))
  const history = yield* MetricsHistory.MetricsHistory
  const intervals = yield* history.topics({ service, since, until, step })
  const fared = yield* history.services({ service, since, until, step })
  const observed = observedMs(intervals, until)
  const topics = [...Map.groupBy(intervals, ({ topic }) => topic)].map(([topic, own]) => ({
    topic,
    ...total(own, observed)
  }))
  const times = [...Map.groupBy(intervals, ({ timestamp }) => timestamp)].sort(([a], [b]) => a - b)
    .slice(-linesMost)
    .map(([timestamp, own]) => ({ timestamp, ...total(own, own[0]!.intervalMs) }))
  const last = fared.at(-1)
  const events = {
    rebalances: sum(fared.map((one) => one.rebalances)),
    lost: sum(fared.map((one) => one.lost)),
    crashes: sum(fared.map((one) => one.crashes)),
    stalls: sum(fared.map((one) => one.stalls)),
    commits: sum(fared.map((one) => one.commits)),
    commitFailures: sum(fared.map((one) => one.commitFailures)),
    commitP99Ms: most(fared.map((one) => one.commitP99Ms)),
    memoryMb: most(fared.map((one) => one.memoryUsageMb)),
    eventLoopDelayMs: most(fared.map((one) => one.eventLoopDelayMs))
  }
  return {
    json: { ...found, topics, intervals: times, ...events, now: last ?? null },
    text: (paint) =>
      [
        fields(paint, [
          ["service", found.service],
          ["status", `${found.status}: ${found.reason}`],
          ["members", String(found.members)],
          ["lag", found.lag === null ? "unknown" : count(found.lag, "record")],
          ["in flight", last === undefined ? "unknown" : `${last.inFlight}, and ${last.queuedRecords} queued`],
          ["memory", events.memoryMb === null ? "unknown" : `${Math.round(events.memoryMb)} MiB at most`],
          [
            "event loop",
            events.eventLoopDelayMs === null ? "unknown" : `paused for ${ms(events.eventLoopDelayMs)} ms at most`
          ],
          [
            "commits",
            `${events.commits}, ${events.commitFailures} failed, p99 ${ms(events.commitP99Ms) || "unknown"} ms`
          ],
          [
            "rebalances",
            `${events.rebalances}; ${events.lost} lost, ${count(events.crashes, "crash", "crashes")}, ${
              count(events.stalls, "stall")
            }`
          ]
        ]),
        "",
        topics.length === 0
          ? "nothing was measured in this time; weft lag shows how far behind it is"
          : [
            table(paint, [{ title: "TOPIC", value: (row) => row.topic ?? "(all)" }, ...workColumns], topics),
            "",
            table(paint, [{ title: "UNTIL", value: (row) => moment(row.timestamp) }, ...workColumns], times)
          ].join("\n")
      ].join("\n")
  } satisfies Answer
})

const look = (service: Option.Option<string>, window: Duration.Duration) =>
  withDatabase(
    Effect.gen(function*(): Effect.fn.Return<
      Answer,
      CliFailure | SqlError | MetricsHistory.MetricsHistoryError,
      MetricsHistory.MetricsHistory | PgClient.PgClient
    > {
      return Option.isSome(service) ? yield* ofService(service.value, window) : yield* overview(window)
    }).pipe(
      Effect.catchTag("MetricsHistoryError", (error) => Effect.fail(storeFailure(error))),
      Effect.provide(MetricsHistory.layer)
    )
  )

export const metrics = Command.make("metrics", {
  service: Argument.String("service").pipe(
    Argument.withDescription("One service in detail; without it, a line for each"),
    Argument.optional
  ),
  since: durationFlag("since").pipe(
    Flag.withDescription("How far back, such as 15m, 1h, 7d"),
    Flag.withDefault(Duration.hours(1))
  ),
  ...watchFlags
}, ({ service, since, ...watch }) => answerWatching(look(service, since), watch)).pipe(
  Command.withDescription(
    "Show what services process: throughput, processing times, failures, dead letters, commits and rebalances, as their members measured it. Quantiles are of all records of all members"
  ),
  Command.withShortDescription("Show what services process, and how fast"),
  Command.withSubcommands([metricsMaintain]),
  Command.withExamples([
    { command: "weft metrics" },
    { command: "weft metrics georegion-detector --since 15m --watch" }
  ])
)
