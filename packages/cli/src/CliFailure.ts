/**
 * Why a command did not do what was asked, in words for the person who typed it.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as ExitCode from "./ExitCode.ts"

/**
 * A failure with what to do next. Messages never hold a password.
 *
 * @category errors
 * @since 0.1.0
 */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly kind: ExitCode.FailureKind
  readonly message: string
  /** Names that were perhaps meant. */
  readonly near?: ReadonlyArray<string> | undefined
  /** What to do, or to look at, next. */
  readonly next?: string | undefined
}> {}
