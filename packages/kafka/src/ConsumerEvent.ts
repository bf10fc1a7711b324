/**
 * What a consumer decided or saw, as data. The log line, the metric and the history row are all made of one value, so
 * they never disagree.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { KafkaError } from "./KafkaError.ts"
import type { PartitionOffset, TopicPartition } from "./TopicPartition.ts"
import type { SettingWarning } from "./Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type ConsumerEvent = Data.TaggedEnum<{
  /** A join ended. `added` are new to this member, `kept` go on without a gap or a repeat. */
  Assigned: {
    readonly memberId: string
    readonly generation: number | undefined
    readonly added: ReadonlyArray<TopicPartition>
    readonly kept: ReadonlyArray<TopicPartition>
  }
  /** A new partition starts to be read, at its committed offset or where `auto_offset_reset` says. */
  Started: PartitionOffset & {
    readonly from: "committed" | "earliest" | "latest" | "seek"
    /** Records beyond the offset that are known to be settled and will not be repeated. */
    readonly settledBeyond: number
  }
  /** A rebalance or a shutdown waits for records in flight. */
  Draining: { readonly partitions: ReadonlyArray<TopicPartition>; readonly inFlight: number }
  /** The wait ended; what was still in flight at the deadline will be handed out again. */
  Drained: {
    readonly partitions: ReadonlyArray<TopicPartition>
    readonly durationMs: number
    readonly abandoned: number
  }
  /** Partitions were given up in an orderly way. */
  Revoked: { readonly partitions: ReadonlyArray<TopicPartition> }
  /** Partitions were lost with the membership; nothing could be committed. */
  Lost: { readonly partitions: ReadonlyArray<TopicPartition> }
  /** This member is no longer in the group: to join again with other settings or topics, for good, or by a failure. */
  Left: { readonly memberId: string; readonly reason: "rejoin" | "shutdown" | "failure" }
  Committed: { readonly offsets: ReadonlyArray<PartitionOffset>; readonly durationMs: number }
  /** A commit failed. Retriable ones are tried again; the others wait for the next join. */
  CommitFailed: { readonly error: KafkaError }
  /**
   * The broker takes no longer metadata than this (`offset.metadata.max.bytes`): what does not fit is repeated after a
   * restart.
   */
  MetadataLimited: { readonly maxBytes: number }
  /** Work ended after its partition was given up; it was not committed. */
  Fenced: TopicPartitionOf & { readonly records: number }
  /** A partition queue is full (`paused`), or has room again. */
  BackPressure: TopicPartitionOf & {
    readonly paused: boolean
    readonly records: number
    readonly bytes: number
  }
  /** The committed offset, or the fetch position, is missing or outside of the log. */
  OffsetReset: TopicPartitionOf & {
    readonly committed: bigint | undefined
    readonly beginning: bigint
    readonly end: bigint
    readonly policy: "earliest" | "latest" | "none"
  }
  /**
   * So much was handed out and is not settled that streams hand out nothing more until some of it is
   * (`inFlightMaxBytes`).
   */
  Unsettled: { readonly bytes: number }
  /**
   * A partition made no progress for `max_poll_interval_ms`; `offset` is the record that it waits for. `fiber` is who works
   * on it, and where it stands; `undefined` where nobody does: it waits for its next attempt, or to be taken.
   */
  Stalled: PartitionOffset & {
    readonly ageMs: number
    readonly inFlight: number
    readonly fiber: FiberTrace | undefined
  }
  /** A partition that was told to have stalled has moved, or was sought elsewhere, after so long. */
  StallEnded: TopicPartitionOf & { readonly ageMs: number }
  /** The client library failed; a fresh one is built after the delay, or never where it is `undefined`. */
  Crashed: { readonly error: KafkaError; readonly restartInMs: number | undefined }
  /** The transport applies a setting in its own way. */
  SettingAdapted: { readonly transport: string; readonly warning: SettingWarning }
  /** Settings changed while running. */
  Reconfigured: { readonly changes: ReadonlyArray<string>; readonly rejoin: boolean }
  /** This member has rejoined with new settings. */
  SettingsAccepted: { readonly memberId: string | undefined }
  /** The group did not accept new settings; those before them hold again. */
  SettingsRefused: { readonly error: KafkaError }
}>

/**
 * Where a fiber stands: its number, as in log lines, and what it is in the middle of, the innermost first. Known are
 * functions made by `Effect.fn` and spans, each with the place of its call where that was kept; what is made by
 * `Effect.fnUntraced`, `Effect.gen` or `async` leaves no trace.
 *
 * @category models
 * @since 0.1.0
 */
export interface FiberTrace {
  readonly id: number
  readonly stack: ReadonlyArray<string>
}

interface TopicPartitionOf {
  readonly topic: string
  readonly partition: number
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const ConsumerEvent = Data.taggedEnum<ConsumerEvent>()

interface Line {
  readonly level: "Debug" | "Info" | "Warn" | "Error"
  readonly message: string
}

const names = (partitions: ReadonlyArray<TopicPartition>): string =>
  partitions.length === 0 ? "none" : partitions.map((partition) => partition.key).join(", ")

/**
 * The event in one line, and how loud it is to be logged.
 *
 * @category combinators
 * @since 0.1.0
 */
export const describe: (event: ConsumerEvent) => Line = ConsumerEvent.$match({
  Assigned: (e): Line => ({
    level: "Info",
    message: `assigned: added ${names(e.added)}; kept ${names(e.kept)}; generation ${e.generation ?? "none"}`
  }),
  Started: (e): Line => ({
    level: "Info",
    message: `reading from offset ${e.offset} (${e.from})` +
      (e.settledBeyond > 0 ? `, ${e.settledBeyond} ranges beyond it are settled already` : "")
  }),
  Draining: (e): Line => ({
    level: "Info",
    message: `draining ${e.inFlight} records in flight of ${names(e.partitions)}`
  }),
  Drained: (e): Line => ({
    level: e.abandoned > 0 ? "Warn" : "Info",
    message: e.abandoned > 0
      ? `the drain deadline passed after ${e.durationMs} ms, ${e.abandoned} records will be handed out again`
      : `drained in ${e.durationMs} ms`
  }),
  Revoked: (e): Line => ({ level: "Info", message: `revoked: ${names(e.partitions)}` }),
  Lost: (e): Line => ({ level: "Warn", message: `lost: ${names(e.partitions)}` }),
  Left: (e): Line => ({ level: "Info", message: `left the group (${e.reason})` }),
  Committed: (e): Line => ({
    level: "Debug",
    message: `committed ${e.offsets.map((o) => `${o.topic}-${o.partition}@${o.offset}`).join(", ")}`
  }),
  CommitFailed: (e): Line => ({ level: "Warn", message: e.error.message }),
  MetadataLimited: (e): Line => ({
    level: "Warn",
    message: e.maxBytes === 0
      ? "the broker takes no metadata with commits: what is settled out of order is repeated after a restart"
      : `the broker takes no more than ${e.maxBytes} bytes of metadata with a commit: ` +
        "of what is settled out of order, the rest is repeated after a restart"
  }),
  Fenced: (e): Line => ({
    level: "Warn",
    message: `${e.records} records ended after their partition was given up; they are not committed`
  }),
  BackPressure: (e): Line => ({
    level: "Debug",
    message: `${e.paused ? "paused" : "resumed"} with ${e.records} records, ${e.bytes} bytes waiting`
  }),
  // A group that begins has no offsets yet: that is no reason to worry.
  OffsetReset: (e): Line => ({
    level: e.committed === undefined && e.policy !== "none" ? "Info" : "Warn",
    message: (e.committed === undefined
      ? `the group has no committed offset; the log holds ${e.beginning} to ${e.end}`
      : `the offset ${e.committed} is outside of the log, which holds ${e.beginning} to ${e.end}`) +
      `; auto_offset_reset is ${e.policy}`
  }),
  Stalled: (e): Line => ({
    level: "Error",
    message: `no progress for ${e.ageMs} ms at offset ${e.offset}, ${e.inFlight} records in flight` +
      (e.fiber === undefined ? "" : `; fiber #${e.fiber.id}: ${e.fiber.stack.join(" < ") || "nothing is known of it"}`)
  }),
  StallEnded: (e): Line => ({ level: "Info", message: `goes on after ${e.ageMs} ms` }),
  Unsettled: (e): Line => ({
    level: "Warn",
    message:
      `${e.bytes} bytes of records were handed out and are not settled: nothing more is handed out until some are`
  }),
  Crashed: (e): Line => ({
    level: "Error",
    message: `${e.error.message}; ` +
      (e.restartInMs === undefined ? "giving up" : `starting afresh in ${e.restartInMs} ms`)
  }),
  SettingAdapted: (e): Line => ({
    level: "Warn",
    message: `${e.transport} cannot apply ${e.warning.setting} = ${String(e.warning.value)}: ${e.warning.instead}`
  }),
  Reconfigured: (e): Line => ({
    level: "Info",
    message: `settings changed${e.rejoin ? ", rejoining" : ""}: ${e.changes.join("; ")}`
  }),
  SettingsAccepted: (): Line => ({ level: "Info", message: "rejoined with the new settings" }),
  SettingsRefused: (e): Line => ({
    level: "Error",
    message: `the new settings were refused, going back to those before: ${e.error.message}`
  })
})
