/**
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * Failing with this, a `processBatch` says which record failed: those before `index` are done and settled, the record
 * itself goes to the policy for `cause`, and those after it are processed again without it.
 *
 * @category errors
 * @since 0.1.0
 */
export class BatchRecordError<E = unknown> extends Data.TaggedError("BatchRecordError")<{
  /** The index in the array that `processBatch` was given. */
  readonly index: number
  readonly cause: E
}> {
  override get message(): string {
    return `record ${this.index} of the batch failed: ${
      this.cause instanceof Error ? this.cause.message : String(this.cause)
    }`
  }
}
