/**
 * Where the brokers are and how to prove who one is, from code or from the environment.
 *
 * @since 0.1.0
 */
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ConnectionOptions as TlsOptions, createSecureContext } from "node:tls"
import { mechanisms, securityFromEnvironment, variable } from "./internal/securityVariables.ts"

/**
 * How to prove who one is. A `token` is asked for at each authentication.
 *
 * @category models
 * @since 0.1.0
 */
export type Sasl =
  | {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"
    readonly username: string
    readonly password: Redacted.Redacted
  }
  | { readonly mechanism: "oauthbearer"; readonly token: Effect.Effect<Redacted.Redacted, unknown> }

/**
 * What is the same for every connection to a cluster.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionSettings {
  /** `bootstrap.servers`: `host:port` of some brokers; the others are learned from them. */
  readonly brokers: ReadonlyArray<string>
  /** `true`, or Node's own TLS options (a private authority, a client certificate). Default: no TLS. */
  readonly ssl?: boolean | TlsOptions | undefined
  /** Default: no authentication. */
  readonly sasl?: Sasl | undefined
  /** `client.id` of consumers and producers that have none of their own, and of admin requests. Default `weft`. */
  readonly clientId?: string | undefined
  /** How long a broker may take to accept a connection, in milliseconds. Default 3000. */
  readonly connectionTimeoutMs?: number | undefined
  /** How long it may take to check the credentials, in milliseconds. Default 10000. */
  readonly authenticationTimeoutMs?: number | undefined
}

/**
 * In milliseconds, where a connection has none of its own.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaults = { connectionTimeoutMs: 3000, authenticationTimeoutMs: 10_000 } as const

/**
 * Fails where an address cannot be one (`setting` is what it came by), where nothing can be made of the TLS options, or
 * where credentials lack a part. Nothing is connected to.
 *
 * @category predicates
 * @since 0.1.0
 */
export const check = (
  setting: string,
  { brokers, sasl, ssl }: ConnectionSettings
): Effect.Effect<void, InvalidSettingError> => {
  const wrong = brokers.length === 0 ? "" : brokers.find((broker) => !isAddress(broker))
  if (wrong === undefined) {
    return Effect.andThen(
      typeof ssl === "object" ? checkTls(ssl) : Effect.void,
      sasl === undefined ? Effect.void : checkSasl(sasl)
    )
  }
  return Effect.fail(
    new InvalidSettingError({
      setting,
      value: wrong,
      reason: wrong === "" && brokers.length === 0
        ? "names no broker; give host:port"
        : "is no address of a broker; give host:port, such as localhost:9092"
    })
  )
}

const checkTls = (ssl: TlsOptions): Effect.Effect<void, InvalidSettingError> =>
  Effect.try({
    try: () => void createSecureContext(ssl),
    catch: (error) =>
      new InvalidSettingError({
        setting: "ssl",
        value: "the TLS options",
        reason: `cannot be used: ${(error as Error).message}`
      })
  })

/** Programs without types say what they like. */
const checkSasl = (sasl: Sasl): Effect.Effect<void, InvalidSettingError> => {
  const { mechanism } = sasl
  const fail = (setting: string, value: unknown, reason: string) =>
    Effect.fail(new InvalidSettingError({ setting, value, reason }))
  if (!mechanisms.includes(mechanism)) return fail("sasl.mechanism", mechanism, `is none of ${mechanisms.join(", ")}`)
  if (mechanism === "oauthbearer") return Effect.void
  if (!isText(sasl.username)) return fail("sasl.username", sasl.username, "is no name")
  return isText(Redacted.value(sasl.password)) ? Effect.void : fail("sasl.password", "what is given", "is no text")
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== ""

/** What is before the first colon is the host, so an IPv6 address needs a name. */
const isAddress = (broker: string): boolean => {
  const match = /^[^\s:,/]+:(\d{1,5})$/.exec(broker)
  return match !== null && Number(match[1]) > 0 && Number(match[1]) < 65_536
}

/**
 * `KAFKA_BROKERS` (`host:port`, separated by commas), `KAFKA_CLIENT_ID`, and, each by Kafka's own name of the setting:
 *
 * - `KAFKA_SECURITY_PROTOCOL`: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`. Where it is not set, `KAFKA_SSL` (`true`
 *   or `false`) says whether there is TLS, and a mechanism that there is SASL.
 * - `KAFKA_SSL_TRUSTSTORE_LOCATION` or `KAFKA_SSL_TRUSTSTORE_CERTIFICATES`: which authorities to trust, as a file or in
 *   itself, in PEM. Default: those of Node.
 * - `KAFKA_SSL_KEYSTORE_LOCATION`, or `KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN` with `KAFKA_SSL_KEYSTORE_KEY`: a certificate of
 *   one's own and its key, in PEM; `KAFKA_SSL_KEY_PASSWORD` where the key is encrypted. Or, with
 *   `KAFKA_SSL_KEYSTORE_TYPE=PKCS12`, a location and its `KAFKA_SSL_KEYSTORE_PASSWORD`.
 * - `KAFKA_SASL_MECHANISM`: `plain`, `scram-sha-256` or `scram-sha-512` with `KAFKA_SASL_USERNAME` and `KAFKA_SASL_PASSWORD`,
 *   or `oauthbearer` with `KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL`, a `file:` URL that is read at each authentication.
 *
 * One that is missing, unusable, or at odds with another fails with an error that names it and no secret.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromEnvironment: Effect.Effect<ConnectionSettings, InvalidSettingError> = Effect.gen(function*() {
  const brokers = yield* variable("KAFKA_BROKERS")
  if (brokers === undefined) {
    return yield* new InvalidSettingError({
      setting: "KAFKA_BROKERS",
      value: undefined,
      reason: "is not set; give some brokers as host:port, separated by commas"
    })
  }
  return {
    brokers: brokers.split(",").map((broker) => broker.trim()).filter((broker) => broker !== ""),
    clientId: yield* variable("KAFKA_CLIENT_ID"),
    ...(yield* securityFromEnvironment)
  }
})
