/**
 * What kafkajs throws, as our typed errors. Its wrappers hide what the broker said (`KafkaJSNonRetriableError` keeps it in
 * `cause`, others in a list), so a failure is first unwrapped to what it is, then named by what was being done.
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
import { codes, type ErrorCode, errorCode } from "./errorCodes.ts"

export const transportName = "kafkajs"

/** What went wrong, whatever it was wrapped in. */
export type Failure =
  | { readonly _tag: "Protocol"; readonly code: ErrorCode; readonly cause: unknown }
  /** Refused, closed, timed out, or no broker known: the same request elsewhere or later may succeed. */
  | { readonly _tag: "Connection"; readonly cause: unknown }
  | { readonly _tag: "Authentication"; readonly cause: unknown }
  | { readonly _tag: "Unsupported"; readonly feature: string; readonly cause: unknown }
  | { readonly _tag: "Other"; readonly cause: unknown }

/** An error code that came inside an answer. */
export const protocolFailure = (code: number): Failure => {
  const known = errorCode(code)
  return { _tag: "Protocol", code: known, cause: new Error(`error code ${known.code} of the broker`) }
}

const connectionNames: ReadonlySet<string> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSTimeout",
  "KafkaJSLockTimeout"
])

interface Thrown {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly cause?: unknown
  readonly errors?: ReadonlyArray<unknown>
  readonly groups?: ReadonlyArray<{ readonly error?: unknown }>
  readonly partitions?: ReadonlyArray<{ readonly error?: unknown }>
}

/** Deep enough for every wrapper of kafkajs, and an end for an error that causes itself. */
const deepest = 8

export const classify = (error: unknown): Failure => unwrap(error, error, 0)

const unwrap = (outer: unknown, error: unknown, depth: number): Failure => {
  if (typeof error !== "object" || error === null || depth > deepest) return { _tag: "Other", cause: outer }
  const { cause, code, errors, groups, message, name, partitions } = error as Thrown
  if (typeof code === "number") return { _tag: "Protocol", code: protocolCode(code, message), cause: error }
  if (typeof name === "string") {
    if (name === "KafkaJSSASLAuthenticationError") return { _tag: "Authentication", cause: error }
    if (name === "KafkaJSNotImplemented" || name === "KafkaJSServerDoesNotSupportApiKey") {
      return { _tag: "Unsupported", feature: String(message), cause: error }
    }
    if (name === "KafkaJSGroupCoordinatorNotFound") {
      return { _tag: "Protocol", code: errorCode(codes.coordinatorNotAvailable), cause: error }
    }
    if (connectionNames.has(name)) return { _tag: "Connection", cause: error }
  }
  const inner = errors?.[0] ?? groups?.[0]?.error ?? partitions?.find((part) => part.error !== undefined)?.error ??
    cause
  return inner === undefined || inner === error ? { _tag: "Other", cause: outer } : unwrap(outer, inner, depth + 1)
}

/** kafkajs gives every code that it does not know the number -99, and says the real one in words. */
const protocolCode = (code: number, message: unknown): ErrorCode => {
  const said = code === -99 ? /error code (-?\d+)/.exec(String(message)) : null
  return errorCode(said === null ? code : Number(said[1]))
}

/** What the broker's error code or the kind of failure is called, for errors that carry a code. */
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

export const isRetriableFailure = (failure: Failure): boolean =>
  failure._tag === "Connection" || (failure._tag === "Protocol" && failure.code.retriable)

export const isUnknownTopic = (failure: Failure): boolean =>
  failure._tag === "Protocol" &&
  (failure.code.code === codes.unknownTopicOrPartition || failure.code.code === codes.invalidTopic)

const authentication: ReadonlySet<string> = new Set([
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
  "SASL_AUTHENTICATION_FAILED"
])

const groupCodes: ReadonlySet<number> = new Set([14, 15, 16, 22, 23, 24, 25, 26, 27, 68, 69, 79, 81, 82, 86, 110, 113])

/** Who the brokers are, and what a missing permission would be about. */
export interface Subject {
  readonly brokers: ReadonlyArray<string>
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly groupId?: string | undefined
}

/** Failures that mean the same whatever was being done. */
const common = (failure: Failure, { brokers, groupId, partition, topic }: Subject): KafkaError | undefined => {
  const { cause } = failure
  switch (failure._tag) {
    case "Connection":
      return new ConnectionError({ brokers, cause })
    case "Authentication":
      return new AuthenticationError({ cause })
    case "Unsupported":
      return new UnsupportedError({ transport: transportName, feature: failure.feature })
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

/** A failure while connecting, fetching, or as a member of a group. */
export const consumerError = (failure: Failure, subject: Subject): KafkaError => {
  const shared = common(failure, subject)
  if (shared !== undefined) return shared
  if (failure._tag === "Protocol" && subject.groupId !== undefined && groupCodes.has(failure.code.code)) {
    return new GroupError({ groupId: subject.groupId, code: failure.code.name, cause: failure.cause })
  }
  return new TransportError({
    transport: transportName,
    reason: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })
}

export const commitError = (failure: Failure, offsets: ReadonlyArray<PartitionOffset>): CommitError =>
  new CommitError({
    // Copied: what carries metadata besides is none of the error's business.
    offsets: offsets.map(({ offset, partition, topic }) => ({ topic, partition, offset })),
    code: codeOf(failure),
    retriable: isRetriableFailure(failure),
    cause: failure.cause
  })

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
