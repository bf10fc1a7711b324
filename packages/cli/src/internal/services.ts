/** The configurations of services, for commands: read through the same store as a consumer's. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import { ConfigStore } from "@weft/config/ConfigStore"
import type { Resolved } from "@weft/config/Resolution"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { CliFailure } from "../CliFailure.ts"
import { asking, notMigrated } from "./database.ts"
import { nearNames } from "./nearNames.ts"

/** The names of all services that have a row. */
export const serviceNames = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ name: string }>`
    SELECT service_name AS name FROM pipeline_consumer_configs ORDER BY service_name`
  return rows.map(({ name }) => name)
})

/** What a consumer lives with, a command says: it is asked to read the configuration, not to run without one. */
const outage = (issue: ConfigIssue.ConfigIssue): CliFailure | undefined => {
  switch (issue._tag) {
    case "MissingTable":
      return notMigrated
    case "DatabaseUnreachable":
    case "DatabaseTimeout":
      return new CliFailure({
        kind: "Unavailable",
        message: ConfigIssue.message(issue),
        next: "check DATABASE_URL, and that PostgreSQL runs there"
      })
    case "QueryFailed":
      return new CliFailure({ kind: "Failed", message: ConfigIssue.message(issue) })
    default:
      return undefined
  }
}

export const isMissing = ({ issues }: Resolved): boolean => issues.some(({ _tag }) => _tag === "MissingRow")

/** The configuration of a service as its consumers resolve it, with or without a row. */
export const resolved = Effect.fnUntraced(function*(service: string) {
  const store = yield* ConfigStore
  const found = yield* store.load(service)
  const failure = found.issues.map(outage).find((one) => one !== undefined)
  return failure === undefined ? found : yield* failure
})

export const noService = (service: string, names: ReadonlyArray<string>): CliFailure =>
  new CliFailure({
    kind: "NotFound",
    message: `no row for service "${service}": its consumers run on profile and defaults`,
    near: nearNames(service, names),
    next: "weft config list shows all services; weft config set SERVICE key=value makes a row"
  })

/** The same for a service that is to have a row. */
export const knownService = Effect.fnUntraced(function*(service: string) {
  const found = yield* resolved(service)
  return isMissing(found) ? yield* noService(service, yield* serviceNames) : found
})

/** Runs with the database and the store on it. */
export const withServices = <A, R>(effect: Effect.Effect<A, SqlError | CliFailure, R>) =>
  asking(Effect.provide(effect, PostgresConfigStore.layer))
