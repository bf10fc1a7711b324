/**
 * What went wrong between a client and its brokers, whatever the client library wrapped it in, and the typed errors that
 * become of it by what was being done.
 *
 * @since 0.1.0
 */
import {
  AdminError,
  AuthenticationError,
  AuthorizationError,
  CommitError,
  ConnectionError,
  GroupError,
  type KafkaError,
  ProduceError,
  TransportError,
  UnknownTopicError,
  UnsupportedError
} from "@weft/kafka/KafkaError"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"
import { codes, type ErrorCode, errorCode } from "./ErrorCode.ts"

/**
 * What went wrong, whatever it was wrapped in.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure =
  | { readonly _tag: "Protocol"; readonly code: ErrorCode; readonly cause: unknown }
  /** Refused, closed, timed out, or no broker known: the same request elsewhere or later may succeed. */
  | { readonly _tag: "Connection"; readonly cause: unknown }
  | { readonly _tag: "Authentication"; readonly cause: unknown }
  | { readonly _tag: "Unsupported"; readonly feature: string; readonly cause: unknown }
  | { readonly _tag: "Other"; readonly cause: unknown }

/**
 * An error code that came inside an answer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protocolFailure = (code: number): Failure => {
  const known = errorCode(code)
  return { _tag: "Protocol", code: known, cause: new Error(`error code ${known.code} of the broker`) }
}

/**
 * A broker that said nothing for so long.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noAnswer = (afterMs: number): Failure => ({
  _tag: "Connection",
  cause: new Error(`no answer within ${afterMs} ms`)
})

/**
 * What the broker's error code or the kind of failure is called, for errors that carry a code.
 *
 * @category getters
 * @since 0.1.0
 */
export const codeOf = (failure: Failure): string => {
  switch (failure._tag) {
    case "Protocol":
      return failure.code.name
    case "Connection":
      return "CONNECTION"
    case "Authentication":
      return "SASL_AUTHENTICATION_FAILED"
    case "Unsupported":
      return "UNSUPPORTED"
    case "Other":
      return "UNKNOWN"
  }
}

/**
 * Whether the same request, made again later or elsewhere, may succeed.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isRetriableFailure = (failure: Failure): boolean =>
  failure._tag === "Connection" || (failure._tag === "Protocol" && failure.code.retriable)

/**
 * Whether the broker does not know the topic, or never will by that name.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isUnknownTopic = (failure: Failure): boolean =>
  failure._tag === "Protocol" &&
  (failure.code.code === codes.unknownTopicOrPartition || failure.code.code === codes.invalidTopic)

const authentication: ReadonlySet<string> = new Set([
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
  "SASL_AUTHENTICATION_FAILED"
])

const groupCodes: ReadonlySet<number> = new Set([14, 15, 16, 22, 23, 24, 25, 26, 27, 68, 69, 79, 81, 82, 86, 110, 113])

/**
 * Who was asked, and what about: for the errors, and for naming what a permission is missing for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly transport: string
  readonly brokers: ReadonlyArray<string>
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly groupId?: string | undefined
}

/** Failures that mean the same whatever was being done. */
const common = (
  failure: Failure,
  { brokers, groupId, partition, topic, transport }: Subject
): KafkaError | undefined => {
  const { cause } = failure
  switch (failure._tag) {
    case "Connection":
      return new ConnectionError({ brokers, cause })
    case "Authentication":
      return new AuthenticationError({ cause })
    case "Unsupported":
      return new UnsupportedError({ transport, feature: failure.feature })
    case "Other":
      return undefined
    case "Protocol": {
      const { name } = failure.code
      if (authentication.has(name)) return new AuthenticationError({ cause })
      if (name.endsWith("_AUTHORIZATION_FAILED")) {
        const resource = name.startsWith("TOPIC")
          ? `topic ${topic ?? "(unnamed)"}`
          : name.startsWith("GROUP")
          ? `group ${groupId ?? "(unnamed)"}`
          : name.slice(0, -"_AUTHORIZATION_FAILED".length).toLowerCase().replaceAll("_", " ")
        return new AuthorizationError({ resource, cause })
      }
      return topic !== undefined && isUnknownTopic(failure) ? new UnknownTopicError({ topic, partition }) : undefined
    }
  }
}

/**
 * A failure while connecting, fetching, or as a member of a group.
 *
 * @category conversions
 * @since 0.1.0
 */
export const consumerError = (failure: Failure, subject: Subject): KafkaError => {
  const shared = common(failure, subject)
  if (shared !== undefined) return shared
  if (failure._tag === "Protocol" && subject.groupId !== undefined && groupCodes.has(failure.code.code)) {
    return new GroupError({ groupId: subject.groupId, code: failure.code.name, cause: failure.cause })
  }
  return new TransportError({
    transport: subject.transport,
    reason: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })
}

/**
 * A failure of a commit of these offsets.
 *
 * @category conversions
 * @since 0.1.0
 */
export const commitError = (failure: Failure, offsets: ReadonlyArray<PartitionOffset>): CommitError =>
  new CommitError({
    // Copied: what carries metadata besides is none of the error's business.
    offsets: offsets.map(({ offset, partition, topic }) => ({ topic, partition, offset })),
    code: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })

/**
 * A failure of a write to a partition.
 *
 * @category conversions
 * @since 0.1.0
 */
export const produceError = (
  failure: Failure,
  subject: Subject & { readonly topic: string; readonly partition: number }
): KafkaError => {
  const shared = failure._tag === "Connection" ? undefined : common(failure, subject)
  return shared ?? new ProduceError({
    topic: subject.topic,
    partition: subject.partition,
    code: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })
}

/**
 * A failure of an admin request.
 *
 * @category conversions
 * @since 0.1.0
 */
export const adminError = (failure: Failure, operation: string, subject: Subject): KafkaError => {
  const shared = common(failure, subject)
  if (shared !== undefined) return shared
  if (failure._tag === "Protocol" && subject.groupId !== undefined && groupCodes.has(failure.code.code)) {
    return new GroupError({ groupId: subject.groupId, code: failure.code.name, cause: failure.cause })
  }
  return new AdminError({
    operation,
    code: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })
}
