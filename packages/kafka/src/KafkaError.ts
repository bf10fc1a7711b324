/**
 * Everything that can fail, as one union of tagged errors that carry facts. `Effect.catchTag` tells them apart.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import type { PartitionOffset } from "./TopicPartition.ts"

/**
 * No broker answered at the given addresses, or the connection to the one needed broke.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionError extends Data.TaggedError("ConnectionError")<{
  readonly brokers: ReadonlyArray<string>
  readonly cause: unknown
}> {
  override get message(): string {
    return `no Kafka broker answers at ${this.brokers.join(", ")}: ${describe(this.cause)}`
  }
}

/**
 * The brokers refused the credentials or the client's certificate, offer no mechanism that fits, speak TLS where this side
 * does not, or showed a certificate that it does not accept. Trying again does not help.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthenticationError extends Data.TaggedError("AuthenticationError")<{
  readonly cause: unknown
}> {
  override get message(): string {
    return `authentication with Kafka failed: ${describe(this.cause)}`
  }
}

/**
 * The principal may not do this to the named topic, group or cluster (an ACL is missing).
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationError extends Data.TaggedError("AuthorizationError")<{
  readonly resource: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `not authorised for ${this.resource}: ${describe(this.cause)}`
  }
}

/**
 * The topic, or the partition, does not exist (and nothing creates it).
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownTopicError extends Data.TaggedError("UnknownTopicError")<{
  readonly topic: string
  readonly partition?: number | undefined
}> {
  override get message(): string {
    return this.partition === undefined
      ? `topic "${this.topic}" does not exist`
      : `topic "${this.topic}" has no partition ${this.partition}`
  }
}

/**
 * The group's coordinator refused: another protocol, a session out of its bounds, the group is full, and the like.
 *
 * @category errors
 * @since 0.1.0
 */
export class GroupError extends Data.TaggedError("GroupError")<{
  readonly groupId: string
  /** Kafka's own name of the error code, such as `INCONSISTENT_GROUP_PROTOCOL`. */
  readonly code: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `consumer group "${this.groupId}": ${this.code}: ${describe(this.cause)}`
  }
}

/**
 * The broker took no commit: the member is no longer of this generation, or the commit kept failing. Nothing is lost;
 * what was not committed will be handed out again.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommitError extends Data.TaggedError("CommitError")<{
  /** Those that were not committed; of what was asked for besides, the broker has taken all. */
  readonly offsets: ReadonlyArray<PartitionOffset>
  /** Kafka's own name of the error code where there is one. */
  readonly code: string
  readonly retriable: boolean
  readonly cause: unknown
}> {
  override get message(): string {
    const at = this.offsets.map((o) => `${o.topic}-${o.partition}@${o.offset}`).join(", ")
    return `commit of ${at} failed with ${this.code}: ${describe(this.cause)}`
  }
}

/**
 * The offset belongs to an assignment that ended: the partition was revoked or lost, so it is not ours to commit. The
 * record will be handed out again by its new owner. The broker itself would accept such a commit; the fence is ours.
 *
 * @category errors
 * @since 0.1.0
 */
export class FencedError extends Data.TaggedError("FencedError")<{
  readonly offsets: ReadonlyArray<PartitionOffset>
}> {
  override get message(): string {
    const at = this.offsets.map((o) => `${o.topic}-${o.partition}@${o.offset}`).join(", ")
    return `not committed, the partition was given up meanwhile: ${at}`
  }
}

/**
 * `auto_offset_reset` is `none`, and the group has no committed offset for the partition, or one that the log no longer
 * holds.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoOffsetError extends Data.TaggedError("NoOffsetError")<{
  readonly topic: string
  readonly partition: number
  /** The committed offset that is out of range; `undefined` where there was none. */
  readonly committed: bigint | undefined
  readonly beginning: bigint
  readonly end: bigint
}> {
  override get message(): string {
    const what = this.committed === undefined
      ? "no committed offset"
      : `the committed offset ${this.committed} is out of range`
    return `${this.topic}-${this.partition}: ${what}, the log holds ${this.beginning} to ${this.end}, ` +
      `and auto_offset_reset is "none"`
  }
}

/**
 * A record could not be written; the producer knows of no acknowledgement.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProduceError extends Data.TaggedError("ProduceError")<{
  readonly topic: string
  readonly partition: number | undefined
  /** Kafka's own name of the error code where there is one, such as `MESSAGE_TOO_LARGE`. */
  readonly code: string
  readonly retriable: boolean
  readonly cause: unknown
}> {
  override get message(): string {
    const to = this.partition === undefined ? this.topic : `${this.topic}-${this.partition}`
    return `writing to ${to} failed with ${this.code}: ${describe(this.cause)}`
  }
}

/**
 * A setting that cannot be used, by itself or together with another.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidSettingError extends Data.TaggedError("InvalidSettingError")<{
  readonly setting: string
  readonly value: unknown
  readonly reason: string
}> {
  override get message(): string {
    return `${this.setting}: ${String(this.value)} ${this.reason}`
  }
}

/**
 * The transport cannot do what was asked of it.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedError extends Data.TaggedError("UnsupportedError")<{
  readonly transport: string
  readonly feature: string
}> {
  override get message(): string {
    return `the ${this.transport} transport does not support ${this.feature}`
  }
}

/**
 * The client library died or fell silent. The consumer builds a fresh one under its restart schedule; this error is
 * seen only where that schedule is at its end.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly transport: string
  readonly reason: string
  /** Whether a fresh client may succeed. */
  readonly retriable: boolean
  readonly cause: unknown
}> {
  override get message(): string {
    return `the ${this.transport} transport failed (${this.reason}): ${describe(this.cause)}`
  }
}

/**
 * A record batch whose bytes are not what they say they are: damaged on a disk or on the way, or written by a broken
 * program. Nothing of it was handed out, and nothing after it can be before someone moves the group's offset beyond it.
 *
 * @category errors
 * @since 0.1.0
 */
export class CorruptRecordBatchError extends Data.TaggedError("CorruptRecordBatchError")<{
  readonly topic: string
  readonly partition: number
  /** Where the consumer stands: the first offset that it could not read. */
  readonly offset: bigint
  readonly reason: string
}> {
  override get message(): string {
    return `${this.topic}-${this.partition}@${this.offset}: the record batch is corrupt: ${this.reason}`
  }
}

/**
 * A record batch that is whole, but compressed in a way that this program has nothing to undo with.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedRecordBatchError extends Data.TaggedError("UnsupportedRecordBatchError")<{
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Kafka's name of the compression type, or its number where it is none that we know. */
  readonly compression: string
}> {
  override get message(): string {
    return `${this.topic}-${this.partition}@${this.offset}: there is nothing to decompress ${this.compression} with`
  }
}

/**
 * A partition made no progress for `max_poll_interval_ms`, and the stall policy is to leave the group.
 *
 * @category errors
 * @since 0.1.0
 */
export class StalledError extends Data.TaggedError("StalledError")<{
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly ageMs: number
}> {
  override get message(): string {
    return `${this.topic}-${this.partition} is stuck at offset ${this.offset} for ${this.ageMs} ms`
  }
}

/**
 * An admin request that the cluster refused, with Kafka's own name of the error code.
 *
 * @category errors
 * @since 0.1.0
 */
export class AdminError extends Data.TaggedError("AdminError")<{
  readonly operation: string
  readonly code: string
  readonly retriable: boolean
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.operation} failed with ${this.code}: ${describe(this.cause)}`
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export type KafkaError =
  | ConnectionError
  | AuthenticationError
  | AuthorizationError
  | UnknownTopicError
  | GroupError
  | CommitError
  | FencedError
  | NoOffsetError
  | ProduceError
  | InvalidSettingError
  | UnsupportedError
  | TransportError
  | StalledError
  | CorruptRecordBatchError
  | UnsupportedRecordBatchError
  | AdminError

/**
 * Whether the same attempt, made again later, may succeed. What a person must mend first (credentials, permissions, a
 * topic that does not exist, a setting) is not retriable.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isRetriable = (error: KafkaError): boolean => {
  switch (error._tag) {
    case "ConnectionError":
      return true
    case "CommitError":
    case "ProduceError":
    case "TransportError":
    case "AdminError":
      return error.retriable
    case "GroupError":
      return retriableGroupCodes.has(error.code)
    case "AuthenticationError":
    case "AuthorizationError":
    case "UnknownTopicError":
    case "FencedError":
    case "NoOffsetError":
    case "InvalidSettingError":
    case "UnsupportedError":
    case "StalledError":
    case "CorruptRecordBatchError":
    case "UnsupportedRecordBatchError":
      return false
  }
}

const retriableGroupCodes: ReadonlySet<string> = new Set([
  "COORDINATOR_NOT_AVAILABLE",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_COORDINATOR_NOT_FOUND",
  "NOT_COORDINATOR",
  "NOT_COORDINATOR_FOR_GROUP",
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "REBALANCE_IN_PROGRESS",
  "MEMBER_ID_REQUIRED",
  "REQUEST_TIMED_OUT"
])

/** A cause in one line: an error's message without its stack, anything else as text. Never throws. */
const describe = (cause: unknown): string =>
  cause instanceof Error
    ? cause.message
    : typeof cause === "object" && cause !== null
    ? Inspectable.toStringUnknown(cause)
    : String(cause)
