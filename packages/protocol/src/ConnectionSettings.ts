/**
 * Where the brokers are and how to prove who one is, from code or from the environment.
 *
 * @since 0.1.0
 */
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { ConnectionOptions as TlsOptions } from "node:tls"

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
 * Fails where an address cannot be one; `setting` is what it came by. Nothing is connected to.
 *
 * @category predicates
 * @since 0.1.0
 */
export const check = (
  setting: string,
  { brokers }: ConnectionSettings
): Effect.Effect<void, InvalidSettingError> => {
  const wrong = brokers.length === 0 ? "" : brokers.find((broker) => !isAddress(broker))
  if (wrong === undefined) return Effect.void
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

/** What is before the first colon is the host, so an IPv6 address needs a name. */
const isAddress = (broker: string): boolean => {
  const match = /^[^\s:,/]+:(\d{1,5})$/.exec(broker)
  return match !== null && Number(match[1]) > 0 && Number(match[1]) < 65_536
}

const variable = (name: string): Effect.Effect<string | undefined, InvalidSettingError> =>
  Config.option(Config.String(name)).pipe(
    Effect.mapError((error) => new InvalidSettingError({ setting: name, value: undefined, reason: error.message })),
    Effect.map((value) => Option.getOrUndefined(Option.filter(value, (one) => one.trim() !== "")))
  )

const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const

/**
 * `KAFKA_BROKERS` (`host:port`, separated by commas), and where they are set `KAFKA_CLIENT_ID`, `KAFKA_SSL` (`true` or
 * `false`), `KAFKA_SASL_MECHANISM` (`plain`, `scram-sha-256` or `scram-sha-512`) with `KAFKA_SASL_USERNAME` and
 * `KAFKA_SASL_PASSWORD`. A missing or unusable one fails with an error that names it.
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
  const ssl = (yield* variable("KAFKA_SSL"))?.trim().toLowerCase()
  if (ssl !== undefined && ssl !== "true" && ssl !== "false") {
    return yield* new InvalidSettingError({ setting: "KAFKA_SSL", value: ssl, reason: "is neither true nor false" })
  }
  return {
    brokers: brokers.split(",").map((broker) => broker.trim()).filter((broker) => broker !== ""),
    clientId: yield* variable("KAFKA_CLIENT_ID"),
    ssl: ssl === "true",
    sasl: yield* saslFromEnvironment
  }
})

const saslFromEnvironment: Effect.Effect<Sasl | undefined, InvalidSettingError> = Effect.gen(function*() {
  const given = (yield* variable("KAFKA_SASL_MECHANISM"))?.trim()
  const username = yield* variable("KAFKA_SASL_USERNAME")
  const password = yield* variable("KAFKA_SASL_PASSWORD")
  const set = username !== undefined ? "KAFKA_SASL_USERNAME" : "KAFKA_SASL_PASSWORD"
  if (given === undefined && username === undefined && password === undefined) return undefined
  if (given === undefined) return yield* missing("KAFKA_SASL_MECHANISM", set)
  const mechanism = mechanisms.find((one) => one === given.toLowerCase())
  if (mechanism === undefined) {
    return yield* new InvalidSettingError({
      setting: "KAFKA_SASL_MECHANISM",
      value: given,
      reason: `is none of ${mechanisms.join(", ")}`
    })
  }
  if (username === undefined) return yield* missing("KAFKA_SASL_USERNAME", "KAFKA_SASL_MECHANISM")
  if (password === undefined) return yield* missing("KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM")
  return { mechanism, username, password: Redacted.make(password) }
})

const missing = (setting: string, given: string): InvalidSettingError =>
  new InvalidSettingError({ setting, value: undefined, reason: `is not set, but ${given} is` })
