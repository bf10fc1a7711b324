/** The configurations of services, for commands. */
import type { AppliedConfigsError } from "@weft/config/AppliedConfigs"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type { Resolved } from "@weft/config/Resolution"
import type { ConfigChangeError } from "@weft/postgres/ConfigChange"
import * as ConfigHistory from "@weft/postgres/ConfigHistory"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlError } from "effect/sql/SqlError"
import { CliFailure } from "../CliFailure.ts"
import type { FailureKind } from "../ExitCode.ts"
import { databaseFailure, notMigrated, storeFailure, withDatabase } from "./database.ts"
import { nearNames } from "./nearNames.ts"

const kinds: { readonly [K in ConfigChangeError["kind"]]: FailureKind } = {
  UnknownSetting: "Usage",
  BadService: "NotFound",
  Refused: "Refused",
  BadValue: "Usage",
  UnknownRevision: "NotFound",
  MissingTable: "Unavailable",
  Database: "Unavailable"
}

const next: { readonly [K in ConfigChangeError["kind"]]?: string } = {
  Refused: "--dry-run shows what would come of it, --force writes it all the same",
  UnknownRevision: "weft config history SERVICE shows all revisions",
  Database: "check DATABASE_URL, and that PostgreSQL is well"
}

const changeFailure = ({ cause, issues = [], kind, message, service }: ConfigChangeError): CliFailure => {
  if (kind === "MissingTable") return notMigrated
  if (cause instanceof SqlError && kind === "Database") return databaseFailure(cause)
  return new CliFailure({
    kind: kinds[kind],
    message: kind === "Refused" && issues.length > 0
      ? [`nothing was written${service === undefined ? "" : ` of ${service}`}:`, ...issues.map(ConfigIssue.message)]
        .join("\n  ")
      : message,
    next: next[kind]
  })
}

const layers = Layer.mergeAll(ConfigWriter.layer, ConfigHistory.layer, PostgresAppliedConfigs.layer)

/** Runs with the configurations in the database. */
export const withServices = <A, R>(
  effect: Effect.Effect<A, CliFailure | ConfigChangeError | AppliedConfigsError, R>
) =>
  withDatabase(
    effect.pipe(
      Effect.catchTags({
        ConfigChangeError: (error) => Effect.fail(changeFailure(error)),
        AppliedConfigsError: (error) => Effect.fail(storeFailure(error))
      }),
      Effect.provide(layers)
    )
  )

export const isMissing = ({ issues }: Resolved): boolean => issues.some(({ _tag }) => _tag === "MissingRow")

const noService = (service: string, names: ReadonlyArray<string>): CliFailure =>
  new CliFailure({
    kind: "NotFound",
    message: `no row for service "${service}": its consumers run on profile and defaults`,
    near: nearNames(service, names),
    next: "weft config list shows all services; weft config set SERVICE key=value makes a row"
  })

/** Where neither configuration nor measurement knows a service; `next` tells which command shows those that are known. */
export const unknownService = (service: string, names: Iterable<string>, next: string): CliFailure =>
  new CliFailure({
    kind: "NotFound",
    message: `nothing is known of a service "${service}"`,
    near: nearNames(service, names),
    next
  })

/** The configuration of a service that has a row. */
export const knownService = Effect.fnUntraced(function*(service: string) {
  const writer = yield* ConfigWriter.ConfigWriter
  const found = yield* writer.get(service)
  return isMissing(found)
    ? yield* noService(service, (yield* writer.list).map((one) => one.service))
    : found
})
