/** kafkajs's cluster, for the protocol's modules. */
import { type KafkaError, UnsupportedError } from "@weft/kafka/KafkaError"
import type { Client } from "@weft/protocol/Client"
import * as Cluster from "@weft/protocol/Cluster"
import type { ClientPlan } from "@weft/protocol/Plan"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { logCreator } from "kafkajs"
import { KafkaJsBroker } from "./broker.ts"
import { classify, transportName } from "./errorMap.ts"
import { type ClusterOptions, installedVersion, kafkajsVersion, openCluster } from "./inside.ts"

/** What is the same for every connection of a layer. */
export interface ConnectionOptions {
  readonly brokers: ReadonlyArray<string>
  readonly ssl: ClusterOptions["ssl"]
  readonly sasl: ClusterOptions["sasl"]
  readonly clientId: string | undefined
  readonly connectionTimeoutMs: number
  readonly authenticationTimeoutMs: number
  readonly logCreator: logCreator
}

export const clusterOptions = (connection: ConnectionOptions, plan: ClientPlan): ClusterOptions => ({
  brokers: [...connection.brokers],
  clientId: plan.clientId,
  connectionTimeout: connection.connectionTimeoutMs,
  authenticationTimeout: connection.authenticationTimeoutMs,
  requestTimeout: plan.requestTimeoutMs,
  metadataMaxAge: plan.metadataMaxAgeMs,
  // Each address is tried at least once, and not for long: whoever waits decides whether to try again.
  retry: {
    retries: Math.max(2, connection.brokers.length - 1),
    initialRetryTime: plan.reconnectBackoffMs,
    maxRetryTime: plan.reconnectBackoffMaxMs
  },
  logCreator: connection.logCreator,
  ...(connection.ssl === undefined ? {} : { ssl: connection.ssl }),
  ...(connection.sasl === undefined ? {} : { sasl: connection.sasl })
})

/** Only the version whose inside is known. */
const checkVersion: Effect.Effect<void, UnsupportedError> = Effect.suspend(() => {
  const version = installedVersion()
  return version === kafkajsVersion ? Effect.void : Effect.fail(
    new UnsupportedError({
      transport: transportName,
      feature: `kafkajs ${version}: it needs ${kafkajsVersion} exactly`
    })
  )
})

const openClient = (options: ClusterOptions): Client<KafkaJsBroker> => {
  const { close, cluster, dedicated } = openCluster(options)
  return {
    name: transportName,
    classify,
    connect: () => cluster.connect(),
    refreshMetadata: () => cluster.refreshMetadata(),
    metadata: () => cluster.brokerPool.metadata ?? undefined,
    topics: cluster.targetTopics,
    findBroker: (nodeId) => cluster.findBroker({ nodeId: String(nodeId) }).then((broker) => new KafkaJsBroker(broker)),
    anyBroker: () => cluster.brokerPool.findConnectedBroker().then((broker) => new KafkaJsBroker(broker)),
    dedicated: (node) => dedicated(node).then((one) => ({ broker: new KafkaJsBroker(one.broker), close: one.close })),
    close
  }
}

/** Closes its connections with its scope. Making it connects to nothing. */
export const makeCluster = (
  connection: ConnectionOptions,
  plan: ClientPlan
): Effect.Effect<Cluster.Cluster<KafkaJsBroker>, KafkaError, Scope.Scope> =>
  Effect.andThen(
    checkVersion,
    Cluster.make({
      open: () => openClient(clusterOptions(connection, plan)),
      addresses: connection.brokers,
      plan,
      patienceMs: connection.brokers.length * connection.connectionTimeoutMs + connection.authenticationTimeoutMs
    })
  )
