import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import type { FailureKind } from "../../ExitCode.ts"
import { type Answer, answer } from "../answer.ts"
import { withDatabase } from "../database.ts"
import type { Paint } from "../paint.ts"
import { count } from "../table.ts"

const kinds: { readonly [K in SqlMigrator.MigrationError["kind"]]: FailureKind } = {
  Unreadable: "Failed",
  BadName: "Failed",
  Duplicate: "Failed",
  TransactionControl: "Failed",
  Late: "Refused",
  Changed: "Refused",
  Schema: "Refused",
  Statement: "Failed",
  Locked: "Unavailable",
  Database: "Unavailable"
}

const next: { readonly [K in SqlMigrator.MigrationError["kind"]]?: string } = {
  Statement: "nothing was changed; mend what the database names, then run weft migrate again",
  Schema: "nothing was changed; make the tables what the message asks for, or use another schema or database",
  Locked: "wait for the other run to end, then run weft migrate again",
  Database: "check DATABASE_URL, and that PostgreSQL runs there"
}

const migrationFailure = ({ kind, message }: SqlMigrator.MigrationError): CliFailure =>
  new CliFailure({ kind: kinds[kind] ?? "Failed", message, next: next[kind] })

const names = (paint: Paint, title: string, files: ReadonlyArray<string>): string =>
  files.length === 0 ? "" : `${paint.bold(title)}\n${files.map((file) => `  ${file}`).join("\n")}`

const status: Effect.Effect<Answer, CliFailure, Effect.Services<ReturnType<typeof SqlMigrator.status>>> = SqlMigrator
  .status().pipe(
    Effect.mapError(migrationFailure),
    Effect.map((found) => ({
      json: found,
      text: (paint) =>
        [
          names(paint, "applied", found.applied),
          names(paint, "pending", found.pending),
          names(paint, "applied by a newer version of weft", found.unknown),
          names(paint, "what becomes of the tables that are there", found.adopts),
          found.pending.length === 0
            ? "nothing to do"
            : `weft migrate applies ${count(found.pending.length, "file")}, all or none`
        ].filter((part) => part !== "").join("\n")
    }))
  )

const apply: Effect.Effect<Answer, CliFailure, Effect.Services<ReturnType<typeof SqlMigrator.run>>> = SqlMigrator.run()
  .pipe(
    Effect.mapError(migrationFailure),
    Effect.map((applied) => ({
      json: { applied },
      text: (paint) => applied.length === 0 ? "nothing to do" : names(paint, "applied", applied)
    }))
  )

export const migrate = Command.make("migrate", {
  status: Flag.Boolean("status").pipe(
    Flag.withDescription("Show what is applied and what is pending, and change nothing"),
    Flag.withAlias("dry-run"),
    Flag.withDefault(false)
  )
}, (flags) => answer(withDatabase(flags.status ? status : apply))).pipe(
  Command.withDescription(
    "Create or update Weft's tables in the database. All pending files run in one transaction; several runs at once are safe."
  ),
  Command.withShortDescription("Create or update Weft's tables in the database"),
  Command.withExamples([
    { command: "weft migrate --status", description: "What would run" },
    { command: "weft migrate", description: "Run it" }
  ])
)
