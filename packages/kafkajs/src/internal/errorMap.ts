/**
 * What kafkajs throws. Its wrappers hide what the broker said (`KafkaJSNonRetriableError` keeps it in `cause`, others in a
 * list), so an error is unwrapped to what it is.
 */
import { codes, type ErrorCode, errorCode } from "@weft/protocol/ErrorCode"
import type { Failure } from "@weft/protocol/Failure"
import { refusal } from "@weft/protocol/Handshake"

export const transportName = "kafkajs"

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
  const refused = refusal(error as Thrown)
  if (refused !== undefined) return refused
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
