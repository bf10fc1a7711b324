/**
 * What happens between a client and a broker before the first request: TLS, and the proof of who one is. What fails there
 * is told from a network that is down, since no waiting mends a certificate.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Failure } from "./Failure.ts"

/** What Node calls a certificate that it does not accept; those of revocation lists included. */
const unacceptable: ReadonlySet<unknown> = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CRL_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_SIGNATURE_FAILURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** The alerts and the disagreements that end a handshake; a record damaged on the way, for one, is not among them. */
const refusing = new RegExp(
  "^ERR_SSL_.*(?:" + [
    "ALERT_ACCESS_DENIED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_(?:EXPIRED|REQUIRED|REVOKED|UNKNOWN)",
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_INSUFFICIENT_SECURITY",
    "ALERT_NO_CERTIFICATE",
    "ALERT_PROTOCOL_VERSION",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNRECOGNIZED_NAME",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "NO_PROTOCOLS_AVAILABLE",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_VERSION_NUMBER"
  ].join("|") + ")$"
)

/** OpenSSL says where in its sources it was, around what it has to say. */
const spoken = (message: string): string => /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message

/**
 * A connection without TLS, answered by a broker with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class TlsExpected extends Error {
  override readonly name = "TlsExpected"
  constructor() {
    super("the broker speaks TLS at this address, and the connection has none: set ssl")
  }
}

/**
 * The effect that gives tokens gave none.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoToken extends Error {
  override readonly name = "NoToken"
  /** It did not end in time; a later one may. */
  readonly isLate: boolean
  constructor(message: string, isLate: boolean, cause?: unknown) {
    super(message, { cause })
    this.isLate = isLate
  }
}

/**
 * What became of a handshake, where an error is about one, and waiting does not mend it.
 *
 * @category conversions
 * @since 0.1.0
 */
export const refusal = (error: {
  readonly code?: unknown
  readonly message?: unknown
}): Failure | undefined => {
  if (error instanceof TlsExpected) return { _tag: "Authentication", cause: error }
  if (error instanceof NoToken) return { _tag: error.isLate ? "Connection" : "Authentication", cause: error }
  const message = spoken(String(error.message))
  if (unacceptable.has(error.code)) {
    const reason = `the broker's certificate is not accepted: ${message}`
    return { _tag: "Authentication", cause: new Error(reason, { cause: error }) }
  }
  if (typeof error.code !== "string" || !refusing.test(error.code)) return undefined
  return { _tag: "Authentication", cause: new Error(`the TLS handshake failed: ${message}`, { cause: error }) }
}

/**
 * Whether a server's first bytes are TLS. An answer of Kafka's that begins like that would be of 335 MB.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isTlsRecord = (bytes: Uint8Array): boolean =>
  bytes.length >= 3 && bytes[0]! >= 0x14 && bytes[0]! <= 0x17 && bytes[1] === 3 && bytes[2]! <= 4

/**
 * What a connection does before it is used.
 *
 * @category models
 * @since 0.1.0
 */
export interface Security {
  readonly tls: boolean
  readonly sasl: boolean
}

const said = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/**
 * The failure of a first connection, with what a broker of another security protocol would look like from here: it
 * closes the connection and says nothing. `greeted`: it had answered a request that needs no authentication.
 *
 * @category conversions
 * @since 0.1.0
 */
export const hinted = (failure: Failure, { sasl, tls }: Security, greeted: boolean): Failure => {
  if (failure._tag !== "Connection") return failure
  const message = said(failure.cause)
  const hint = tls && message.includes("before secure TLS connection was established")
    ? "a listener without TLS ends connections like this"
    : greeted && !sasl && /closed/i.test(message)
    ? "a listener that asks for SASL ends connections without it like this"
    : undefined
  return hint === undefined
    ? failure
    : { ...failure, cause: new Error(`${message} (${hint})`, { cause: failure.cause }) }
}

/**
 * A token for one authentication, in time.
 *
 * @category running
 * @since 0.1.0
 */
export const bearerToken = (
  token: Effect.Effect<Redacted.Redacted, unknown>,
  timeoutMs: number
): Effect.Effect<string, NoToken> =>
  token.pipe(
    Effect.map(Redacted.value),
    Effect.catchCause((cause) => {
      const failed = Cause.squash(cause)
      // Of a promise: what it was rejected with says more.
      const error = Cause.isUnknownError(failed) ? failed.cause : failed
      return Effect.fail(new NoToken(`there is no token: ${said(error)}`, false, error))
    }),
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(new NoToken(`there is no token within ${timeoutMs} ms`, true))
    })
  )
