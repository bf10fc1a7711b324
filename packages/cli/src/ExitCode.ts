/**
 * What `weft` says to scripts when it ends. Data: the help, the handbook and the tests read this table.
 *
 * @since 0.1.0
 */

/**
 * Why a command did not do what was asked.
 *
 * - `Failed`: Kafka or the database refused, or something broke.
 * - `Usage`: the command line or a variable of the environment is not right.
 * - `NotFound`: no such service, group, topic or revision.
 * - `Unavailable`: the database or Kafka cannot be used: away, credentials refused, or not migrated.
 * - `Refused`: nothing was changed, as it would do harm now.
 * - `Findings`: the check ran, and found something.
 *
 * @category models
 * @since 0.1.0
 */
export type FailureKind = "Failed" | "Usage" | "NotFound" | "Unavailable" | "Refused" | "Findings"

/**
 * The exit code of each kind of failure.
 *
 * @category table
 * @since 0.1.0
 */
export const ofKind: { readonly [K in FailureKind]: number } = {
  Failed: 1,
  Usage: 2,
  NotFound: 3,
  Unavailable: 4,
  Refused: 5,
  Findings: 6
}

/**
 * Every exit code with its meaning, in order.
 *
 * @category table
 * @since 0.1.0
 */
export const table: ReadonlyArray<{ readonly code: number; readonly meaning: string }> = [
  { code: 0, meaning: "done; also after --help, --version and --completions" },
  { code: ofKind.Failed, meaning: "failed: Kafka or the database refused, or something broke" },
  { code: ofKind.Usage, meaning: "usage: the command line or an environment variable is not right" },
  { code: ofKind.NotFound, meaning: "not found: no such service, group, topic or revision" },
  {
    code: ofKind.Unavailable,
    meaning: "unavailable: the database or Kafka cannot be used (away, credentials refused, or not migrated)"
  },
  { code: ofKind.Refused, meaning: "refused: nothing was changed, as it would do harm now" },
  { code: ofKind.Findings, meaning: "findings: the check ran, and found something" },
  { code: 130, meaning: "interrupted" }
]
