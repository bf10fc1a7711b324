/**
 * The transport on @platformatic/kafka. Its connections, TLS, SASL and the encoding of requests are that library's;
 * membership, fetching, commits and producing are done on top of those, as on every transport.
 *
 * @since 0.1.0
 */
import { AuthenticationError } from "@platformatic/kafka"
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import { Transport } from "@weft/kafka/Transport"
import * as Cluster from "@weft/protocol/Cluster"
import * as ClusterAdmin from "@weft/protocol/ClusterAdmin"
import * as ConnectionSettings from "@weft/protocol/ConnectionSettings"
import * as FetchAnswer from "@weft/protocol/FetchAnswer"
import * as GroupConsumer from "@weft/protocol/GroupConsumer"
import { bearerToken } from "@weft/protocol/Handshake"
import * as LaneProducer from "@weft/protocol/LaneProducer"
import { adminPlan, type ClientPlan, consumerPlan, producerPlan } from "@weft/protocol/Plan"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { adminRequests } from "./internal/admin.ts"
import type { PlatformaticBroker } from "./internal/broker.ts"
import { classify, transportName } from "./internal/classify.ts"
import { openClient } from "./internal/client.ts"
import type { ConnectionPlan } from "./internal/connection.ts"

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
   * `check.crcs`: whether consumers check the checksum of each record batch. Without it a record that was damaged on a disk
   * or on the way is handed out as it came. Default true, as Kafka's own.
   */
  readonly checkCrcs?: boolean | undefined
}

/**
 * The transport for these brokers (Kafka 2.6 or later). Nothing connects before a consumer runs or a request is made, and
 * what goes wrong then is that one's typed failure (`ConnectionError`, `AuthenticationError`); only addresses that cannot be
 * addresses fail here.
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

const make = Effect.fnUntraced(function*(
  setting: string,
  options: Options
): Effect.fn.Return<Transport["Service"], InvalidSettingError> {
  yield* ConnectionSettings.check(setting, options)
  const connectionTimeoutMs = options.connectionTimeoutMs ?? ConnectionSettings.defaults.connectionTimeoutMs
  const authenticationTimeoutMs = options.authenticationTimeoutMs ??
    ConnectionSettings.defaults.authenticationTimeoutMs
  const open = (
    plan: ClientPlan,
    groupInstanceId?: string
  ): Effect.Effect<Cluster.Cluster<PlatformaticBroker>, never, Scope.Scope> =>
    Effect.flatMap(Effect.context<never>(), (context) =>
      Cluster.make({
        open: () =>
          openClient({
            brokers: options.brokers,
            groupInstanceId,
            clientId: plan.clientId,
            requestTimeoutMs: plan.requestTimeoutMs,
            connectionTimeoutMs,
            authenticationTimeoutMs,
            tls: options.ssl === true ? {} : options.ssl === false ? undefined : options.ssl,
            sasl: options.sasl === undefined
              ? undefined
              : saslOf(options.sasl, authenticationTimeoutMs, Effect.runPromiseWith(context))
          }),
        addresses: options.brokers,
        plan,
        patienceMs: options.brokers.length * connectionTimeoutMs + authenticationTimeoutMs,
        security: { tls: options.ssl !== undefined && options.ssl !== false, sasl: options.sasl !== undefined }
      }))
  return {
    name: transportName,
    consumer: ({ handler, settings, subscription }) =>
      Effect.gen(function*() {
        const plan = yield* Effect.fromResult(consumerPlan(settings, options))
        const cluster = yield* open(plan.client, plan.group.instanceId)
        const { isolationLevel } = plan.fetch
        const fetch = FetchAnswer.make<PlatformaticBroker>({
          isolationLevel,
          checkCrcs: options.checkCrcs ?? true,
          classify
        })
        return yield* GroupConsumer.make({ cluster, fetch, plan, subscription, handler })
      }),
    producer: (settings) =>
      Effect.gen(function*() {
        const client = yield* Effect.fromResult(producerPlan(settings, options))
        return yield* LaneProducer.make({ cluster: yield* open(client), client, settings })
      }),
    admin: Effect.suspend(() =>
      Effect.map(
        open({ ...adminPlan, clientId: options.clientId ?? adminPlan.clientId }),
        (cluster) => ClusterAdmin.make(cluster, adminRequests(cluster))
      )
    )
  }
})

const mechanisms = { "plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512" } as const

const saslOf = (
  sasl: Sasl,
  timeoutMs: number,
  run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
): NonNullable<ConnectionPlan["sasl"]> =>
  sasl.mechanism === "oauthbearer"
    ? {
      mechanism: "OAUTHBEARER",
      token: () => run(bearerToken(sasl.token, timeoutMs)),
      // A refusal comes inside an answer that is no error.
      authBytesValidator: (refusal, callback) =>
        refusal.length === 0
          ? callback(null, refusal)
          : callback(new AuthenticationError(`the broker refuses the token: ${refusal.toString()}`))
    }
    : { mechanism: mechanisms[sasl.mechanism], username: sasl.username, password: Redacted.value(sasl.password) }
