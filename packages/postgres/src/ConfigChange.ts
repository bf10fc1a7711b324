/**
 * A change of a service's row: what it is asked with, what it comes to, and why it may be refused.
 *
 * @since 0.1.0
 */
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import type * as ConfigRow from "@weft/config/ConfigRow"
import type * as ReloadPlan from "@weft/config/ReloadPlan"
import type * as Resolution from "@weft/config/Resolution"
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Data from "effect/Data"

/**
 * Why nothing was written.
 *
 * - `UnknownSetting`: a name that is no setting, nor `workload_profile` or `description`.
 * - `BadService`: a name that no row can have.
 * - `Refused`: a value that would fall back when it is resolved, or make another value of the row fall back; `issues`
 *   says which and why. `force` writes it all the same.
 * - `BadValue`: a value that the column cannot hold.
 * - `UnknownRevision`: a revision that the service's history does not have.
 * - `MissingTable`: the migrations were not run.
 * - `Database`: the database could not be reached, did not answer in time, or refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConfigChangeError extends Data.TaggedError("ConfigChangeError")<{
  readonly kind:
    | "UnknownSetting"
    | "BadService"
    | "Refused"
    | "BadValue"
    | "UnknownRevision"
    | "MissingTable"
    | "Database"
  readonly message: string
  readonly service?: string | undefined
  readonly issues?: ReadonlyArray<ConfigIssue.ConfigIssue> | undefined
  readonly cause?: unknown
}> {}

/**
 * How a change is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChangeOptions {
  /** Who makes it, for the history. Default: the database's user. */
  readonly actor?: string | undefined
  /** Why, for the history. */
  readonly reason?: string | undefined
  /** Write values that would be refused when they are resolved. Default `false`. */
  readonly force?: boolean | undefined
  /** Only tell what would come of it; refused values are told and no error. Default `false`. */
  readonly dryRun?: boolean | undefined
  /** The profile that the program gives, where it is known: for telling the plan. Default: none. */
  readonly profile?: WorkloadProfile.WorkloadProfile | undefined
}

/**
 * What a change would do to a member that has reported what it runs with.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemberOutcome {
  readonly member: string
  readonly group: string
  /** When the member was last known to live, in milliseconds since 1970. */
  readonly lastSeen: number
  readonly plan: ReloadPlan.ReloadPlan
}

/**
 * What a change came to, or would come to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome {
  readonly service: string
  /** The row before; `undefined` where there was none. */
  readonly before: ConfigRow.Columns | undefined
  /** The row after; `undefined` where there is none. */
  readonly after: ConfigRow.Columns | undefined
  /** What the row becomes for a member without overrides. */
  readonly resolved: Resolution.Resolved
  /** From what it was to what it becomes. */
  readonly plan: ReloadPlan.ReloadPlan
  readonly members: ReadonlyArray<MemberOutcome>
  /** Values that fall back, and did not before; without `force` or `dryRun` there are none. */
  readonly refused: ReadonlyArray<ConfigIssue.ConfigIssue>
  /** False for a dry run, and where the row says so already. */
  readonly isWritten: boolean
  /** The last revision of the row. */
  readonly revision: number | undefined
}
