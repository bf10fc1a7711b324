/** What went wrong with records, and which policy answers it. Pure. */
import { DecodeError } from "@weft/kafka/Codec"
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"
import { BatchRecordError } from "../BatchRecordError.ts"
import * as FailurePolicy from "../FailurePolicy.ts"
import type { Definition } from "../PipelineOptions.ts"

export interface Failure {
  /** The tag that policies are looked up by; `undefined` for an error without one. */
  readonly tag: string | undefined
  readonly error: unknown
  readonly stack: string
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined

/** The error that a handler failed with, or else the defect that it died of. */
export const ofCause = (cause: Cause.Cause<unknown>): Failure => {
  const error = Cause.findError(cause)
  const stack = Cause.pretty(cause)
  if (Result.isSuccess(error)) return { tag: tagOf(error.success), error: error.success, stack }
  const defect = Cause.hasInterruptsOnly(cause) ? new Error("the handler was interrupted") : Cause.squash(cause)
  return { tag: "Defect", error: defect, stack }
}

export const ofError = (error: unknown): Failure => ({
  tag: tagOf(error),
  error,
  stack: error instanceof Error ? error.stack ?? error.message : String(error)
})

/** Which record of a batch failed, where the handler said so: its index and the failure by itself. */
export const ofBatchRecord = (
  { error, stack }: Failure
): { readonly index: number; readonly failure: Failure } | undefined =>
  error instanceof BatchRecordError
    ? { index: error.index, failure: { tag: tagOf(error.cause), error: error.cause, stack } }
    : undefined

const policies = (definition: Definition<unknown>): Readonly<Record<string, FailurePolicy.FailurePolicy | undefined>> =>
  definition.onFailure ?? {}

/** The policy of a failure: by its tag, or `otherwise`, or the default. A retry without its own schedule takes the pipeline's. */
export const policyOf = (definition: Definition<unknown>, failure: Failure): FailurePolicy.FailurePolicy => {
  const named = failure.tag === undefined ? undefined : policies(definition)[failure.tag]
  if (failure.error instanceof DecodeError || failure.error instanceof Tombstone) {
    return { retry: undefined, finally: named?.finally ?? "dead-letter" }
  }
  const policy = named ?? policies(definition)["otherwise"] ?? FailurePolicy.retry()
  const { retry } = policy
  return retry === undefined || retry.schedule !== undefined || definition.retry === undefined
    ? policy
    : { ...policy, retry: { ...retry, schedule: definition.retry } }
}

/** Why a tombstone is in the dead-letter topic. */
export class Tombstone {
  readonly _tag = "Tombstone"
  readonly message = "the record is a tombstone, and the pipeline sends those to the dead-letter topic"
}

export const describe = ({ error, tag }: Failure): string => {
  const text = error instanceof Error ? error.message : typeof error === "string" ? error : messageOf(error)
  return text === "" ? tag ?? "unknown" : text
}

const messageOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error && typeof error.message === "string"
    ? error.message
    : String(error)

/** The kind of an error in one word: its tag, or the name of its class. */
export const kindOf = (error: unknown): string => tagOf(error) ?? (error instanceof Error ? error.name : typeof error)

export const causeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "cause" in error ? error.cause : undefined
