/** kafkajs's cluster, as effects: connections made on first use, metadata with an error for each topic. */
import { type KafkaError, UnsupportedError } from "@weft/kafka/KafkaError"
import { keyOf } from "@weft/kafka/TopicPartition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { logCreator } from "kafkajs"
import {
  classify,
  consumerError,
  type Failure,
  isRetriableFailure,
  isUnknownTopic,
  protocolFailure,
  transportName
} from "./errorMap.ts"
import {
  type Broker,
  type ClusterMetadata,
  type ClusterOptions,
  installedVersion,
  kafkajsVersion,
  type OpenCluster,
  openCluster,
  type TopicMetadata
} from "./inside.ts"
import type { ClientPlan } from "./settingsMap.ts"

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

export interface ClusterClient {
  readonly addresses: ReadonlyArray<string>
  readonly dedicated: OpenCluster["dedicated"]
  /** Connects and learns of the brokers; at once where that was done. */
  readonly connect: Effect.Effect<void, KafkaError>
  /** Also connects. */
  readonly refresh: Effect.Effect<void, Failure>
  /** Metadata from now on includes these. */
  readonly watch: (topics: Iterable<string>) => void
  readonly metadata: () => ClusterMetadata | undefined
  /** The topic as the brokers tell it, asked anew where it is not known; retried while brokers disagree. */
  readonly topic: (name: string) => Effect.Effect<TopicMetadata, KafkaError>
  /** The same, for callers with a use for the bare failure. */
  readonly askTopic: (name: string) => Effect.Effect<TopicMetadata, Failure>
  /** As last heard; `undefined` without a leader. */
  readonly leaderOf: (topic: string, partition: number) => number | undefined
  readonly broker: (nodeId: number) => Effect.Effect<Broker, Failure>
  readonly anyBroker: Effect.Effect<Broker, Failure>
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

export const attempt = <A>(f: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({ try: f, catch: classify })

/** How often a topic may be unknown before it is: a broker learns of a new topic a moment after the controller. */
const unknownRetries = 5

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

/** Closes its connections with its scope. Making it connects to nothing. */
export const makeCluster = Effect.fnUntraced(function*(
  connection: ConnectionOptions,
  plan: ClientPlan
): Effect.fn.Return<ClusterClient, KafkaError, Scope.Scope> {
  yield* checkVersion
  const { cluster, dedicated } = yield* Effect.acquireRelease(
    Effect.sync(() => openCluster(clusterOptions(connection, plan))),
    (open) => Effect.sync(open.close)
  )
  const one = yield* Semaphore.make(1)
  const subject = { brokers: connection.brokers }
  const clock = yield* Clock.Clock
  let connected = false
  let refreshedAt = clock.currentTimeMillisUnsafe()

  // A server that takes the connection and says nothing would hold it for the whole request timeout.
  const patienceMs = connection.brokers.length * connection.connectionTimeoutMs + connection.authenticationTimeoutMs
  const open = one.withPermit(Effect.suspend(() =>
    connected ? Effect.void : attempt(() => cluster.connect()).pipe(
      Effect.andThen(attempt(() => cluster.refreshMetadata())),
      Effect.timeoutOrElse({ duration: patienceMs, orElse: () => Effect.fail(noAnswer(patienceMs)) }),
      Effect.tap(() => Effect.sync(() => connected = true))
    )
  ))
  const refresh = Effect.suspend(() =>
    connected
      ? Effect.tap(attempt(() => cluster.refreshMetadata()), () =>
        Effect.sync(() => {
          refreshedAt = clock.currentTimeMillisUnsafe()
        }))
      : open
  )

  let leaders: { readonly of: ClusterMetadata; readonly byKey: ReadonlyMap<string, number> } | undefined
  const leaderOf = (topic: string, partition: number): number | undefined => {
    const { metadata } = cluster.brokerPool
    if (metadata === null) return undefined
    if (leaders?.of !== metadata) leaders = { of: metadata, byKey: leadersOf(metadata) }
    return leaders.byKey.get(keyOf(topic, partition))
  }
  const find = (name: string): TopicMetadata | undefined =>
    cluster.brokerPool.metadata?.topicMetadata.find(({ topic }) => topic === name)

  const askOnce = (name: string): Effect.Effect<TopicMetadata, Failure> =>
    Effect.suspend(() => {
      const known = find(name)
      const isKnown = known?.topicErrorCode === 0
      const isOld = clock.currentTimeMillisUnsafe() - refreshedAt > plan.metadataMaxAgeMs
      if (isKnown && !isOld) return Effect.succeed(known)
      cluster.targetTopics.add(name)
      // What is old is better than nothing while no broker answers.
      return Effect.flatMap(isKnown ? Effect.ignore(refresh) : refresh, () => {
        const told = find(name)
        if (told === undefined) return Effect.fail(noAnswer(0))
        return told.topicErrorCode === 0 ? Effect.succeed(told) : Effect.fail(protocolFailure(told.topicErrorCode))
      })
    })
  const askTopic = (name: string): Effect.Effect<TopicMetadata, Failure> =>
    Effect.retry(askOnce(name), {
      while: (failure) => isRetriableFailure(failure) && failure._tag !== "Connection",
      schedule: Schedule.max([Schedule.spaced(plan.retryBackoffMs), Schedule.recurs(unknownRetries)])
    }).pipe(
      Effect.tapError((failure) =>
        // Else each refresh would ask for what does not exist.
        Effect.sync(() => isUnknownTopic(failure) ? cluster.targetTopics.delete(name) : false)
      )
    )

  return {
    addresses: connection.brokers,
    dedicated,
    connect: Effect.mapError(open, (failure) => consumerError(failure, subject)),
    refresh,
    watch: (topics) => {
      for (const name of topics) cluster.targetTopics.add(name)
    },
    metadata: () => cluster.brokerPool.metadata ?? undefined,
    topic: (name) => Effect.mapError(askTopic(name), (failure) => consumerError(failure, { ...subject, topic: name })),
    askTopic,
    leaderOf,
    broker: (nodeId) => Effect.andThen(open, attempt(() => cluster.findBroker({ nodeId: String(nodeId) }))),
    anyBroker: Effect.andThen(open, attempt(() => cluster.brokerPool.findConnectedBroker()))
  }
})

const noAnswer = (afterMs: number): Failure => ({
  _tag: "Connection",
  cause: new Error(afterMs === 0 ? "the answer lacks what was asked for" : `no answer within ${afterMs} ms`)
})

const leadersOf = ({ topicMetadata }: ClusterMetadata): ReadonlyMap<string, number> => {
  const leaders = new Map<string, number>()
  for (const { partitionMetadata, topic } of topicMetadata) {
    for (const { leader, partitionId } of partitionMetadata) {
      if (leader >= 0) leaders.set(keyOf(topic, partitionId), leader)
    }
  }
  return leaders
}
