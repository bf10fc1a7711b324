/**
 * What services should change, judged by what their members measured, and kept in `consumer_recommendations`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import type { AppliedMember } from "@weft/config/AppliedConfigs"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as Resolution from "@weft/config/Resolution"
import * as Recommendation from "@weft/pipeline/Recommendation"
import * as RecommendationEvidence from "@weft/pipeline/RecommendationEvidence"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { SqlError } from "effect/sql/SqlError"
import { hostname } from "node:os"
import { bounded } from "./internal/bounded.ts"
import { readMembers } from "./internal/memberRows.ts"
import * as ReadConfig from "./internal/readConfig.ts"
import * as Rows from "./internal/recommendationRows.ts"
import { detailOf, sqlStateOf } from "./internal/sqlFault.ts"
import { storable } from "./internal/storable.ts"
import * as MetricsHistory from "./MetricsHistory.ts"

/**
 * A recommendation as it is kept: with the times at which it first stood, was judged last, and stood no more, in
 * milliseconds since 1970. `resolution`: what it recommends was `applied`, or the symptom is `no longer` there.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredRecommendation extends Recommendation.Recommendation {
  readonly createdAt: number
  readonly updatedAt: number
  readonly resolvedAt: number | undefined
  readonly resolution: "applied" | "no longer" | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How far back measurements are judged, since the configuration was applied last. Default 10 minutes, or twelve intervals
   * of measuring where that is longer.
   */
  readonly window?: Duration.Input | undefined
  /** How long what is asked may take, waiting for a connection included. Default 15 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface EvaluatorOptions extends Options {
  /** Time between two looks, give or take a tenth. Default 10 seconds. */
  readonly interval?: Duration.Input | undefined
  /** Which services are judged. Default: all that were measured lately. */
  readonly services?: ReadonlyArray<string> | undefined
  /** How long recommendations that stand no more are kept. Default 30 days. */
  readonly retention?: Duration.Input | undefined
}

/**
 * Recommendations could not be judged, read or written.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecommendationsError extends Data.TaggedError("RecommendationsError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * @category services
 * @since 0.1.0
 */
export class Recommendations extends Context.Service<Recommendations, {
  /** Those that stand, of one service or of all, the most urgent first; with `all` those that stand no more after them. */
  readonly list: (
    service?: string,
    options?: { readonly all?: boolean | undefined }
  ) => Effect.Effect<ReadonlyArray<StoredRecommendation>, RecommendationsError>
  /** Judges a service now and writes what comes of it; answers what stands then. */
  readonly refresh: (service: string) => Effect.Effect<ReadonlyArray<StoredRecommendation>, RecommendationsError>
  /** The services that were measured lately. */
  readonly services: Effect.Effect<ReadonlyArray<string>, RecommendationsError>
  /**
   * Judges those services that nobody has judged for so long, and answers their names: of many processes that ask at the
   * same time, one gets a service. One that cannot be judged is told of when the others were.
   */
  readonly refreshDue: (
    due: Duration.Input,
    services?: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<string>, RecommendationsError>
}>()("@weft/postgres/Recommendations") {}

const failed = (error: SqlError | MetricsHistory.MetricsHistoryError) =>
  new RecommendationsError({
    cause: error._tag === "SqlError" ? error : error.cause,
    message: `recommendations: ${error._tag === "SqlError" ? detailOf(error) : error.message}`
  })

const late = () =>
  new RecommendationsError({ cause: undefined, message: "recommendations: the database does not answer" })

const defaultWindow = Duration.minutes(10)
/** Members that have not been seen for longer run no more, though they did not say so. */
const goneMs = 120_000

/** The configuration that members run with, and what it would become; without members that of the row. */
const subjectOf = (
  service: string,
  row: ConfigRow.RowResult,
  member: AppliedMember | undefined
): Recommendation.Subject =>
  Recommendation.subjectOf(row, (found) =>
    member === undefined
      ? Resolution.resolve({ service, row: found })
      : AppliedConfig.resolveAgain(member.applied, service, found))

/** When the row was changed last, in milliseconds since 1970; 0 where there is none. */
const writtenAt = (columns: ConfigRow.Columns | null): number => {
  const millis = Date.parse(String(columns?.["updated_at"]))
  return Number.isNaN(millis) ? 0 : millis
}

/**
 * Recommendations on the tables of the migrations.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options = {}): Layer.Layer<Recommendations, never, PgClient.PgClient> =>
  Layer.effect(
    Recommendations,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const history = yield* MetricsHistory.MetricsHistory
      const queryTimeout = options.queryTimeout ?? "15 seconds"
      const windowMs = options.window === undefined
        ? undefined
        : Duration.toMillis(Duration.fromInputUnsafe(options.window))
      const holder = `${hostname()}-${process.pid}`

      const ask = <A>(query: Effect.Effect<A, SqlError | MetricsHistory.MetricsHistoryError>) =>
        query.pipe(
          Effect.mapError(failed),
          bounded(queryTimeout),
          Effect.flatMap(Option.match({ onNone: () => Effect.fail(late()), onSome: (found) => Effect.succeed(found) }))
        )

      const judge = Effect.fnUntraced(function*(service: string) {
        const now = yield* Clock.currentTimeMillis
        const members = (yield* readMembers(sql, service)).filter(({ lastSeen }) => now - lastSeen < goneMs)
        const latest = members.toSorted((a, b) => b.appliedAt - a.appliedAt)[0]
        const profile = latest?.applied.program?.name
        const found = yield* ReadConfig.readAll(sql, service, profile === undefined ? [] : [profile])
        const judged = subjectOf(service, ReadConfig.toRow(service, found), latest)
        const measured = yield* history.measurements({
          service,
          since: now - (windowMs
            ?? Math.max(Duration.toMillis(defaultWindow), 12 * judged.current.config.metricsIntervalMs))
        })
        // What was written and not told to be applied yet is not judged by what was before it.
        const since = Math.max(latest?.appliedAt ?? 0, writtenAt(found.columns))
        const seen = RecommendationEvidence.make(service, measured, { since })
        return {
          config: Recommendation.configurationOf(judged.current.config),
          evaluation: Recommendation.evaluate(seen, judged)
        }
      })

      const standing = (service: string | undefined, all = false) =>
        Rows.read(
          sql,
          sql.and([
            all ? sql`TRUE` : sql`resolved_at IS NULL`,
            service === undefined ? sql`TRUE` : sql`service_name = ${storable(service)}`
          ])
        )

      const refresh = Effect.fnUntraced(function*(service: string) {
        const { config, evaluation } = yield* judge(service)
        // Whoever judges at the same time waits here, so that no two write what they judged at the same time.
        yield* sql.withTransaction(Effect.andThen(
          sql`
            INSERT INTO consumer_recommendation_runs (service_name, evaluated_at, evaluated_by, undecided)
            VALUES (${storable(service)}, clock_timestamp(), ${holder}, ${sql.json(evaluation.undecided)})
            ON CONFLICT (service_name) DO UPDATE SET
              evaluated_at = EXCLUDED.evaluated_at, evaluated_by = EXCLUDED.evaluated_by, undecided = EXCLUDED.undecided`,
          Rows.write(sql, service, evaluation, config)
        ))
      })

      /** One that fails costs the others nothing; where two have no answer, nobody has. Fails with what went wrong first. */
      const refreshEach = Effect.fnUntraced(function*(services: ReadonlyArray<string>) {
        let first: RecommendationsError | undefined
        let unanswered = 0
        for (const service of services) {
          const done = yield* Effect.result(ask(refresh(service)))
          if (Result.isSuccess(done)) continue
          first ??= done.failure
          const { cause } = done.failure
          if (!(cause instanceof SqlError && sqlStateOf(cause) !== undefined) && ++unanswered === 2) break
        }
        if (first !== undefined) return yield* first
      })

      const measured = sql`
        SELECT DISTINCT service_name FROM consumer_member_metrics
        WHERE timestamp > now() - make_interval(secs => ${Duration.toSeconds(defaultWindow)}::double precision)
        ORDER BY service_name`

      /** Brings the time of those that are due forward: whoever does it first judges them. */
      const claim = (due: Duration.Input, services: ReadonlyArray<string> | undefined) =>
        sql<{ readonly service: string }>`
          INSERT INTO consumer_recommendation_runs AS run (service_name, evaluated_at, evaluated_by)
          SELECT service_name, clock_timestamp(), ${holder} FROM (${measured}) AS measured
          WHERE ${services === undefined ? sql`TRUE` : sql`service_name = ANY(${services.map(storable)}::text[])`}
          ON CONFLICT (service_name) DO UPDATE SET
            evaluated_at = EXCLUDED.evaluated_at, evaluated_by = EXCLUDED.evaluated_by
          WHERE run.evaluated_at < clock_timestamp() - make_interval(
            secs => ${Duration.toSeconds(Duration.fromInputUnsafe(due))}::double precision
          )
          RETURNING service_name AS service`

      return Recommendations.of({
        list: (service, { all } = {}) => ask(standing(service, all)),
        refresh: (service) => ask(Effect.andThen(refresh(service), standing(service))),
        services: ask(Effect.map(
          sql<{ readonly service: string }>`SELECT service_name AS service FROM (${measured}) AS measured`,
          (rows) => rows.map(({ service }) => service)
        )),
        refreshDue: (due, services) =>
          Effect.map(ask(claim(due, services)), (rows) => rows.map(({ service }) => service)).pipe(
            Effect.tap(refreshEach)
          )
      })
    })
  ).pipe(Layer.provide(MetricsHistory.layer))

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Recommendations, never, PgClient.PgClient> = layerWith()

const evaluator = Effect.fnUntraced(function*(
  options: EvaluatorOptions
): Effect.fn.Return<void, never, PgClient.PgClient | Recommendations | Scope.Scope> {
  const recommendations = yield* Recommendations
  const sql = yield* PgClient.PgClient
  const intervalMs = Duration.toMillis(Duration.fromInputUnsafe(options.interval ?? "10 seconds"))
  const retentionSeconds = Duration.toSeconds(Duration.fromInputUnsafe(options.retention ?? "30 days"))
  let isTold = false

  const tell = (error: RecommendationsError) =>
    Effect.suspend(() => {
      if (isTold) return Effect.logDebug(error.message)
      isTold = true
      return Effect.logWarning(`${error.message}; it is tried again`)
    })
  const look = recommendations.refreshDue(Duration.millis(intervalMs * 0.8), options.services).pipe(
    Effect.map(() => {
      isTold = false
    }),
    Effect.catch(tell)
  )
  yield* Effect.forkScoped(Effect.forever(
    Effect.andThen(Effect.flatMap(Random.nextBetween(0.9, 1.1), (part) => Effect.sleep(intervalMs * part)), look)
  ))
  yield* sql`
    DELETE FROM consumer_recommendations
    WHERE resolved_at < now() - make_interval(secs => ${retentionSeconds}::double precision)`.pipe(
    bounded("1 minute"),
    Effect.ignore,
    Effect.andThen(Effect.sleep("1 hour")),
    Effect.forever,
    Effect.delay("1 minute"),
    Effect.forkScoped
  )
})

/**
 * Judges services as long as the layer lives, beside a pipeline or by itself. It may be in every member: each interval one
 * of them judges a service. It is no part of the consuming: a database that is away is told of once, and tried again.
 *
 * ```ts
 * const Main = Pipeline.layer(georegions).pipe(Layer.merge(Recommendations.layerEvaluator()), Layer.provide(...))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEvaluator = (options: EvaluatorOptions = {}): Layer.Layer<never, never, PgClient.PgClient> =>
  Layer.effectDiscard(evaluator(options)).pipe(Layer.provide(layerWith(options)))
