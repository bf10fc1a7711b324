/**
 * Runs numbered .sql files against a database, each once.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Adoption from "./internal/adoption.ts"
import * as Files from "./internal/migrationFiles.ts"
import * as MigrationPlan from "./internal/migrationPlan.ts"
import { readRelations } from "./internal/schemaSnapshot.ts"
import { detailOf } from "./internal/sqlFault.ts"
import { isTransactionControl, sqlSplit } from "./internal/sqlSplit.ts"

/**
 * A migration as its file has it; `checksum` is the SHA-256 of its text, with line ends of one kind.
 *
 * @category models
 * @since 0.1.0
 */
export type MigrationFile = MigrationPlan.MigrationFile

/**
 * Why migrations did not run. None of them left anything behind: all files of a run are one transaction.
 *
 * - `Unreadable`: a file or the folder cannot be read.
 * - `BadName`: a .sql file without a number.
 * - `Duplicate`: two files of one number.
 * - `Late`: a file that is not applied, though one of a higher number is.
 * - `Changed`: the text of an applied file is not what was applied.
 * - `TransactionControl`: a file that holds BEGIN, COMMIT or the like.
 * - `Statement`: the database refused a statement of a file.
 * - `Schema`: tables of the names of Weft's are there that are neither its own nor understood; `differences` says what
 *   differs. They are left as they are.
 * - `Locked`: another run, or somebody else, held a lock for longer than `lockTimeout`.
 * - `Database`: the database could not be reached or asked.
 *
 * @category errors
 * @since 0.1.0
 */
export class MigrationError extends Data.TaggedError("MigrationError")<{
  readonly kind:
    | "Unreadable"
    | "BadName"
    | "Duplicate"
    | "Late"
    | "Changed"
    | "TransactionControl"
    | "Statement"
    | "Schema"
    | "Locked"
    | "Database"
  readonly message: string
  /** The file in question, where there is one. */
  readonly file?: string | undefined
  readonly differences?: ReadonlyArray<string> | undefined
  readonly cause?: unknown
}> {}

/**
 * Where migrations come from.
 *
 * @category loaders
 * @since 0.1.0
 */
export type Loader = Effect.Effect<ReadonlyArray<MigrationFile>, MigrationError>

const toError = (fault: MigrationPlan.Fault | Files.Unreadable) => new MigrationError(fault)

/**
 * The .sql files of a folder.
 *
 * @category loaders
 * @since 0.1.0
 */
export const fromFolder = (folder: string): Loader => Effect.mapError(Files.readFolder(folder), toError)

/**
 * Weft's own migrations, which this package brings with it.
 *
 * @category loaders
 * @since 0.1.0
 */
export const bundled: Loader = Effect.suspend(() => fromFolder(Files.ownFolder()))

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default {@link bundled}. */
  readonly loader?: Loader | undefined
  /** How long to wait for another run, and for any lock on a table. Default 60 seconds. */
  readonly lockTimeout?: Duration.Input | undefined
}

/**
 * What there is to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  /** Names of the files that a run would apply, in order. */
  readonly pending: ReadonlyArray<string>
  /** Names of the files that were applied, in order. */
  readonly applied: ReadonlyArray<string>
  /** Names of what was applied by a newer version of the program. */
  readonly unknown: ReadonlyArray<string>
  /** What a run would do with tables of another system that are there already, a line each. */
  readonly adopts: ReadonlyArray<string>
}

// Two numbers that say "weft" and "migrations" among the advisory locks of a database.
const lock = [0x77656674, 1] as const

const fromSqlError = (error: SqlError) =>
  new MigrationError({
    kind: error.reason._tag === "LockTimeoutError" ? "Locked" : "Database",
    message: error.reason._tag === "LockTimeoutError"
      ? "another run holds the lock of the migrations"
      : `cannot ask the database: ${detailOf(error)}`,
    cause: error
  })

const readApplied = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  const [found] = yield* sql<{ there: boolean }>`SELECT to_regclass('weft_migrations') IS NOT NULL AS there`
  if (found?.there !== true) return []
  return yield* sql<MigrationPlan.AppliedMigration>`SELECT id, name, checksum FROM weft_migrations ORDER BY id`
})

const planned = (files: ReadonlyArray<MigrationFile>, applied: ReadonlyArray<MigrationPlan.AppliedMigration>) => {
  const plan = MigrationPlan.plan(files, applied)
  return plan._tag === "Refused" ? Effect.fail(toError(plan.fault)) : Effect.succeed(plan)
}

const checkStatements = (file: MigrationFile, statements: ReadonlyArray<string>) => {
  const control = statements.find(isTransactionControl)
  return control === undefined ? Effect.void : Effect.fail(
    new MigrationError({
      kind: "TransactionControl",
      file: file.name,
      message: `${file.name} holds ${control.split(/\s/)[0]}: a run is one transaction, which a file must not end`
    })
  )
}

const runStatements = (
  sql: SqlClient.SqlClient,
  file: MigrationFile,
  statements: ReadonlyArray<string>,
  what: string
) =>
  Effect.forEach(statements, (statement, i) =>
    sql.unsafe(statement).unprepared.pipe(
      Effect.mapError((error) =>
        new MigrationError({
          kind: error.reason._tag === "LockTimeoutError" ? "Locked" : "Statement",
          file: file.name,
          message: `${file.name}, ${what} ${i + 1} of ${statements.length}: ${detailOf(error)}`,
          cause: error
        })
      )
    ), { discard: true })

const adoptionFiles = {
  configs: "0038_add_consumer_configurations.sql",
  metrics: "0041_add_consumer_metrics_tables.sql"
}

const nothing: Adoption.Adoption = { before: [], after: [], kept: [], told: [] }

/** What must be done with what is there already before a file can be applied, and after it. */
const adoptionFor = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, file: MigrationFile) {
  const isConfigs = file.name === adoptionFiles.configs
  if (!isConfigs && file.name !== adoptionFiles.metrics) return nothing
  const there = yield* readRelations(sql, isConfigs ? [Adoption.configsTable] : Adoption.metricsNames)
  if (there.length === 0) return nothing
  const taken = yield* readRelations(sql, there.map(({ name }) => Adoption.aside(name)))
  const decision = isConfigs
    ? Adoption.adoptConfigs(there[0]!)
    : Adoption.adoptMetrics(there, taken.map(({ name }) => name))
  if (decision._tag === "Adopt") return decision.adoption
  return yield* new MigrationError({
    kind: "Schema",
    file: file.name,
    differences: decision.differences,
    message: `${file.name} finds tables that it does not understand, and leaves them alone: `
      + decision.differences.join("; ")
  })
})

const creates = (tables: ReadonlyArray<string>) => (statement: string) =>
  tables.some((table) => new RegExp(`^CREATE TABLE ${table}\\b`, "m").test(statement))

const apply = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, file: MigrationFile) {
  const statements = sqlSplit(file.sql)
  yield* checkStatements(file, statements)
  const { after, before, kept, told } = yield* adoptionFor(sql, file)
  for (const line of told) yield* Effect.logInfo(`migrations: ${line}`)
  yield* runStatements(sql, file, before, "adoption")
  yield* runStatements(sql, file, statements.filter((statement) => !creates(kept)(statement)), "statement")
  yield* runStatements(sql, file, after, "adoption")
  yield* sql`INSERT INTO weft_migrations ${sql.insert({ id: file.id, name: file.name, checksum: file.checksum })}`
})

/**
 * Applies what is pending and answers the names of the files applied now, in order.
 *
 * All of them are one transaction under an advisory lock: of several runs at once one applies them, the others wait and
 * find nothing to do. What was applied is kept in the table `weft_migrations` with checksums.
 *
 * A database that has Loom v2's own tables of configurations and metrics is adopted: its rows stay, settings that are
 * left out are NULL from then on, and its foreign keys and checks are no longer in the way. What is not understood is left
 * alone, and the run fails with the kind `Schema`.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(
  function*(
    options: Options = {}
  ): Effect.fn.Return<ReadonlyArray<string>, MigrationError, SqlClient.SqlClient> {
    const sql = yield* SqlClient.SqlClient
    const files = yield* options.loader ?? bundled
    const timeoutMs = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(options.lockTimeout ?? "60 seconds")))
    const inTransaction = Effect.gen(function*() {
      yield* sql`SELECT set_config('lock_timeout', ${String(timeoutMs)}, true)`
      yield* sql`SELECT pg_advisory_xact_lock(${lock[0]}::int, ${lock[1]}::int)`
      const { run: pending, unknown } = yield* planned(files, yield* readApplied(sql))
      if (unknown.length > 0) {
        yield* Effect.logInfo(`migrations: the database is ahead by ${unknown.map(({ name }) => name).join(", ")}`)
      }
      if (pending.length > 0) {
        yield* sql`CREATE TABLE IF NOT EXISTS weft_migrations (
          id integer NOT NULL PRIMARY KEY,
          name text NOT NULL,
          checksum text NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now()
        )`.unprepared
      }
      yield* Effect.forEach(pending, (file) => apply(sql, file), { discard: true })
      return pending.map(({ name }) => name)
    })
    const applied = yield* sql.withTransaction(inTransaction).pipe(
      Effect.catchTag("SqlError", (error) => Effect.fail(fromSqlError(error)))
    )
    if (applied.length > 0) yield* Effect.logInfo(`migrations: applied ${applied.join(", ")}`)
    return applied
  }
)

/**
 * What a run would do, without doing it.
 *
 * @category running
 * @since 0.1.0
 */
export const status = Effect.fnUntraced(
  function*(options: Options = {}): Effect.fn.Return<Status, MigrationError, SqlClient.SqlClient> {
    const sql = yield* SqlClient.SqlClient
    const files = yield* options.loader ?? bundled
    const applied = yield* Effect.mapError(readApplied(sql), fromSqlError)
    const { run: pending, unknown } = yield* planned(files, applied)
    const adoptions = yield* Effect.forEach(pending, (file) => adoptionFor(sql, file)).pipe(
      Effect.catchTag("SqlError", (error) => Effect.fail(fromSqlError(error)))
    )
    return {
      pending: pending.map(({ name }) => name),
      applied: applied.map(({ name }) => name),
      unknown: unknown.map(({ name }) => name),
      adopts: adoptions.flatMap(({ told }) => told)
    }
  }
)

/**
 * Applies what is pending when it is built: what is built on it finds the tables there.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, MigrationError, SqlClient.SqlClient> =>
  Layer.effectDiscard(run(options))
