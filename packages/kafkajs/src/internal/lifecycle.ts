/** A consumer from its first connection to its leave: the cluster, the membership and the pump, put together. */
import { ConnectionError, type KafkaError, UnknownTopicError } from "@weft/kafka/KafkaError"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { TransportConsumer, TransportHandler, TransportSubscription } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DecoderPlan } from "./answers.ts"
import { type ClusterClient, type ConnectionOptions, makeCluster } from "./clusterClient.ts"
import { makeCommit } from "./commits.ts"
import { makeCoordinator } from "./coordinator.ts"
import { joinedMembership, type Membership } from "./membership.ts"
import { fetchCommitted, listOffsets } from "./offsets.ts"
import { makePump, type Pump } from "./pump.ts"
import { type ConsumerPlan, fetchPlan, refittable } from "./settingsMap.ts"

export const makeConsumer = Effect.fnUntraced(function*(options: {
  readonly connection: ConnectionOptions
  readonly plan: ConsumerPlan
  readonly decoder: DecoderPlan
  readonly subscription: TransportSubscription
  readonly handler: TransportHandler
}): Effect.fn.Return<TransportConsumer, KafkaError, Scope.Scope> {
  const { connection, handler, plan, subscription } = options
  const { client, group } = plan
  const clock = yield* Clock.Clock
  const cluster = yield* makeCluster(connection, client)
  const coordinator = yield* makeCoordinator(cluster, group.groupId)
  const pump = makePump({
    cluster,
    plan: plan.fetch,
    client,
    decoder: options.decoder,
    handler,
    clock,
    patienceMs: group.sessionTimeoutMs
  })
  const membership = subscription._tag === "Topics"
    ? yield* joinedMembership({
      cluster,
      coordinator,
      pump,
      handler,
      topics: subscription.topics,
      group,
      client,
      clock
    })
    : manualMembership({ cluster, pump, handler, partitions: subscription.partitions, plan, clock })
  // The last to be added runs first: the group hears of the leave before the connections close.
  yield* Effect.addFinalizer(() => membership.leave)

  const topics = subscription._tag === "Topics"
    ? subscription.topics
    : [...new Set(subscription.partitions.map(({ topic }) => topic))]
  const connect = Effect.gen(function*() {
    cluster.watch(topics)
    yield* cluster.connect
    for (const topic of topics) yield* cluster.topic(topic)
  })

  return {
    warnings: plan.warnings,
    applySettings: (settings) => {
      // The isolation level needs a rejoin: what is settled under one is not what the other would have handed out.
      pump.refit({ ...fetchPlan(settings), isolationLevel: plan.fetch.isolationLevel })
      return refittable
    },
    run: Effect.andThen(connect, Effect.raceFirst(pump.run, membership.run)),
    start: pump.start,
    pause: pump.pause,
    resume: pump.resume,
    heartbeat: membership.heartbeat,
    commit: makeCommit({ coordinator, membership, groupId: group.groupId, client, clock }),
    committed: (partitions) => fetchCommitted(cluster, group.groupId, partitions, client.retryBackoffMs),
    listOffsets: (partitions, at) =>
      listOffsets(cluster, plan.fetch.isolationLevel, partitions, at, client.retryBackoffMs)
  }
})

/** Kafka's own for commits outside of any generation; the coordinator takes them while the group has no members. */
const outside = { memberId: "", generation: -1 }

/** Partitions taken by hand: nobody to share with, nothing to rebalance. */
const manualMembership = (options: {
  readonly cluster: ClusterClient
  readonly pump: Pump
  readonly handler: TransportHandler
  readonly partitions: ReadonlyArray<TopicPartition>
  readonly plan: ConsumerPlan
  readonly clock: Clock.Clock
}): Membership => {
  const { clock, cluster, handler, partitions, plan, pump } = options
  const now = () => clock.currentTimeMillisUnsafe()

  const check = Effect.gen(function*() {
    for (const { partition, topic } of partitions) {
      const { partitionMetadata } = yield* cluster.topic(topic)
      if (!partitionMetadata.some(({ partitionId }) => partitionId === partition)) {
        return yield* new UnknownTopicError({ topic, partition })
      }
    }
  })

  /** Without heartbeats, this is the sign of life while nothing is fetched. */
  const stayInTouch = Effect.gen(function*() {
    let lastAnswer = now()
    while (true) {
      yield* Effect.sleep(plan.group.heartbeatIntervalMs)
      const result = yield* Effect.result(cluster.refresh)
      if (result._tag === "Success") {
        lastAnswer = now()
        handler.onAlive("heartbeat")
      } else if (now() - lastAnswer > plan.group.sessionTimeoutMs) {
        return yield* new ConnectionError({ brokers: cluster.addresses, cause: result.failure.cause })
      }
    }
  })

  return {
    run: Effect.gen(function*() {
      yield* check
      const own = partitions.map(({ partition, topic }) => new TopicPartition(topic, partition))
      pump.assign(own, () => handler.onAssignment({ memberId: "", generation: undefined, partitions: own }))
      return yield* stayInTouch
    }),
    identity: () => outside,
    heartbeat: Effect.void,
    refused: () => undefined,
    leave: Effect.void
  }
}
