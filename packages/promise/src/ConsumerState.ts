/**
 * What can be seen of a running consumer.
 *
 * @since 0.1.0
 */

/**
 * Whether the consumer is started, ready and live: the three probes of an orchestrator.
 *
 * @category models
 * @since 0.1.0
 */
export interface Health {
  /** It has joined its group at least once. */
  readonly started: boolean
  /** It is a member of its group now. */
  readonly ready: boolean
  /** `false` once it has failed for good: only a new start will help. */
  readonly live: boolean
  /** Why it is not ready or not live. */
  readonly reason: string | undefined
  /** Partitions that made no progress for `maxPollIntervalMs`, as `topic-partition`. */
  readonly stalled: ReadonlyArray<string>
}

/**
 * Sums since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Totals {
  /** Records settled: processed, skipped or dead-lettered. */
  readonly processed: number
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
 * How far behind a partition is, as last measured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lag {
  readonly topic: string
  readonly partition: number
  /** Records between the first unsettled one and the end of the log. */
  readonly lag: bigint
  /** The age of the oldest unsettled record; 0 where there is none. */
  readonly lagSeconds: number
}
