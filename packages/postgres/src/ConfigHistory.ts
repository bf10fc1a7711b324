/**
 * The history of configurations: every change of a service's row, and the way back to an earlier one.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigChangeError, type ChangeOptions, type Outcome } from "./ConfigChange.ts"
import * as RowChange from "./internal/rowChange.ts"
import * as RowEdit from "./internal/rowEdit.ts"

/**
 * A change of a row.
 *
 * @category models
 * @since 0.1.0
 */
export interface Revision {
  readonly service: string
  /** Counts the changes of the service, from 1. */
  readonly revision: number
  readonly operation: "INSERT" | "UPDATE" | "DELETE"
  /** The row before; `undefined` where there was none. */
  readonly oldRow: ConfigRow.Columns | undefined
  /** The row after; `undefined` where there is none. */
  readonly newRow: ConfigRow.Columns | undefined
  /** What differs, by column, times left out; `null` is left out. */
  readonly changes: ReadonlyArray<{ readonly column: string; readonly from: unknown; readonly to: unknown }>
  readonly changedBy: string
  readonly reason: string | undefined
  /** In milliseconds since 1970. */
  readonly changedAt: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  /** At most so many. Default 50. */
  readonly limit?: number | undefined
  /** Only revisions before this one. */
  readonly before?: number | undefined
}

/**
 * Reads the history, and goes back in it. Everything is answered within 15 seconds or fails with a `ConfigChangeError`.
 *
 * @category services
 * @since 0.1.0
 */
export class ConfigHistory extends Context.Service<ConfigHistory, {
  /** The revisions of a service, newest first. */
  readonly list: (service: string, options?: ListOptions) => Effect.Effect<ReadonlyArray<Revision>, ConfigChangeError>
  /**
   * Makes the row what it was after that revision, as a new revision; after a DELETE there was none. Values that are
   * refused today need `force`. Fails with `UnknownRevision` where the history does not have it.
   */
  readonly revert: (
    service: string,
    revision: number,
    options?: ChangeOptions
  ) => Effect.Effect<Outcome, ConfigChangeError>
}>()("@weft/postgres/ConfigHistory") {}

interface Stored {
  readonly revision: number
  readonly operation: Revision["operation"]
  readonly old_row: ConfigRow.Columns | null
  readonly new_row: ConfigRow.Columns | null
  readonly changed_by: string
  readonly reason: string | null
  readonly changed_at_ms: number
}

const revisionOf = (service: string) => (stored: Stored): Revision => ({
  service,
  revision: stored.revision,
  operation: stored.operation,
  oldRow: stored.old_row ?? undefined,
  newRow: stored.new_row ?? undefined,
  changes: RowEdit.differences(stored.old_row, stored.new_row),
  changedBy: stored.changed_by,
  reason: stored.reason ?? undefined,
  changedAt: stored.changed_at_ms
})

/** A number that no revision has stays within what the database can compare. */
const asRevision = (revision: number) => Number.isInteger(revision) && Math.abs(revision) < 2 ** 31 ? revision : -1

/**
 * The history that the trigger of migration 0042 keeps.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ConfigHistory, never, PgClient.PgClient> = Layer.effect(
  ConfigHistory,
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    return ConfigHistory.of({
      list: (service, { before, limit = 50 } = {}) =>
        Effect.andThen(
          RowChange.checkService(service),
          Effect.map(
            sql<Stored>`
              SELECT
                revision, operation, old_row, new_row, changed_by, reason,
                (extract(epoch FROM changed_at) * 1000)::double precision AS changed_at_ms
              FROM consumer_config_history
              WHERE service_name = ${service}
                AND ${before === undefined ? sql`TRUE` : sql`revision < ${asRevision(before)}`}
              ORDER BY revision DESC LIMIT ${Math.max(0, Math.min(Math.trunc(limit) || 0, 10_000))}`,
            (rows) => rows.map(revisionOf(service))
          )
        ).pipe(RowChange.asking(service)),

      revert: (service, revision, options = {}) => {
        const target = Effect.gen(function*() {
          const [found] = yield* sql<Pick<Stored, "new_row">>`
            SELECT new_row FROM consumer_config_history
            WHERE service_name = ${service} AND revision = ${asRevision(revision)}`
          if (found === undefined) {
            return yield* new ConfigChangeError({
              kind: "UnknownRevision",
              service,
              message: `the history has no revision ${revision} of this service`
            })
          }
          const row = found.new_row
          if (row === null) return { _tag: "Remove" } as const
          const parsed = RowEdit.parse(Object.fromEntries(RowEdit.columns.map((column) => [column, row[column]])))
          return parsed._tag === "Edit"
            ? { _tag: "Set", edit: parsed.edit } as const
            : yield* new ConfigChangeError({ kind: parsed._tag, service, message: parsed.message })
        })
        const reason = options.reason ?? `back to revision ${revision}`
        return RowChange.changeRows(sql, [{ service, decide: () => target }], { ...options, reason }).pipe(
          Effect.map((outcomes) => outcomes[0]!)
        )
      }
    })
  })
)
