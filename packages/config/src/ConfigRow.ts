/**
 * What a source of configurations, such as a database, has to say about a service: values of unknown types, as they
 * were found.
 *
 * @since 0.1.0
 */
import type * as ConfigIssue from "./ConfigIssue.ts"

/**
 * The columns of a row by SQL name, as a database would give them.
 *
 * @category models
 * @since 0.1.0
 */
export type Columns = { readonly [column: string]: unknown }

/**
 * What the source knows of workload profiles: the rule that the service's name matches, and rows of the table of
 * profiles by name (at least those that the row, the rule or the code may name).
 *
 * @category models
 * @since 0.1.0
 */
export interface ProfileTable {
  readonly rule?: { readonly pattern: string; readonly profile: string } | undefined
  readonly profiles?: { readonly [name: string]: Columns } | undefined
}

interface Found {
  readonly table?: ProfileTable | undefined
  /** The last revision of the row in the history of configurations, where one is kept. */
  readonly revision?: number | undefined
}

/**
 * - `Row`: the row of the service.
 * - `NoRow`: none, and the reason why.
 * - `LastKnownGood`: none can be read, for a `reason`; this is what was read last, before the process started.
 *
 * @category models
 * @since 0.1.0
 */
export type RowResult =
  | { readonly _tag: "Row"; readonly columns: Columns } & Found
  | { readonly _tag: "NoRow"; readonly reason: ConfigIssue.NoRow } & Found
  | {
    readonly _tag: "LastKnownGood"
    readonly columns: Columns
    readonly reason: ConfigIssue.NoRow
    /** When it was saved, in milliseconds since 1970. */
    readonly savedAt: number
  } & Found

/**
 * Whether the source could not be asked, as opposed to having no row.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isOutage = (row: RowResult): boolean => row._tag === "NoRow" && row.reason._tag !== "MissingRow"
