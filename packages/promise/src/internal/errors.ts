/** Typed errors of the packages below as the classes of this one. Pure. */
import { DecodeError as CodecError } from "@weft/kafka/Codec"
import { isRetriable, type KafkaError } from "@weft/kafka/KafkaError"
import type { HaltedError as PipelineHalted, PipelineError } from "@weft/pipeline/PipelineError"
import * as Cause from "effect/Cause"
import { DecodeError, HaltedError, type KafkaErrorCode, KafkaFailedError, WeftError } from "../WeftError.ts"
import { HandlerFailure } from "./handlerFailure.ts"

/** Complete by its type: an error that is added has to be thought of here. */
const codes: { readonly [T in KafkaError["_tag"]]: KafkaErrorCode } = {
  ConnectionError: "CONNECTION_FAILED",
  AuthenticationError: "AUTHENTICATION_FAILED",
  AuthorizationError: "NOT_AUTHORIZED",
  UnknownTopicError: "UNKNOWN_TOPIC",
  GroupError: "GROUP_REFUSED",
  CommitError: "COMMIT_FAILED",
  FencedError: "FENCED",
  NoOffsetError: "NO_OFFSET",
  ProduceError: "SEND_FAILED",
  InvalidSettingError: "INVALID_SETTING",
  UnsupportedError: "UNSUPPORTED",
  TransportError: "CLIENT_FAILED",
  CorruptRecordBatchError: "CORRUPT_RECORDS",
  UnsupportedRecordBatchError: "UNSUPPORTED_RECORDS",
  StalledError: "STALLED",
  AdminError: "ADMIN_FAILED"
}

export const kafkaFailed = (error: KafkaError): KafkaFailedError =>
  new KafkaFailedError(codes[error._tag], error.message, {
    cause: "cause" in error ? error.cause : undefined,
    retriable: isRetriable(error)
  })

/** What the handler threw, or why it was never called. */
const thrown = (cause: unknown): unknown =>
  cause instanceof HandlerFailure
    ? cause.thrown
    : cause instanceof CodecError
    ? new DecodeError(cause.part, cause.message, cause.cause)
    : cause

const halted = (error: PipelineHalted): HaltedError =>
  new HaltedError({
    topic: error.topic,
    partition: error.partition,
    offset: error.offset,
    attempts: error.attempts,
    message: error.message,
    cause: thrown(error.cause)
  })

const isTagged = (error: unknown): error is { readonly _tag: string } =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"

/** What a promise rejects with. Defects stay what they are. */
export const rejection = (cause: Cause.Cause<PipelineError | WeftError>): unknown => {
  const error: unknown = Cause.squash(cause)
  if (error instanceof WeftError || !isTagged(error)) return error
  if (error._tag === "HaltedError") return halted(error as PipelineHalted)
  return error._tag in codes ? kafkaFailed(error as KafkaError) : error
}
