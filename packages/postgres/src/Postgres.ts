/**
 * A connection pool to PostgreSQL, from `DATABASE_URL`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import { urlFault } from "./internal/databaseUrl.ts"

/**
 * A variable of the environment that is missing, or that no connection can be made from. The message names the variable
 * and what it accepts, and never holds a password.
 *
 * @category errors
 * @since 0.1.0
 */
export class DatabaseConfigError extends Data.TaggedError("DatabaseConfigError")<{
  readonly variable: string
  readonly kind: "Missing" | "Malformed"
  readonly message: string
}> {}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The most connections; listening for changed configurations opens one more. Default 10. */
  readonly poolSize?: number | undefined
  /** How long opening a connection may take. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * After how long without traffic a connection is probed, so that one that a firewall dropped is found out. Default
   * 30 seconds.
   */
  readonly keepAlive?: Duration.Input | undefined
  /** What `pg_stat_activity` shows. Default `weft`. */
  readonly applicationName?: string | undefined
}

const malformed = (variable: string, fault: string) =>
  new DatabaseConfigError({
    variable,
    kind: "Malformed",
    message: `${variable} ${fault}: it accepts postgres://user:password@host:5432/database`
  })

/**
 * A pool from a URL. It opens connections when they are needed: it is there though the database is away, queries fail
 * with a `SqlError` then, and work again when the database is back.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUrl = (
  url: Redacted.Redacted<string>,
  options: Options = {},
  variable = "DATABASE_URL"
): Layer.Layer<PgClient.PgClient | SqlClient, DatabaseConfigError> => {
  const fault = urlFault(Redacted.value(url))
  if (fault !== undefined) return Layer.effectContext(Effect.fail(malformed(variable, fault)))
  return PgClient.layer({
    url,
    maxConnections: options.poolSize ?? 10,
    connectTimeout: options.connectTimeout ?? "5 seconds",
    keepAlive: options.keepAlive ?? "30 seconds",
    applicationName: options.applicationName ?? "weft"
  }).pipe(Layer.catchTag("SqlError", (error) => Layer.effectContext(Effect.fail(malformed(variable, error.message)))))
}

const poolSize = Config.Int("DATABASE_POOL_SIZE").pipe(Config.option)

/**
 * A pool from the environment: `DATABASE_URL`, and `DATABASE_POOL_SIZE` (1 or more; default 10).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Options = {}
): Layer.Layer<PgClient.PgClient | SqlClient, DatabaseConfigError> =>
  Layer.unwrap(Effect.gen(function*() {
    const url = yield* Config.Redacted("DATABASE_URL").pipe(
      Config.option,
      Effect.mapError(() => malformed("DATABASE_URL", "cannot be read"))
    )
    if (Option.isNone(url) || Redacted.value(url.value).trim() === "") {
      return yield* new DatabaseConfigError({
        variable: "DATABASE_URL",
        kind: "Missing",
        message: "DATABASE_URL is not set: it accepts postgres://user:password@host:5432/database"
      })
    }
    const size = yield* Effect.mapError(poolSize, () => undefined).pipe(
      Effect.filterOrFail((size) => Option.isNone(size) || size.value >= 1, () => undefined),
      Effect.mapError(() =>
        new DatabaseConfigError({
          variable: "DATABASE_POOL_SIZE",
          kind: "Malformed",
          message: "DATABASE_POOL_SIZE is not a pool size: it accepts a whole number of 1 or more"
        })
      )
    )
    return layerUrl(url.value, { poolSize: Option.getOrUndefined(size), ...options })
  }))

/**
 * A pool from the environment, with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<PgClient.PgClient | SqlClient, DatabaseConfigError> = layerConfig()
