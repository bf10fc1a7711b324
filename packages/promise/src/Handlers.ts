/**
 * Who handles the records.
 *
 * @since 0.1.0
 */
import type { WeftRecord } from "./WeftRecord.ts"

/**
 * What a handler is given beside its records.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerContext {
  /**
   * Aborted when the handler's outcome no longer matters: its partition was given up, or it outlived the drain deadline.
   */
  readonly signal: AbortSignal
}

/**
 * Who handles the records: one at a time, or batches of one partition. It is done when its promise is; what it throws is
 * the failure of its record, or of its whole batch (see `BatchRecordError`).
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<V, K> =
  | {
    readonly eachRecord: (record: WeftRecord<V, K>, context: HandlerContext) => unknown
    readonly eachBatch?: undefined
  }
  | {
    readonly eachBatch: (records: ReadonlyArray<WeftRecord<V, K>>, context: HandlerContext) => unknown
    readonly eachRecord?: undefined
  }

/**
 * @category models
 * @since 0.1.0
 */
export interface RunOptions {
  /** Aborted, it ends the run in order, as `OptimizedConsumer.close` does. */
  readonly signal?: AbortSignal | undefined
}
