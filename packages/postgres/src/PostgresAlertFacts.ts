/**
 * The facts that alerts are judged by, read from PostgreSQL: all services that measure themselves there, and all groups
 * that `weft monitor` watches.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as AlertFacts from "@weft/pipeline/AlertFacts"
import { PartitionWindows } from "@weft/pipeline/PartitionWindows"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./internal/bounded.ts"
import { detailOf } from "./internal/sqlFault.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a look may take, waiting for connections included. Default 10 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
}

interface SampleRow {
  readonly service: string
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly member: string
  readonly lag: bigint
  readonly consumerOffset: bigint
  readonly endOffset: bigint
  readonly lagSeconds: number | null
  readonly timestamp: number
}

interface MemberRow {
  readonly service: string
  readonly member: string
  readonly crashes: number
  readonly commitFailures: number
  readonly rebalances: number
  readonly oldestInFlightMs: number
  readonly seenAt: number
}

interface ServiceRow {
  readonly service: string
  readonly processed: number
  readonly failures: number
  readonly deadLetters: number
}

interface ReportRow {
  readonly service: string
  readonly alive: number
  readonly seenAt: number
  readonly hasLeft: boolean
  readonly maxPollIntervalMs: number | null
}

interface ThresholdRow {
  readonly service: string
  readonly warningLag: number
  readonly criticalLag: number
  readonly warningSeconds: number
  readonly criticalSeconds: number
}

/** What the first look goes back by: enough samples for a window, at ten seconds each. */
const firstLookSeconds = 150
/** Samples may come so late: they are read again until then. */
const lateSeconds = 30
/** A service whose members do not say when they leave is missed for a day. */
const rememberMs = 86_400_000
/** As where a member does not say what it runs with. */
const defaultMaxPollIntervalMs = 300_000

const failed = (error: SqlError) =>
  new AlertFacts.AlertFactsError({ cause: error, message: `the measurements cannot be read: ${detailOf(error)}` })

const late = new AlertFacts.AlertFactsError({
  cause: undefined,
  message: "the measurements cannot be read: the database does not answer"
})

/**
 * Reads lag, outcomes, members and thresholds as they are in the database. Times are those of the database's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options = {}): Layer.Layer<AlertFacts.AlertFacts, never, PgClient.PgClient> =>
  Layer.effect(
    AlertFacts.AlertFacts,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const windows = new PartitionWindows()
      /** When a member was last heard of, by service; kept longer than the rows that are read at each look. */
      const seenAt = new Map<string, number>()
      let readUntil = 0

      const now = Effect.map(
        sql<{ readonly now: number }>`SELECT floor(extract(epoch FROM now()) * 1000)::double precision AS now`,
        ([row]) => row!.now
      )

      const samplesSince = (seconds: number) =>
        sql<SampleRow>`
          SELECT
            service_name AS service, coalesce(consumer_group_id, '') AS "group", topic, partition,
            coalesce(member, '') AS member, lag,
            coalesce(consumer_offset, 0) AS "consumerOffset",
            coalesce(end_offset, coalesce(consumer_offset, 0) + lag) AS "endOffset", lag_seconds AS "lagSeconds",
            floor(extract(epoch FROM timestamp) * 1000)::double precision AS timestamp
          FROM consumer_lag_history
          WHERE timestamp > now() - make_interval(secs => ${seconds}::double precision)
          ORDER BY timestamp`

      const outcomes = sql<ServiceRow>`
        SELECT
          service_name AS service, coalesce(sum(messages_processed), 0)::double precision AS processed,
          coalesce(sum(failures), 0)::double precision AS failures,
          coalesce(sum(dead_letters), 0)::double precision AS "deadLetters"
        FROM consumer_processing_metrics
        WHERE timestamp > now() - make_interval(secs => ${AlertFacts.outcomesWindowMs / 1_000}::double precision)
        GROUP BY service_name`

      const members = sql<MemberRow>`
        SELECT
          service_name AS service, member, coalesce(sum(crashes), 0)::double precision AS crashes,
          coalesce(sum(commit_failures), 0)::double precision AS "commitFailures",
          coalesce(sum(rebalances), 0)::double precision AS rebalances,
          coalesce((array_agg(oldest_in_flight_ms ORDER BY timestamp DESC))[1], 0)::double precision
            AS "oldestInFlightMs",
          floor(extract(epoch FROM max(timestamp)) * 1000)::double precision AS "seenAt"
        FROM consumer_member_metrics
        WHERE timestamp > now() - make_interval(secs => ${AlertFacts.troubleWindowMs / 1_000}::double precision)
        GROUP BY service_name, member`

      const reports = sql<ReportRow>`
        SELECT
          service_name AS service,
          count(*) FILTER (WHERE left_at IS NULL AND is_heard)::integer AS alive,
          floor(extract(epoch FROM max(last_seen)) * 1000)::double precision AS "seenAt",
          (array_agg(left_at IS NOT NULL ORDER BY last_seen DESC))[1] AS "hasLeft",
          -- One that died with another configuration is remembered for a week: those that live come first.
          coalesce(
            max(max_poll_interval_ms) FILTER (WHERE left_at IS NULL AND is_heard),
            max(max_poll_interval_ms) FILTER (WHERE left_at IS NULL)
          )::double precision AS "maxPollIntervalMs"
        FROM (
          SELECT
            service_name, last_seen, left_at,
            weft_applied_number(configuration, 'max_poll_interval_ms') AS max_poll_interval_ms,
            last_seen > now() - make_interval(secs => ${AlertFacts.memberGoneAfterMs / 1_000}::double precision)
              AS is_heard
          FROM consumer_applied_configs
        ) AS reported
        GROUP BY service_name`

      const lastSeenOfADay = sql<{ readonly service: string; readonly seenAt: number }>`
        SELECT
          service_name AS service, floor(extract(epoch FROM max(timestamp)) * 1000)::double precision AS "seenAt"
        FROM consumer_member_metrics WHERE timestamp > now() - INTERVAL '1 day' GROUP BY service_name`

      const thresholds = sql<ThresholdRow>`
        SELECT
          own.service_name AS service, holds.warning_lag::double precision AS "warningLag",
          holds.critical_lag::double precision AS "criticalLag", holds.warning_seconds AS "warningSeconds",
          holds.critical_seconds AS "criticalSeconds"
        FROM consumer_lag_thresholds AS own, weft_lag_thresholds(own.service_name) AS holds`

      const look = Effect.gen(function*() {
        const at = yield* now
        const samples = yield* samplesSince(
          readUntil === 0 ? firstLookSeconds : Math.min(firstLookSeconds, (at - readUntil) / 1_000 + lateSeconds)
        )
        for (const row of samples) {
          windows.add({ ...row, lagSeconds: row.lagSeconds ?? undefined })
        }
        if (readUntil === 0) { for (const row of yield* lastSeenOfADay) seenAt.set(row.service, row.seenAt) }
        readUntil = at

        const memberRows = yield* members
        const reportRows = new Map((yield* reports).map((row) => [row.service, row]))
        const outcomeRows = new Map((yield* outcomes).map((row) => [row.service, row]))
        const byService = Map.groupBy(memberRows, ({ service }) => service)
        for (const { seenAt: last, service } of [...memberRows, ...reportRows.values()]) {
          seenAt.set(service, Math.max(last, seenAt.get(service) ?? 0))
        }
        for (const [service, last] of seenAt) {
          if (at - last > rememberMs && !reportRows.has(service)) seenAt.delete(service)
        }

        const factsOf = (service: string): AlertFacts.ServiceFacts => {
          const own = byService.get(service) ?? []
          const report = reportRows.get(service)
          const outcome = outcomeRows.get(service)
          const measuring = own.filter((row) => at - row.seenAt <= AlertFacts.memberGoneAfterMs).length
          const isReporting = report !== undefined || seenAt.has(service)
          return {
            service,
            at,
            processed: outcome?.processed ?? 0,
            failures: outcome?.failures ?? 0,
            deadLetters: outcome?.deadLetters ?? 0,
            crashes: own.reduce((sum, { crashes }) => sum + crashes, 0),
            commitFailures: own.reduce((sum, { commitFailures }) => sum + commitFailures, 0),
            rebalances: own.reduce((most, { rebalances }) => Math.max(most, rebalances), 0),
            members: isReporting ? Math.max(report?.alive ?? 0, report?.hasLeft === true ? 0 : measuring) : undefined,
            memberSeenAt: seenAt.get(service),
            hasLeft: report?.hasLeft ?? false,
            maxPollIntervalMs: report?.maxPollIntervalMs ?? defaultMaxPollIntervalMs
          }
        }
        const inFlight = new Map(memberRows.map((row) => [`${row.service}\n${row.member}`, row.oldestInFlightMs]))
        const services = new Set([...seenAt.keys(), ...outcomeRows.keys()])
        return {
          partitions: windows.facts(at, (service, member) => inFlight.get(`${service}\n${member}`) ?? 0),
          services: [...services].map(factsOf),
          thresholds: new Map((yield* thresholds).map(({ service, ...holds }) => [service, holds]))
        }
      })

      return AlertFacts.AlertFacts.of({
        look: look.pipe(
          Effect.mapError(failed),
          bounded(options.queryTimeout ?? "10 seconds"),
          Effect.flatMap(Option.match({ onNone: () => Effect.fail(late), onSome: (facts) => Effect.succeed(facts) }))
        )
      })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<AlertFacts.AlertFacts, never, PgClient.PgClient> = layerWith()
