/**
 * What keeps the tables of metrics small: hours in place of old rows, partitions made ahead and dropped.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import * as Storage from "./internal/metricsStorage.ts"
import { type MetricsTable, metricsTables } from "./internal/metricsTables.ts"
import { detailOf, isOlderSchema, sqlStateOf } from "./internal/sqlFault.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long rows are kept. Whole days (in UTC) go at once, so that what is there is up to a day older. Default 7 days.
   */
  readonly retention?: Duration.Input | undefined
  /** How long the hours are kept that stay of them. Default 90 days. */
  readonly hourRetention?: Duration.Input | undefined
  /** How often the job runs, whoever of the members runs it. Default 1 hour. */
  readonly every?: Duration.Input | undefined
}

/**
 * What was done with a table.
 *
 * @category models
 * @since 0.1.0
 */
export interface TableReport {
  readonly table: string
  /** `done`; or nothing was done, as the last run is not long enough ago (`not due`) or another runs now (`elsewhere`). */
  readonly outcome: "done" | "not due" | "elsewhere"
  readonly partitionsMade: number
  /** Hours written, those that were there and were written anew included. */
  readonly hoursSummed: number
  /** Names of the partitions (or chunks) that were dropped. */
  readonly partitionsDropped: ReadonlyArray<string>
  /** Old rows that were in no partition of a day. */
  readonly rowsDeleted: number
  readonly hoursDeleted: number
}

/**
 * The job did not come to its end. What it had done with other tables stays done, and the next run goes on from there.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricsMaintenanceError extends Data.TaggedError("MetricsMaintenanceError")<{
  /** `Rights`: only the owner of the tables may make and drop partitions. `Schema`: migration 0047 has not run. */
  readonly kind: "Rights" | "Schema" | "Database"
  readonly table: string
  readonly message: string
  readonly cause: unknown
}> {}

const failed = (table: string) => (cause: SqlError) => {
  const told = (kind: MetricsMaintenanceError["kind"], message: string) =>
    new MetricsMaintenanceError({ kind, table, cause, message: `${table} cannot be kept: ${message}` })
  if (isOlderSchema(cause)) return told("Schema", `run weft migrate: ${detailOf(cause)}`)
  return sqlStateOf(cause) === "42501"
    ? told("Rights", `the job needs the owner of the tables: ${detailOf(cause)}`)
    : told("Database", detailOf(cause))
}

const seconds = (duration: Duration.Input) => Duration.toSeconds(Duration.fromInputUnsafe(duration))

const nothing = (table: string, outcome: TableReport["outcome"]): TableReport => ({
  table,
  outcome,
  partitionsMade: 0,
  hoursSummed: 0,
  partitionsDropped: [],
  rowsDeleted: 0,
  hoursDeleted: 0
})

const keep = Effect.fnUntraced(
  function*(sql: PgClient.PgClient, table: MetricsTable, options: Options, isForced: boolean) {
    const claimed = yield* Storage.claim(sql, table, isForced ? 0 : seconds(options.every ?? "1 hour"))
    if (claimed !== "claimed") return nothing(table.name, claimed)
    const retention = seconds(options.retention ?? "7 days")
    const steps = Effect.gen(function*() {
      const storage = yield* Storage.readStorage(sql, table, retention)
      const partitionsMade = storage.kind === "partitions" ? yield* Storage.addPartitions(sql, table, retention) : 0
      const summed = yield* Storage.sumHours(sql, table)
      const dropped = yield* Effect.forEach(storage.expired, (partition) => Storage.drop(sql, table, partition))
      const rest = yield* Storage.deleteRest(sql, table, storage, retention)
      const hoursDeleted = yield* Storage.deleteHours(sql, table, seconds(options.hourRetention ?? "90 days"))
      return {
        table: table.name,
        outcome: "done",
        partitionsMade,
        hoursSummed: dropped.reduce((sum, { hours }) => sum + hours, summed + rest.hours),
        partitionsDropped: [...dropped.map(({ name }) => name), ...rest.chunks],
        rowsDeleted: rest.rows,
        hoursDeleted
      } satisfies TableReport
    })
    // Whoever comes next need not wait until it would be due again.
    return yield* Effect.onError(steps, () => Effect.ignore(Storage.unclaim(sql, table)))
  }
)

const runWith = Effect.fnUntraced(function*(options: Options, isForced: boolean) {
  const sql = yield* PgClient.PgClient
  return yield* Effect.forEach(
    metricsTables,
    (table) => Effect.mapError(keep(sql, table, options, isForced), failed(table.name))
  )
})

/**
 * Runs the job now, and answers what it did, table by table. Of several runs at once one works on a table, under an
 * advisory lock; the others answer `elsewhere`.
 *
 * - The hours that have ended are summed up: counts are sums, and histograms of processing times are added up. An hour is
 *   summed once more when its rows go, so that it holds those that arrived late, too.
 * - Partitions of the next three days are made.
 * - Partitions whose days are all older than `retention` are dropped, and hours older than `hourRetention` are deleted.
 *   TimescaleDB's chunks are dropped in the same way where the tables are hypertables.
 *
 * All times are those of the database's clock, all days and hours those of UTC. Each step is a transaction of its own that
 * waits for a lock on a table for 3 seconds at most, so that no writer waits longer for it.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (
  options: Options = {}
): Effect.Effect<ReadonlyArray<TableReport>, MetricsMaintenanceError, PgClient.PgClient> => runWith(options, true)

/**
 * The same, unless another process has run the job less than `every` ago: of many members that ask, one runs it.
 *
 * @category running
 * @since 0.1.0
 */
export const runIfDue = (
  options: Options = {}
): Effect.Effect<ReadonlyArray<TableReport>, MetricsMaintenanceError, PgClient.PgClient> => runWith(options, false)

/**
 * Runs the job for ever, every `every`, unless another process has run it by then; that it fails is logged.
 *
 * @category running
 * @since 0.1.0
 */
export const keepRunning = Effect.fnUntraced(
  function*(options: Options = {}): Effect.fn.Return<never, never, PgClient.PgClient> {
    const askEvery = Duration.millis(Duration.toMillis(Duration.fromInputUnsafe(options.every ?? "1 hour")) / 4)
    let told = ""
    const tell = (error: MetricsMaintenanceError) => {
      if (error.message === told) return Effect.void
      told = error.message
      return Effect.logInfo(error.message)
    }
    yield* Effect.sleep(Duration.seconds(yield* Random.nextBetween(30, 90)))
    while (true) {
      const done = yield* runIfDue(options).pipe(
        Effect.timeoutOption("30 minutes"),
        Effect.map(Option.getOrElse((): ReadonlyArray<TableReport> => [])),
        Effect.catch((error) => Effect.as(tell(error), []))
      )
      for (const { partitionsDropped, table } of done) {
        if (partitionsDropped.length > 0) yield* Effect.logInfo(`${table}: dropped ${partitionsDropped.join(", ")}`)
      }
      yield* Effect.sleep(Duration.times(askEvery, yield* Random.nextBetween(0.8, 1.2)))
    }
  }
)
