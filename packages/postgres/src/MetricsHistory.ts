/**
 * What was measured, read back from PostgreSQL: as it was written, or members and intervals merged.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as Histogram from "@weft/pipeline/Histogram"
import type { Measurements } from "@weft/pipeline/MetricsSink"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./internal/bounded.ts"
import * as Query from "./internal/historyQueries.ts"
import { detailOf } from "./internal/sqlFault.ts"

/**
 * Which measurements.
 *
 * @category models
 * @since 0.1.0
 */
export interface Window {
  /** Of one service; left out: of all. */
  readonly service?: string | undefined
  /** After this moment, in milliseconds since 1970. */
  readonly since: number
  /** Up to and with this moment. Default: now. */
  readonly until?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface StepWindow extends Window {
  /** The length of an interval; intervals begin at multiples of it since 1970. Default: a 60th of the window, at least 10 seconds. */
  readonly step?: Duration.Input | undefined
}

/**
 * What all members of a service did with a topic in an interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicInterval {
  readonly service: string
  /** `null` where the writer did not tell. */
  readonly topic: string | null
  /** The end of the interval, milliseconds since 1970. */
  readonly timestamp: number
  readonly intervalMs: number
  /** Members that settled records in it. */
  readonly members: number
  readonly messagesProcessed: number
  readonly messagesPerSecond: number
  /** The mean of all records; `null` where no time is known. */
  readonly processingTimeMs: number | null
  /** All durations of all members: the quantiles are its, and it can be merged further. */
  readonly durations: Histogram.Histogram
  readonly processingTimeP50Ms: number | null
  readonly processingTimeP95Ms: number | null
  readonly processingTimeP99Ms: number | null
  readonly bytes: number
  readonly retries: number
  readonly failures: number
  readonly skipped: number
  readonly deadLetters: number
  readonly batches: number
  readonly fullBatches: number
  /** Of the member with the most; `null` where it is not known. */
  readonly memoryUsageMb: number | null
}

/**
 * How all members of a service fared in an interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceInterval {
  readonly service: string
  /** The end of the interval, milliseconds since 1970. */
  readonly timestamp: number
  readonly intervalMs: number
  readonly members: number
  /** Sums over the members, of the last row of each: what there was at the end. */
  readonly partitions: number
  readonly pausedPartitions: number
  readonly queuedRecords: number
  readonly queuedBytes: number
  readonly inFlight: number
  readonly uncommittedRecords: number
  /** Sums of the interval. */
  readonly commits: number
  readonly commitFailures: number
  readonly lost: number
  readonly crashes: number
  readonly stalls: number
  readonly lateCompletions: number
  /** Of the member that saw the most: every member sees every rebalance of its group. */
  readonly rebalances: number
  readonly commitMeanMs: number | null
  /** The largest of one member in one of its intervals. */
  readonly commitP99Ms: number | null
  readonly oldestInFlightMs: number | null
  readonly memoryUsageMb: number | null
  readonly heapUsedMb: number | null
  readonly eventLoopDelayMs: number | null
}

/**
 * The lag of a service on a topic at the end of an interval: the last sample of each partition within it.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagInterval {
  readonly service: string
  readonly topic: string
  /** The end of the interval, milliseconds since 1970. */
  readonly timestamp: number
  readonly intervalMs: number
  readonly partitions: number
  readonly totalLag: number
  readonly maxPartitionLag: number
  /** `null` where it is not known. */
  readonly maxLagSeconds: number | null
}

/**
 * The measurements could not be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricsHistoryError extends Data.TaggedError("MetricsHistoryError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * Reads measurements. Lists are oldest first. All of it is read from the rows of the last days that are kept raw;
 * `hours` from what stays of older ones.
 *
 * @category services
 * @since 0.1.0
 */
export class MetricsHistory extends Context.Service<MetricsHistory, {
  /**
   * As the members wrote them, for whoever judges them by the rules of the pipeline; of each kind the newest 50000 at most,
   * and of each partition's lag about 30 samples, spread over the window.
   */
  readonly measurements: (window: Window) => Effect.Effect<Measurements, MetricsHistoryError>
  /** Members merged, by topic and interval. */
  readonly topics: (window: StepWindow) => Effect.Effect<ReadonlyArray<TopicInterval>, MetricsHistoryError>
  /** Members merged, by interval. */
  readonly services: (window: StepWindow) => Effect.Effect<ReadonlyArray<ServiceInterval>, MetricsHistoryError>
  /** Partitions merged, by topic and interval. */
  readonly lag: (window: StepWindow) => Effect.Effect<ReadonlyArray<LagInterval>, MetricsHistoryError>
  /** The same as `topics`, by the hour, of hours that have ended. */
  readonly hours: (window: Window) => Effect.Effect<ReadonlyArray<TopicInterval>, MetricsHistoryError>
}>()("@weft/postgres/MetricsHistory") {}

const failed = (error: SqlError) =>
  new MetricsHistoryError({ cause: error, message: `the metrics cannot be read: ${detailOf(error)}` })

const late = () =>
  new MetricsHistoryError({ cause: undefined, message: "the metrics cannot be read: no answer within 30 seconds" })

interface Times {
  readonly service: string | undefined
  readonly since: number
  readonly until: number
}

const hourMs = 3_600_000

/** Milliseconds; a step is never so short that the answer has no end. */
const stepOf = ({ since, step, until }: { since: number; until: number; step?: Duration.Input | undefined }): number =>
  step === undefined
    ? Math.max(10_000, Math.ceil((until - since) / 60))
    : Math.max(1_000, Duration.toMillis(Duration.fromInputUnsafe(step)))

/**
 * Measurements from the tables of migration 0047. A query may take 30 seconds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<MetricsHistory, never, PgClient.PgClient> = Layer.effect(
  MetricsHistory,
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    const ask = <A>(query: Effect.Effect<A, SqlError>) =>
      query.pipe(
        Effect.mapError(failed),
        bounded("30 seconds"),
        Effect.flatMap(Option.match({ onNone: () => Effect.fail(late()), onSome: (rows) => Effect.succeed(rows) }))
      )
    const timesOf = ({ service, since, until }: Window): Effect.Effect<Times> =>
      Effect.map(Clock.currentTimeMillis, (now) => ({ service, since, until: until ?? now }))
    const inSteps = <A>(query: (times: Query.Steps) => Effect.Effect<A, SqlError>) => (window: StepWindow) =>
      Effect.flatMap(
        timesOf(window),
        (times) => ask(query({ ...times, stepMs: stepOf({ ...times, step: window.step }) }))
      )
    return MetricsHistory.of({
      measurements: (window) =>
        Effect.flatMap(timesOf(window), (times) =>
          Effect.all({
            metrics: ask(Query.metrics(sql, times)),
            members: ask(Query.members(sql, times)),
            lag: ask(Query.lag(sql, times))
          })),
      topics: inSteps((steps) => Query.topicIntervals(sql, steps)),
      services: inSteps((steps) => Query.serviceIntervals(sql, steps)),
      lag: inSteps((steps) => Query.lagIntervals(sql, steps)),
      hours: (window) => Effect.flatMap(timesOf(window), (times) => ask(Query.hours(sql, { ...times, stepMs: hourMs })))
    })
  })
)
