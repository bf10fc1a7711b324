/** Partitions taken by hand: nobody to share with, nothing to rebalance. */
import { ConnectionError, UnknownTopicError } from "@weft/kafka/KafkaError"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { TransportHandler } from "@weft/kafka/Transport"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Cluster } from "../Cluster.ts"
import type { ConsumerPlan } from "../Plan.ts"
import type { Membership } from "./membership.ts"
import type { Pump } from "./pump.ts"

/** Kafka's own for commits outside of any generation; the coordinator takes them while the group has no members. */
const outside = { memberId: "", generation: -1 }

export const manualMembership = (options: {
  readonly cluster: Cluster
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
        return yield* new ConnectionError({ brokers: cluster.about.brokers, cause: result.failure.cause })
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
