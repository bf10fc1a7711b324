/**
 * What a consumer decides and sees, as plain data. Its log lines are made of the same values.
 *
 * @since 0.1.0
 */
import type { WeftError } from "./WeftError.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Partition {
  readonly topic: string
  readonly partition: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface PartitionOffset extends Partition {
  readonly offset: bigint
}

/**
 * What each kind of event tells.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerEvents {
  /** A join ended: `added` are new to this member, `kept` go on without a gap or a repeat. */
  readonly assigned: {
    readonly memberId: string
    readonly generation: number | undefined
    readonly added: ReadonlyArray<Partition>
    readonly kept: ReadonlyArray<Partition>
  }
  /** A new partition starts to be read. */
  readonly started: PartitionOffset & {
    readonly from: "committed" | "earliest" | "latest" | "seek"
    readonly settledBeyond: number
  }
  /** A rebalance or the end waits for records in flight. */
  readonly draining: { readonly partitions: ReadonlyArray<Partition>; readonly inFlight: number }
  /** The wait is over; what was `abandoned` at the deadline comes again. */
  readonly drained: {
    readonly partitions: ReadonlyArray<Partition>
    readonly durationMs: number
    readonly abandoned: number
  }
  /** Partitions were given up in an orderly way. */
  readonly revoked: { readonly partitions: ReadonlyArray<Partition> }
  /** Partitions were lost with the membership; nothing could be committed. */
  readonly lost: { readonly partitions: ReadonlyArray<Partition> }
  /** This member is no longer in the group. */
  readonly left: { readonly memberId: string; readonly reason: "rejoin" | "shutdown" | "failure" }
  readonly committed: { readonly offsets: ReadonlyArray<PartitionOffset>; readonly durationMs: number }
  readonly commitFailed: { readonly error: WeftError }
  /** The broker takes no longer metadata with a commit: what does not fit is repeated after a restart. */
  readonly metadataLimited: { readonly maxBytes: number }
  /** Work ended after its partition was given up; it was not committed. */
  readonly fenced: Partition & { readonly records: number }
  /** A partition queue is full, or has room again. */
  readonly backPressure: Partition & { readonly paused: boolean; readonly records: number; readonly bytes: number }
  /** The committed offset is missing or outside of the log. */
  readonly offsetReset: Partition & {
    readonly committed: bigint | undefined
    readonly beginning: bigint
    readonly end: bigint
    readonly policy: "earliest" | "latest" | "none"
  }
  /** A partition made no progress for `maxPollIntervalMs`; `offset` is the record that it waits for. */
  readonly stalled: PartitionOffset & {
    readonly ageMs: number
    readonly inFlight: number
    /** Who works on it; of async functions it is not known where they stand. */
    readonly fiber: { readonly id: number; readonly stack: ReadonlyArray<string> } | undefined
  }
  /** A partition that was told to have stalled goes on, after so long. */
  readonly stallEnded: Partition & { readonly ageMs: number }
  /** So much is in flight that nothing more is handed out until some of it is settled. */
  readonly unsettled: { readonly bytes: number }
  /** The client library failed; a fresh one is made after the delay, or never where it is `undefined`. */
  readonly crashed: { readonly error: WeftError; readonly restartInMs: number | undefined }
  /** The client library applies a setting in its own way. */
  readonly settingAdapted: {
    readonly transport: string
    readonly warning: { readonly setting: string; readonly value: unknown; readonly instead: string }
  }
  /** Settings changed while running. */
  readonly reconfigured: { readonly changes: ReadonlyArray<string>; readonly rejoin: boolean }
  /** This member has rejoined with new settings. */
  readonly settingsAccepted: { readonly memberId: string | undefined }
  /** The group did not accept new settings; those before them hold again. */
  readonly settingsRefused: { readonly error: WeftError }
}

/**
 * Any event: its `type`, and what it tells.
 *
 * @category models
 * @since 0.1.0
 */
export type ConsumerEvent = {
  readonly [K in keyof ConsumerEvents]: { readonly type: K } & ConsumerEvents[K]
}[keyof ConsumerEvents]

/**
 * The kinds of events.
 *
 * @category models
 * @since 0.1.0
 */
export type ConsumerEventType = keyof ConsumerEvents
