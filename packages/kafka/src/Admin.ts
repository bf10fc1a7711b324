/**
 * Administration: topics, partitions, configs, groups and their offsets.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { GroupError, type KafkaError } from "./KafkaError.ts"
import type { PartitionOffset } from "./TopicPartition.ts"
import * as TopicPartition from "./TopicPartition.ts"
import { type OffsetSpec, Transport, type TransportAdmin } from "./Transport.ts"

/**
 * A group's place in one partition. `lag` counts from the log's beginning where the group has no committed offset.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  readonly committed: bigint | undefined
  readonly beginning: bigint
  readonly end: bigint
  readonly lag: bigint
}

/**
 * One change that a reset makes.
 *
 * @category models
 * @since 0.1.0
 */
export interface OffsetChange {
  readonly topic: string
  readonly partition: number
  readonly from: bigint | undefined
  readonly to: bigint
}

/**
 * @category services
 * @since 0.1.0
 */
export class Admin extends Context.Service<Admin, TransportAdmin>()("@weft/kafka/Admin") {}

/**
 * An admin client as a Layer, on any {@link Transport}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Admin, KafkaError, Transport> = Layer.effect(
  Admin,
  Effect.flatMap(Transport, (transport) => transport.admin)
)

/**
 * All partitions of topics, in order.
 *
 * @category combinators
 * @since 0.1.0
 */
export const partitionsOf = Effect.fnUntraced(function*(topics: ReadonlyArray<string>) {
  const admin = yield* Admin
  const descriptions = yield* admin.describeTopics(topics)
  return descriptions.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => TopicPartition.make(name, partition)).sort((a, b) => a.partition - b.partition)
  )
})

/**
 * A group's lag in every partition of these topics, or of all topics that it has committed for.
 *
 * @category combinators
 * @since 0.1.0
 */
export const lag = Effect.fnUntraced(function*(group: string, topics?: ReadonlyArray<string>) {
  const admin = yield* Admin
  const committed = yield* admin.committedOffsets(group, topics)
  const partitions = yield* partitionsOf(topics ?? [...new Set(committed.map(({ topic }) => topic))])
  const beginnings = byKey(yield* admin.listOffsets(partitions, "earliest"))
  const ends = byKey(yield* admin.listOffsets(partitions, "latest"))
  const found = new Map(committed.map((one) => [TopicPartition.keyOf(one.topic, one.partition), one.offset]))
  return partitions.map((one): PartitionLag => {
    const offset = found.get(one.key)
    const beginning = beginnings.get(one.key) ?? 0n
    const end = ends.get(one.key) ?? beginning
    const from = offset === undefined || offset < beginning ? beginning : offset
    return {
      topic: one.topic,
      partition: one.partition,
      committed: offset,
      beginning,
      end,
      lag: end > from ? end - from : 0n
    }
  })
})

/**
 * What a reset of a group's offsets would change; nothing is changed. Give it to {@link resetOffsets}. A number is kept
 * within the log.
 *
 * @category combinators
 * @since 0.1.0
 */
export const planReset = Effect.fnUntraced(function*(
  group: string,
  topics: ReadonlyArray<string>,
  to: bigint | OffsetSpec
) {
  const admin = yield* Admin
  const places = yield* lag(group, topics)
  const targets = typeof to === "bigint" ? undefined : byKey(
    yield* admin.listOffsets(places.map((one) => TopicPartition.make(one.topic, one.partition)), to)
  )
  return places.flatMap(({ beginning, committed, end, partition, topic }): ReadonlyArray<OffsetChange> => {
    const wanted = typeof to === "bigint" ? to : targets!.get(TopicPartition.keyOf(topic, partition)) ?? end
    const target = wanted < beginning ? beginning : wanted > end ? end : wanted
    return target === committed ? [] : [{ topic, partition, from: committed, to: target }]
  })
})

/**
 * Carries out a plan. Fails with a `GroupError` where the group has members: their commits would undo it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const resetOffsets = Effect.fnUntraced(function*(group: string, plan: ReadonlyArray<OffsetChange>) {
  const admin = yield* Admin
  const [description] = yield* admin.describeGroups([group])
  if (description !== undefined && description.members.length > 0) {
    return yield* new GroupError({
      groupId: group,
      code: "NON_EMPTY_GROUP",
      cause: `${description.members.length} members are running; stop them first`
    })
  }
  if (plan.length > 0) {
    yield* admin.setOffsets(group, plan.map(({ partition, to, topic }) => ({ topic, partition, offset: to })))
  }
})

const byKey = (offsets: ReadonlyArray<PartitionOffset>): ReadonlyMap<string, bigint> =>
  new Map(offsets.map(({ offset, partition, topic }) => [TopicPartition.keyOf(topic, partition), offset]))
