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
import { type ClusterOptions, installedVersion, kafkajsVersion, openCluster, type RawBroker } from "./inside.ts"

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
  const { close, cluster, dedicated, refreshOn } = openCluster(options)
  const { brokerPool } = cluster
  /** Those that were silent, the last of them at the end; by node, since kafkajs makes a broker anew when it has moved. */
  const avoided = new Set<string>()
  const avoid = (nodeId: string): void => {
    avoided.delete(nodeId)
    avoided.add(nodeId)
  }

  /** Each once, in this order. */
  const firstOf = (nodeIds: ReadonlyArray<string>): Promise<RawBroker> => {
    const [nodeId, ...others] = nodeIds
    if (nodeId === undefined) return brokerPool.findConnectedBroker()
    const wasAvoided = avoided.has(nodeId)
    // One that takes the connection and says nothing must not be the next one, too, that is tried.
    avoid(nodeId)
    return cluster.findBroker({ nodeId }).then((broker) => {
      if (!wasAvoided) avoided.delete(nodeId)
      return broker
    }, () => firstOf(others))
  }

  const anyBroker = (): Promise<RawBroker> => {
    const all = Object.keys(brokerPool.brokers)
    const rest = all.filter((nodeId) => !avoided.has(nodeId))
    const connected = rest.find((nodeId) => brokerPool.brokers[nodeId]?.isConnected() === true)
    return connected === undefined
      ? firstOf([...rest, ...[...avoided].filter((nodeId) => all.includes(nodeId))])
      : Promise.resolve(brokerPool.brokers[connected]!)
  }

  return {
    name: transportName,
    classify,
    connect: () => cluster.connect(),
    refreshMetadata: ({ raw }) => refreshOn(raw),
    metadata: () => brokerPool.metadata ?? undefined,
    topics: cluster.targetTopics,
    findBroker: (nodeId) => cluster.findBroker({ nodeId: String(nodeId) }).then((broker) => new KafkaJsBroker(broker)),
    anyBroker: () => anyBroker().then((broker) => new KafkaJsBroker(broker)),
    avoid: ({ raw }) => raw.nodeId === null || avoid(String(raw.nodeId)),
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
      patienceMs: connection.brokers.length * connection.connectionTimeoutMs + connection.authenticationTimeoutMs,
      security: { tls: connection.ssl !== undefined, sasl: connection.sasl !== undefined }
    })
  )
