/**
 * @since 0.1.0
 */

/**
 * A partition as its consumer sees it now.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionSnapshot {
  readonly topic: string
  readonly partition: number
  readonly state: "starting" | "active" | "draining"
  /** The next offset to be fetched. */
  readonly position: bigint
  /** The first offset that is not settled. */
  readonly watermark: bigint
  /** As last committed, or found; `undefined` where the group has none. */
  readonly committed: bigint | undefined
  /** The end of the log as the broker last told; `undefined` before the first fetch. */
  readonly highWatermark: bigint | undefined
  readonly queuedRecords: number
  readonly queuedBytes: number
  readonly inFlight: number
  /** The timestamp (ms since 1970) of the oldest record that is not settled; `undefined` where all are. */
  readonly oldestTimestamp: number | undefined
  /** How much of a commit's metadata (at most 4096 bytes) tells of records settled beyond the watermark. */
  readonly metadataBytes: number
  readonly paused: boolean
  readonly backPressured: boolean
  readonly halted: boolean
}
