/** What @platformatic/kafka throws. The reason is at the end of a chain of causes and lists of errors. */
import { codes, errorCode } from "@weft/protocol/ErrorCode"
import type { Failure } from "@weft/protocol/Failure"
import { refusal } from "@weft/protocol/Handshake"

export const transportName = "platformatic"

interface Thrown {
  readonly code?: unknown
  /** The number of the broker's error. */
  readonly apiCode?: unknown
  readonly apiId?: unknown
  /** What the broker said of it. */
  readonly serverErrorMessage?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: ReadonlyArray<unknown>
}

/** Deep enough for every wrapper, and an end for an error that causes itself. */
const deepest = 8

const authentication = "PLT_KFK_AUTHENTICATION"
const connection: ReadonlySet<unknown> = new Set([
  "PLT_KFK_NETWORK",
  "PLT_KFK_TIMEOUT",
  "PLT_KFK_UNEXPECTED_CORRELATION_ID",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOTFOUND",
  "ETIMEDOUT",
  "EHOSTUNREACH"
])

/** The error itself and all that caused it, from the outside in. */
const causes = (error: unknown, depth = 0): ReadonlyArray<Thrown> => {
  if (typeof error !== "object" || error === null || depth > deepest) return []
  const { cause, errors } = error as Thrown
  return [error, ...(errors ?? []).flatMap((one) => causes(one, depth + 1)), ...causes(cause, depth + 1)]
}

/** The library's own message says what could not be done, and the innermost one why. */
const reasonOf = (error: unknown): Error => {
  const all = causes(error)
  const inner = all.at(-1)
  const outer = String((error as Thrown).message).replace(/\.$/, "")
  const why = String(inner?.serverErrorMessage || inner?.message || inner?.code || "")
  return inner === error || why === "" ? error as Error : new Error(`${outer}: ${why}`, { cause: error })
}

export const classify = (error: unknown): Failure => {
  const all = causes(error)
  const handshake = all.map(refusal).find((failure) => failure !== undefined)
  if (handshake !== undefined) return handshake
  const protocol = all.find(({ apiCode }) => typeof apiCode === "number")
  // The library calls all that fails during a handshake by this name, a connection that breaks included.
  const refused = all.find(({ code }) => code === authentication)
  if (refused !== undefined) {
    const within = causes(refused.cause)
    return within.some(({ code }) => connection.has(code)) && !within.some(({ apiCode }) => typeof apiCode === "number")
      ? { _tag: "Connection", cause: reasonOf(error) }
      : { _tag: "Authentication", cause: reasonOf(error) }
  }
  if (protocol !== undefined) return { _tag: "Protocol", code: errorCode(Number(protocol.apiCode)), cause: error }
  const unsupported = all.find(({ code }) => code === "PLT_KFK_UNSUPPORTED_API" || code === "PLT_KFK_UNSUPPORTED")
  if (unsupported !== undefined) {
    return { _tag: "Unsupported", feature: String(unsupported.message), cause: error }
  }
  return all.some(({ code }) => connection.has(code))
    ? { _tag: "Connection", cause: reasonOf(error) }
    : { _tag: "Other", cause: error }
}

/** A code by its own name, where the caller knows what was refused. */
export const isUnsupportedVersion = (error: unknown): boolean =>
  causes(error).some(({ apiCode }) => apiCode === codes.unsupportedVersion)
