/** The database for commands: a connection, and failures in words. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { DatabaseConfigError } from "@weft/postgres/Postgres"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import { Backends } from "../Backends.ts"
import { CliFailure } from "../CliFailure.ts"

/** The database as the layers of `Backends` provide it. */
export type Database = PgClient.PgClient | SqlClient.SqlClient

const asText = (value: unknown): string | undefined => typeof value === "string" && value !== "" ? value : undefined

const causeOf = ({ reason: { cause } }: SqlError): { readonly code?: string; readonly message?: string } => {
  if (typeof cause !== "object" || cause === null) return {}
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown }
  const found = { code: asText(code), message: asText(message) }
  return {
    ...found.code === undefined ? {} : { code: found.code },
    ...found.message === undefined ? {} : { message: found.message }
  }
}

const unavailable = (message: string, next: string) => new CliFailure({ kind: "Unavailable", message, next })

export const notMigrated = unavailable("the database has no tables of Weft", "weft migrate creates them")

const undefinedTable = "42P01"
const undefinedColumn = "42703"
const noSuchDatabase = "3D000"

/** What a failure of the database means to the person at the terminal. */
export const databaseFailure = (error: SqlError): CliFailure => {
  const { code, message = code ?? error.message } = causeOf(error)
  if (code === undefinedTable) return notMigrated
  if (code === undefinedColumn) {
    return unavailable(
      `the database's tables are of another version: ${message}`,
      "weft migrate --status compares them"
    )
  }
  if (code === noSuchDatabase) return unavailable(message, "create it, or check the end of DATABASE_URL")
  switch (error.reason._tag) {
    case "ConnectionError":
      return unavailable(
        `the database is unreachable: ${message}`,
        "check DATABASE_URL, and that PostgreSQL runs there"
      )
    case "AuthenticationError":
      return unavailable(`the database refused the login: ${message}`, "check user and password in DATABASE_URL")
    case "AuthorizationError":
      return new CliFailure({
        kind: "Failed",
        message,
        next: "have the missing permission granted to the database's user"
      })
    default:
      return new CliFailure({ kind: "Failed", message: `the database refused: ${message}` })
  }
}

/** What a service that keeps its data in the database failed with. */
export const storeFailure = (
  { cause, message }: { readonly cause?: unknown; readonly message: string },
  next = "check that PostgreSQL is well"
): CliFailure =>
  cause instanceof SqlError ? databaseFailure(cause) : new CliFailure({ kind: "Unavailable", message, next })

/** Why there is no connection to be had: what `DATABASE_URL` lacks. */
export const configFailure = (error: DatabaseConfigError): CliFailure =>
  new CliFailure({
    kind: "Usage",
    message: error.message,
    next: "weft reads DATABASE_URL, such as postgres://user:password@localhost:5432/weft"
  })

/** Runs with the database. */
export const withDatabase = <A, R>(
  effect: Effect.Effect<A, SqlError | CliFailure, R>
): Effect.Effect<A, CliFailure, Exclude<R, Database> | Backends> =>
  Effect.gen(function*() {
    const { database } = yield* Backends
    return yield* Effect.provide(effect, database)
  }).pipe(Effect.catchTags({
    SqlError: (error) => Effect.fail(databaseFailure(error)),
    DatabaseConfigError: (error) => Effect.fail(configFailure(error))
  }))

/** Whether there is a database to be asked: for commands that know more with one, and are of use without. */
export const isDatabaseNamed: Effect.Effect<boolean, never, Backends> = Effect.gen(function*() {
  const { database } = yield* Backends
  return yield* Effect.scoped(Layer.build(database)).pipe(
    Effect.as(true),
    // One that is named badly is an error of whoever uses it.
    Effect.catchTag("DatabaseConfigError", ({ kind }) => Effect.succeed(kind !== "Missing"))
  )
})
