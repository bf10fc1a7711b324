/**
 * What ends a pipeline for good.
 *
 * @since 0.1.0
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Data from "effect/Data"

/**
 * A policy said `halt`. The record named here is not settled, and neither is anything after it in its order; it comes
 * again at the next start.
 *
 * @category errors
 * @since 0.1.0
 */
export class HaltedError extends Data.TaggedError("HaltedError")<{
  readonly service: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly attempts: number
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.service} halted at ${this.topic}-${this.partition}@${this.offset} after ${this.attempts} attempts: ${
      this.cause instanceof Error ? this.cause.message : String(this.cause)
    }`
  }
}

/**
 * A halt, or a consumer that failed for good: its restart schedule is at its end, or a person must mend something
 * (credentials, permissions, a topic that does not exist).
 *
 * @category models
 * @since 0.1.0
 */
export type PipelineError = HaltedError | KafkaError
