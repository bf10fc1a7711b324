/**
 * Everything that a promise of this package rejects with: one class for each kind, each with a `code` for programs and
 * a message for people.
 *
 * @since 0.1.0
 */

/**
 * What is common to all: `code` says what happened, `retriable` whether the same attempt may succeed later. `cause` is
 * the error underneath, where there is one.
 *
 * @category errors
 * @since 0.1.0
 */
export abstract class WeftError extends Error {
  abstract readonly code: string
  readonly retriable: boolean
  constructor(message: string, options: { readonly cause?: unknown; readonly retriable?: boolean | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.retriable = options.retriable ?? false
  }
}

/**
 * An option, or a variable of the environment, that cannot be used. It is found before anything connects.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOptionError extends WeftError {
  readonly code = "INVALID_OPTION"
  /** The option's name, such as `brokers`. */
  readonly option: string
  constructor(option: string, reason: string) {
    super(`${option} ${reason}`)
    this.option = option
  }
}

/**
 * The database is away, does not answer in time, or has no tables of Weft. Consumers go on without it; what only the
 * database knows cannot be answered.
 *
 * @category errors
 * @since 0.1.0
 */
export class DatabaseFailedError extends WeftError {
  readonly code = "DATABASE_FAILED"
  constructor(message: string, cause: unknown) {
    super(message, { cause, retriable: true })
  }
}

/**
 * What Kafka, or the client library, could not or would not do.
 *
 * @category models
 * @since 0.1.0
 */
export type KafkaErrorCode =
  /** No broker answers. */
  | "CONNECTION_FAILED"
  /** The credentials were refused. */
  | "AUTHENTICATION_FAILED"
  /** An ACL is missing. */
  | "NOT_AUTHORIZED"
  /** The topic, or the partition, does not exist. */
  | "UNKNOWN_TOPIC"
  /** The group's coordinator refused the member. */
  | "GROUP_REFUSED"
  /** The broker took no commit; the records will come again. */
  | "COMMIT_FAILED"
  /** The partition was given up before the record was settled; it will come again, to its new owner. */
  | "FENCED"
  /** `autoOffsetReset` is `none`, and there is no offset to begin with. */
  | "NO_OFFSET"
  /** A record is not known to be written. */
  | "SEND_FAILED"
  /** A setting that the client cannot run with. */
  | "INVALID_SETTING"
  /** The client library cannot do this at all. */
  | "UNSUPPORTED"
  /** The client library died or fell silent, and the attempts to start it afresh are used up. */
  | "CLIENT_FAILED"
  /** A record batch is damaged; somebody has to move the group beyond it. */
  | "CORRUPT_RECORDS"
  /** A record batch is compressed in a way that nothing here can undo. */
  | "UNSUPPORTED_RECORDS"
  /** A partition made no progress for `maxPollIntervalMs`, and the policy is to leave the group. */
  | "STALLED"
  /** An admin request was refused. */
  | "ADMIN_FAILED"

/**
 * Kafka failed, in the way that `code` says.
 *
 * @category errors
 * @since 0.1.0
 */
export class KafkaFailedError extends WeftError {
  readonly code: KafkaErrorCode
  constructor(
    code: KafkaErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retriable: boolean }
  ) {
    super(message, options)
    this.code = code
  }
}

/**
 * The policy for a failure is `halt`, and a record failed: it is not settled, and comes again at the next start.
 * `cause` is what the handler threw.
 *
 * @category errors
 * @since 0.1.0
 */
export class HaltedError extends WeftError {
  readonly code = "HALTED"
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** How often the record was attempted. */
  readonly attempts: number
  constructor(at: {
    readonly topic: string
    readonly partition: number
    readonly offset: bigint
    readonly attempts: number
    readonly message: string
    readonly cause: unknown
  }) {
    super(at.message, { cause: at.cause })
    this.topic = at.topic
    this.partition = at.partition
    this.offset = at.offset
    this.attempts = at.attempts
  }
}

/**
 * Bytes that the decoder does not accept. Such records go to the dead-letter topic unless `onFailure.DecodeError` says
 * otherwise; as an error it is seen as the cause of a {@link HaltedError}.
 *
 * @category errors
 * @since 0.1.0
 */
export class DecodeError extends WeftError {
  readonly code = "DECODE_FAILED"
  readonly part: "key" | "value"
  constructor(part: "key" | "value", message: string, cause: unknown) {
    super(message, { cause })
    this.part = part
  }
}

/**
 * The consumer is closed, or is used in two ways at once.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConsumerStateError extends WeftError {
  readonly code: "CLOSED" | "ALREADY_RUNNING"
  constructor(code: "CLOSED" | "ALREADY_RUNNING", message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Thrown by an `eachBatch` handler, it says which record failed: those before `index` are done and settled, the record
 * itself goes to the policy for `cause`, and those after it are processed again without it.
 *
 * @category errors
 * @since 0.1.0
 */
export class BatchRecordError extends WeftError {
  readonly code = "BATCH_RECORD_FAILED"
  readonly index: number
  constructor(index: number, cause: unknown) {
    super(`record ${index} of the batch failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.index = index
  }
}
