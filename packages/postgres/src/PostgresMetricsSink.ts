/**
 * Metrics and lag in PostgreSQL: `consumer_processing_metrics`, `consumer_member_metrics` and `consumer_lag_history`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./internal/bounded.ts"
import { writes } from "./internal/metricsInsert.ts"
import { isOlderSchema } from "./internal/sqlFault.ts"
import * as MetricsMaintenance from "./MetricsMaintenance.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a write may take, waiting for a connection included. Default 10 seconds. */
  readonly writeTimeout?: Duration.Input | undefined
  /**
   * How long rows and hours are kept, and how often the job runs that sees to it; of all members of all services on a
   * database one runs it. `false`: none of this process's.
   */
  readonly maintenance?: MetricsMaintenance.Options | false | undefined
}

/** After how long a database that lacks columns is asked for them again: the migration may have run meanwhile. */
const askAgainMs = 60_000

/**
 * A sink that writes all that it is given in one statement: a row per topic, per member and per partition, all or none of
 * them. A write that is repeated, because its answer was lost, adds nothing. A database in which the last migrations have
 * not run yet takes what its tables have columns for; that is told once.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options = {}): Layer.Layer<MetricsSink.MetricsSink, never, PgClient.PgClient> =>
  Layer.effect(
    MetricsSink.MetricsSink,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const { maintenance } = options
      if (maintenance !== false) yield* Effect.forkScoped(MetricsMaintenance.keepRunning(maintenance))
      const writeTimeout = Duration.fromInputUnsafe(options.writeTimeout ?? "10 seconds")
      const late = `no answer from the database within ${Duration.toMillis(writeTimeout)} ms`
      let isTold = false
      /** Which write the database took that is not the newest, and until when it is not asked for a newer one. */
      let older = { write: 0, until: -Infinity }

      const tell = Effect.suspend(() => {
        if (isTold) return Effect.void
        isTold = true
        return Effect.logWarning(
          "the database lacks columns for what is measured: run weft migrate; until then only what it has is written"
        )
      })

      const write = Effect.fnUntraced(function*(measurements: MetricsSink.Measurements) {
        const now = yield* Clock.currentTimeMillis
        const known = now < older.until ? older.write : 0
        let error: SqlError | undefined
        for (let i = known; i < writes.length; i++) {
          const result = yield* Effect.result(writes[i]!(sql, measurements))
          if (Result.isSuccess(result)) {
            if (i === known) return
            older = { write: i, until: now + askAgainMs }
            return yield* tell
          }
          // What lacks even the older tables has said so already.
          error ??= result.failure
          if (!isOlderSchema(result.failure)) return yield* result.failure
        }
        return yield* error!
      })

      return MetricsSink.MetricsSink.of({
        write: (measurements) =>
          measurements.metrics.length + measurements.members.length + measurements.lag.length === 0
            ? Effect.void
            : write(measurements).pipe(
              bounded(writeTimeout),
              Effect.flatMap(Effect.fromOption),
              Effect.catchTag("NoSuchElementError", () => Effect.fail(new Cause.TimeoutError(late))),
              Effect.mapError((cause) => new MetricsSink.MetricsSinkError({ cause })),
              Effect.asVoid
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
export const layer: Layer.Layer<MetricsSink.MetricsSink, never, PgClient.PgClient> = layerWith()
