/**
 * A consumer from its first connection to its leave: the cluster, the membership and the pump, put together.
 *
 * @since 0.1.0
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { TransportConsumer, TransportHandler, TransportSubscription } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Broker } from "./Client.ts"
import type { Cluster } from "./Cluster.ts"
import * as Coordinator from "./Coordinator.ts"
import type { Fetch } from "./FetchAnswer.ts"
import { makeCommit } from "./internal/commits.ts"
import { manualMembership } from "./internal/manualMembership.ts"
import { joinedMembership } from "./internal/membership.ts"
import { preferredMembership } from "./internal/preferredMembership.ts"
import { makePump } from "./internal/pump.ts"
import { fetchCommitted, listOffsets } from "./Offsets.ts"
import { type ConsumerPlan, fetchPlan, refittable } from "./Plan.ts"

/**
 * A consumer on this cluster, which is its own. `fetch` is how it reads. Its membership ends with the scope, before the
 * cluster's connections do.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<B extends Broker>(options: {
  readonly cluster: Cluster<B>
  readonly fetch: Fetch<B>
  readonly plan: ConsumerPlan
  readonly subscription: TransportSubscription
  readonly handler: TransportHandler
}): Effect.fn.Return<TransportConsumer, KafkaError, Scope.Scope> {
  const { cluster, handler, plan, subscription } = options
  const { client, group } = plan
  const clock = yield* Clock.Clock
  const coordinator = yield* Coordinator.make(cluster, group.groupId)
  const pump = makePump({
    cluster,
    plan: plan.fetch,
    client,
    fetch: options.fetch,
    handler,
    clock,
    patienceMs: group.sessionTimeoutMs
  })
  let leavesForGood = false
  const member = group.protocol === "consumer" ? preferredMembership : joinedMembership
  const membership = subscription._tag === "Topics"
    ? yield* member({
      cluster,
      coordinator,
      pump,
      handler,
      topics: subscription.topics,
      group,
      client,
      clock,
      leavesForGood: () => leavesForGood
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
      leavesForGood = settings.groupProtocol !== group.protocol || settings.groupInstanceId !== group.instanceId ||
        settings.groupId !== group.groupId
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
