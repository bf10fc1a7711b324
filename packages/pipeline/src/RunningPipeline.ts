/**
 * @since 0.1.0
 */
import type { Resolved } from "@weft/config/Resolution"
import type { Consumer } from "@weft/kafka/Consumer"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Health } from "./Health.ts"
import type { PartitionLag } from "./LagMonitor.ts"
import type { PipelineError } from "./PipelineError.ts"

/**
 * Sums since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Totals {
  /** Records settled: processed, skipped or dead-lettered. */
  readonly processed: number
  /** Bytes of the records taken in. */
  readonly bytes: number
  /** Attempts after the first. */
  readonly retries: number
  /** Attempts that failed. */
  readonly failures: number
  readonly skipped: number
  readonly deadLetters: number
  /** Records taken from the partition queues and not settled, now. */
  readonly inFlight: number
}

/**
 * A pipeline that runs: what can be seen of it, and how to stop it. It stops with its scope, too.
 *
 * @category services
 * @since 0.1.0
 */
export class RunningPipeline extends Context.Service<RunningPipeline, {
  readonly service: string
  /** Its member of the consumer group: assignment, events, snapshot, pause and resume. */
  readonly consumer: Consumer["Service"]
  /** The configuration that is applied now, with the provenance of each value. */
  readonly configuration: Effect.Effect<Resolved>
  readonly health: Effect.Effect<Health>
  readonly totals: Effect.Effect<Totals>
  /** The lag of its partitions, as last measured. */
  readonly lag: Effect.Effect<ReadonlyArray<PartitionLag>>
  /**
   * Changes how much it does at the same time, in place. It holds whatever the configuration says, until `undefined` gives
   * it back; 0 is as in the settings.
   */
  readonly tune: (options: {
    readonly concurrency?: number | undefined
    readonly maxInFlight?: number | undefined
  }) => Effect.Effect<void>
  /** Waits until the pipeline fails for good, and fails with that. */
  readonly failure: Effect.Effect<never, PipelineError>
  /**
   * Stops fetching, lets in-flight work finish up to the drain deadline, commits, and leaves the group; answers when it
   * has left.
   */
  readonly shutdown: Effect.Effect<void>
}>()("@weft/pipeline/RunningPipeline") {}
