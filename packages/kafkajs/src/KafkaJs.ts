/**
 * The transport on kafkajs 2.2.4. Its connections, TLS, SASL, metadata and requests are kafkajs's; membership, fetching,
 * commits and producing are done here, on top of those.
 *
 * @since 0.1.0
 */
import { InvalidSettingError, type KafkaError } from "@weft/kafka/KafkaError"
import { Transport } from "@weft/kafka/Transport"
import * as GroupConsumer from "@weft/protocol/GroupConsumer"
import * as LaneProducer from "@weft/protocol/LaneProducer"
import { consumerPlan, producerPlan } from "@weft/protocol/Plan"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { KafkaConfig, SASLOptions } from "kafkajs"
import type { ConnectionOptions as TlsOptions } from "node:tls"
import { makeAdmin } from "./internal/admin.ts"
import { type DecoderPlan, makeFetch } from "./internal/answers.ts"
import { type ConnectionOptions, makeCluster } from "./internal/cluster.ts"
import { transportName } from "./internal/errorMap.ts"
import { makeLogCreator } from "./internal/logCreator.ts"

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
 * @category models
 * @since 0.1.0
 */
export interface Options {
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
  /**
   * Who decodes what consumers fetch. `weft` reads records in place, with all compression types, and costs a sixth or
   * less; `kafkajs` is its own decoder, with gzip alone. Where `weft` cannot be used (a broker before 2.3, or kafkajs is not
   * as expected), consumers use the other one and say so in a warning; records in the message formats before version 2
   * are always decoded by it. Default `weft`.
   */
  readonly decoder?: "weft" | "kafkajs" | undefined
  /**
   * `check.crcs`: whether consumers check the checksum of each record batch, of which only the decoder `weft` is capable.
   * Without it a record that was damaged on a disk or on the way is handed out as it came. Default true, as Kafka's own.
   */
  readonly checkCrcs?: boolean | undefined
}

/**
 * The transport for these brokers. Nothing connects before a consumer runs or a request is made, and what goes wrong then
 * is that one's typed failure (`ConnectionError`, `AuthenticationError`); only addresses that cannot be addresses fail
 * here.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Transport, InvalidSettingError> =>
  Layer.effect(Transport, make("brokers", options))

/**
 * The same from the environment: `KAFKA_BROKERS` (`host:port`, separated by commas), and where they are set
 * `KAFKA_CLIENT_ID`, `KAFKA_SSL` (`true` or `false`), `KAFKA_SASL_MECHANISM` (`plain`, `scram-sha-256` or `scram-sha-512`)
 * with `KAFKA_SASL_USERNAME` and `KAFKA_SASL_PASSWORD`. A missing or unusable one fails with an error that names it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<Transport, InvalidSettingError> = Layer.effect(
  Transport,
  Effect.suspend(() => Effect.flatMap(fromEnvironment, (options) => make("KAFKA_BROKERS", options)))
)

const make = Effect.fnUntraced(function*(
  setting: string,
  options: Options
): Effect.fn.Return<Transport["Service"], InvalidSettingError> {
  if (options.brokers.length === 0) {
    return yield* new InvalidSettingError({ setting, value: "", reason: "names no broker; give host:port" })
  }
  for (const broker of options.brokers) {
    if (!isAddress(broker)) {
      return yield* new InvalidSettingError({
        setting,
        value: broker,
        reason: "is no address of a broker; give host:port, such as localhost:9092"
      })
    }
  }
  // Wherever a consumer is made, its log lines go to that place's logger.
  const connection: Effect.Effect<ConnectionOptions> = Effect.map(Effect.context<never>(), (context) => ({
    brokers: options.brokers,
    ssl: options.ssl === false ? undefined : options.ssl,
    sasl: options.sasl === undefined ? undefined : saslOf(options.sasl, Effect.runPromiseWith(context)),
    clientId: options.clientId,
    connectionTimeoutMs: options.connectionTimeoutMs ?? 3000,
    authenticationTimeoutMs: options.authenticationTimeoutMs ?? 10_000,
    logCreator: makeLogCreator(Effect.runForkWith(context))
  }))
  const decoder: DecoderPlan = { name: options.decoder ?? "weft", checkCrcs: options.checkCrcs ?? true }
  const connected = <A>(
    use: (connection: ConnectionOptions) => Effect.Effect<A, KafkaError, Scope.Scope>
  ): Effect.Effect<A, KafkaError, Scope.Scope> => Effect.flatMap(connection, use)
  return {
    name: transportName,
    consumer: ({ handler, settings, subscription }) =>
      Effect.flatMap(
        Effect.fromResult(consumerPlan(settings, options)),
        (plan) =>
          connected((connection) =>
            Effect.flatMap(makeCluster(connection, plan.client), (cluster) =>
              GroupConsumer.make({
                cluster,
                fetch: makeFetch(decoder, plan.fetch.isolationLevel),
                plan,
                subscription,
                handler
              }))
          )
      ),
    producer: (settings) =>
      Effect.flatMap(
        Effect.fromResult(producerPlan(settings, options)),
        (client) =>
          connected((connection) =>
            Effect.flatMap(
              makeCluster(connection, client),
              (cluster) => LaneProducer.make({ cluster, client, settings })
            )
          )
      ),
    admin: connected(makeAdmin)
  }
})

/** kafkajs takes what is before the first colon for the host, so an IPv6 address needs a name. */
const isAddress = (broker: string): boolean => {
  const match = /^[^\s:,/]+:(\d{1,5})$/.exec(broker)
  return match !== null && Number(match[1]) > 0 && Number(match[1]) < 65_536
}

const saslOf = (
  sasl: Sasl,
  run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
): NonNullable<KafkaConfig["sasl"]> =>
  sasl.mechanism === "oauthbearer"
    ? {
      mechanism: "oauthbearer",
      oauthBearerProvider: () => run(Effect.map(sasl.token, (token) => ({ value: Redacted.value(token) })))
    }
    : { mechanism: sasl.mechanism, username: sasl.username, password: Redacted.value(sasl.password) } as SASLOptions

const variable = (name: string): Effect.Effect<string | undefined, InvalidSettingError> =>
  Config.option(Config.String(name)).pipe(
    Effect.mapError((error) => new InvalidSettingError({ setting: name, value: undefined, reason: error.message })),
    Effect.map((value) => Option.getOrUndefined(Option.filter(value, (one) => one.trim() !== "")))
  )

const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const

const fromEnvironment: Effect.Effect<Options, InvalidSettingError> = Effect.gen(function*() {
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
