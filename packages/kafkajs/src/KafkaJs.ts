/**
 * The transport on kafkajs 2.2.4. Its connections, TLS, SASL, metadata and requests are kafkajs's; membership, fetching,
 * commits and producing are done here, on top of those.
 *
 * @since 0.1.0
 */
import type { InvalidSettingError, KafkaError } from "@weft/kafka/KafkaError"
import { Transport } from "@weft/kafka/Transport"
import * as ConnectionSettings from "@weft/protocol/ConnectionSettings"
import * as GroupConsumer from "@weft/protocol/GroupConsumer"
import { bearerToken } from "@weft/protocol/Handshake"
import * as LaneProducer from "@weft/protocol/LaneProducer"
import { consumerPlan, producerPlan } from "@weft/protocol/Plan"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { KafkaConfig, SASLOptions } from "kafkajs"
import { makeAdmin } from "./internal/admin.ts"
import { type DecoderPlan, makeFetch } from "./internal/answers.ts"
import { type ConnectionOptions, makeCluster } from "./internal/cluster.ts"
import { transportName } from "./internal/errorMap.ts"
import { makeLogCreator } from "./internal/logCreator.ts"
import { oauthBearer } from "./internal/oauthBearer.ts"

/**
 * How to prove who one is. A `token` is asked for at each authentication.
 *
 * @category models
 * @since 0.1.0
 */
export type Sasl = ConnectionSettings.Sasl

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends ConnectionSettings.ConnectionSettings {
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
 * The same from the environment: `KAFKA_BROKERS`, and where they are set `KAFKA_CLIENT_ID`, `KAFKA_SECURITY_PROTOCOL`,
 * `KAFKA_SSL_*` and `KAFKA_SASL_*`, all of which `ConnectionSettings.fromEnvironment` tells. A missing or unusable one fails
 * with an error that names it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<Transport, InvalidSettingError> = Layer.effect(
  Transport,
  Effect.suspend(() => Effect.flatMap(ConnectionSettings.fromEnvironment, (options) => make("KAFKA_BROKERS", options)))
)

/** kafkajs has neither. */
const lacks = ["groupProtocol", "groupInstanceId"] as const

const make = Effect.fnUntraced(function*(
  setting: string,
  options: Options
): Effect.fn.Return<Transport["Service"], InvalidSettingError> {
  yield* ConnectionSettings.check(setting, options)
  const authenticationTimeoutMs = options.authenticationTimeoutMs ??
    ConnectionSettings.defaults.authenticationTimeoutMs
  // Wherever a consumer is made, its log lines go to that place's logger.
  const connection: Effect.Effect<ConnectionOptions> = Effect.map(Effect.context<never>(), (context) => ({
    brokers: options.brokers,
    ssl: options.ssl === false ? undefined : options.ssl,
    sasl: options.sasl === undefined
      ? undefined
      : saslOf(options.sasl, authenticationTimeoutMs, Effect.runPromiseWith(context)),
    clientId: options.clientId,
    connectionTimeoutMs: options.connectionTimeoutMs ?? ConnectionSettings.defaults.connectionTimeoutMs,
    authenticationTimeoutMs,
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
        Effect.fromResult(consumerPlan(settings, { clientId: options.clientId, lacks })),
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

const saslOf = (
  sasl: Sasl,
  timeoutMs: number,
  run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
): NonNullable<KafkaConfig["sasl"]> =>
  sasl.mechanism === "oauthbearer"
    ? oauthBearer(() => run(bearerToken(sasl.token, timeoutMs)))
    : { mechanism: sasl.mechanism, username: sasl.username, password: Redacted.value(sasl.password) } as SASLOptions
