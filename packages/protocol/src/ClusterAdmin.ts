/**
 * Admin requests: those that every library answers in its own way, and what is the same for all of them.
 *
 * @since 0.1.0
 */
import { AdminError, GroupError, type KafkaError } from "@weft/kafka/KafkaError"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"
import type {
  ConfigEntry,
  ConfigResource,
  GroupDescription,
  GroupListing,
  NewTopic,
  TopicDescription,
  TransportAdmin
} from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Schedule from "effect/Schedule"
import type { TopicMetadata } from "./Client.ts"
import type { Cluster } from "./Cluster.ts"
import { askCoordinator } from "./Coordinator.ts"
import { codes, errorCode } from "./ErrorCode.ts"
import {
  adminError,
  type Failure,
  isRetriableFailure,
  isUnknownTopic,
  protocolFailure,
  type Subject
} from "./Failure.ts"
import { isPassing } from "./GroupReaction.ts"
import { failedParts, fetchCommitted, grouped, listOffsets } from "./Offsets.ts"
import { again } from "./internal/again.ts"
import { adminPlan } from "./Plan.ts"

/**
 * What a library is asked for. A request is about one thing, so what it fails with is about that one.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdminRequests {
  /** `false`: it was there. */
  readonly createTopic: (topic: NewTopic) => Effect.Effect<boolean, Failure>
  readonly deleteTopic: (topic: string) => Effect.Effect<unknown, Failure>
  readonly createPartitions: (topic: string, count: number) => Effect.Effect<unknown, Failure>
  readonly describeConfigs: (resource: ConfigResource) => Effect.Effect<ReadonlyArray<ConfigEntry>, Failure>
  readonly alterConfigs: (
    resource: ConfigResource,
    configs: Readonly<Record<string, string>>
  ) => Effect.Effect<unknown, Failure>
  readonly listGroups: Effect.Effect<ReadonlyArray<GroupListing>, Failure>
  readonly describeGroups: (groupIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<GroupDescription>, Failure>
  readonly deleteGroup: (groupId: string) => Effect.Effect<unknown, Failure>
  readonly deleteRecords: (
    topic: string,
    offsets: ReadonlyArray<{ readonly partition: number; readonly offset: bigint }>
  ) => Effect.Effect<unknown, Failure>
}

/**
 * How long the cluster may take to create or delete something, in milliseconds.
 *
 * @category constants
 * @since 0.1.0
 */
export const timeoutMs = 15_000

/**
 * Kafka's numbers for what a config belongs to.
 *
 * @category constants
 * @since 0.1.0
 */
export const resourceTypes = { topic: 2, broker: 4 } as const

/**
 * A resource as Kafka names it.
 *
 * @category converting
 * @since 0.1.0
 */
export const resourceOf = (resource: ConfigResource): { readonly type: 2 | 4; readonly name: string } =>
  resource._tag === "Topic"
    ? { type: resourceTypes.topic, name: resource.name }
    : { type: resourceTypes.broker, name: String(resource.id) }

const backoffMs = adminPlan.retryBackoffMs

const uncommitted = 0

/** Described in one request to each coordinator; their members may be many. */
const groupsAtOnce = 50

/**
 * Admin requests on this cluster.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (cluster: Cluster, requests: AdminRequests): TransportAdmin => {
  const named = <A>(
    operation: string,
    about: Partial<Subject>,
    request: Effect.Effect<A, Failure>
  ): Effect.Effect<A, KafkaError> =>
    // The cluster first: it knows best why nobody answers.
    Effect.andThen(
      cluster.connect,
      Effect.mapError(request, (failure) => adminError(failure, operation, { ...cluster.about, ...about }))
    )

  const metadataOf = (topics: ReadonlyArray<string>) => cluster.askAny((broker) => broker.metadata(topics))
  const allMetadata = metadataOf([])

  const createTopic = (topic: NewTopic) =>
    named("create topic", { topic: topic.name }, requests.createTopic(topic)).pipe(
      Effect.tap((created) => created ? untilLed(topic.name) : Effect.void)
    )

  /** Brokers hear of a topic, and partitions find their leaders, a moment after it was made. */
  const untilLed = (topic: string): Effect.Effect<void, KafkaError> =>
    named(
      "create topic",
      { topic },
      metadataOf([topic]).pipe(
        Effect.flatMap(({ topicMetadata: [metadata] }) => {
          const code = metadata?.topicErrorCode ?? codes.unknownTopicOrPartition
          const isLed = metadata?.partitionMetadata.every(({ leader }) => leader >= 0) === true
          return code === 0 && isLed
            ? Effect.void
            : Effect.fail(protocolFailure(code === 0 ? codes.leaderNotAvailable : code))
        }),
        Effect.retry({
          while: isRetriableFailure,
          schedule: Schedule.max([Schedule.spaced(50), Schedule.recurs(timeoutMs / 50)])
        })
      )
    )

  const setOffsets = (groupId: string, offsets: ReadonlyArray<PartitionOffset>): Effect.Effect<void, KafkaError> => {
    const request = askCoordinator(cluster, groupId, (broker) =>
      broker.offsetCommit({
        groupId,
        groupGenerationId: -1,
        memberId: "",
        topics: grouped(offsets, ({ offset, partition }) => ({ partition, offset, metadata: "" }))
      })).pipe(
        Effect.flatMap(({ responses }) => {
          const failed = failedParts(responses)[0]
          return failed === undefined ? Effect.void : Effect.fail(failed.failure)
        }),
        Effect.retry({ while: isPassing, schedule: again(backoffMs, identity<Failure>) })
      )
    return Effect.andThen(
      cluster.connect,
      Effect.mapError(request, (failure) =>
        // How the coordinator says that the group has members.
        failure._tag === "Protocol" && failure.code.code === codes.unknownMemberId
          ? new GroupError({ groupId, code: errorCode(codes.nonEmptyGroup).name, cause: failure.cause })
          : adminError(failure, "set offsets", { ...cluster.about, groupId, topic: offsets[0]?.topic }))
    )
  }

  return {
    describeCluster: named(
      "describe cluster",
      {},
      Effect.map(allMetadata, ({ brokers, clusterId, controllerId }) => ({
        clusterId,
        controller: controllerId < 0 ? undefined : controllerId,
        brokers: brokers.map(({ host, nodeId, port }) => ({ id: nodeId, host, port }))
      }))
    ),
    listTopics: named(
      "list topics",
      {},
      Effect.map(allMetadata, ({ topicMetadata }) => topicMetadata.map(({ topic }) => topic).sort())
    ),
    describeTopics: (topics) =>
      topics.length === 0 ? Effect.succeed([]) : Effect.gen(function*() {
        const known = yield* named("describe topics", {}, metadataOf(topics))
        return yield* Effect.forEach(topics, (topic) => {
          const metadata = known.topicMetadata.find((one) => one.topic === topic)
          const failure = protocolFailure(metadata?.topicErrorCode ?? codes.unknownTopicOrPartition)
          return metadata?.topicErrorCode === 0 ||
              (metadata !== undefined && !isUnknownTopic(failure) && metadata.partitionMetadata.length > 0)
            ? Effect.succeed(described(metadata))
            : Effect.fail(adminError(failure, "describe topics", { ...cluster.about, topic }))
        })
      }),
    createTopics: (topics) => Effect.map(Effect.forEach(topics, createTopic), (created) => created.includes(true)),
    deleteTopics: (topics) =>
      Effect.forEach(topics, (topic) => named("delete topic", { topic }, requests.deleteTopic(topic)), {
        discard: true
      }),
    createPartitions: (topic, count) =>
      Effect.asVoid(named("create partitions", { topic }, requests.createPartitions(topic, count))),
    describeConfigs: (resource) =>
      named("describe configs", aboutResource(resource), requests.describeConfigs(resource)),
    alterConfigs: (resource, configs) =>
      Effect.asVoid(named("alter configs", aboutResource(resource), requests.alterConfigs(resource, configs))),
    listGroups: named("list groups", {}, requests.listGroups),
    describeGroups: Effect.fnUntraced(function*(groups) {
      const found = new Map<string, GroupDescription>()
      for (let i = 0; i < groups.length; i += groupsAtOnce) {
        const some = groups.slice(i, i + groupsAtOnce)
        const answer = yield* named("describe groups", { groupId: some[0]! }, requests.describeGroups(some))
        for (const group of answer) found.set(group.groupId, group)
      }
      return yield* Effect.forEach(groups, (groupId) => {
        const group = found.get(groupId)
        return group === undefined ? Effect.fail(missingGroup(groupId)) : Effect.succeed(group)
      })
    }),
    deleteGroups: (groups) =>
      Effect.forEach(groups, (groupId) => named("delete group", { groupId }, requests.deleteGroup(groupId)), {
        discard: true
      }),
    committedOffsets: (groupId, topics) =>
      Effect.andThen(
        cluster.connect,
        Effect.map(
          fetchCommitted(cluster, groupId, undefined, backoffMs),
          (all) => topics === undefined ? all : all.filter(({ topic }) => topics.includes(topic))
        )
      ),
    setOffsets: (groupId, offsets) => offsets.length === 0 ? Effect.void : setOffsets(groupId, offsets),
    listOffsets: (partitions, at) =>
      Effect.andThen(cluster.connect, listOffsets(cluster, uncommitted, partitions, at, backoffMs)),
    deleteRecords: (offsets) =>
      Effect.forEach(
        grouped(offsets, ({ offset, partition }) => ({ partition, offset })),
        ({ partitions, topic }) =>
          Effect.andThen(
            Effect.andThen(cluster.connect, cluster.topic(topic)),
            named("delete records", { topic }, requests.deleteRecords(topic, partitions))
          ),
        { discard: true }
      )
  }
}

const described = ({ isInternal, partitionMetadata, topic }: TopicMetadata): TopicDescription => ({
  name: topic,
  internal: isInternal,
  partitions: partitionMetadata
    .map(({ isr, leader, partitionId, replicas }) => ({ partition: partitionId, leader, replicas, isr }))
    .sort((a, b) => a.partition - b.partition)
})

const aboutResource = (resource: ConfigResource): Partial<Subject> =>
  resource._tag === "Topic" ? { topic: resource.name } : {}

const missingGroup = (groupId: string): AdminError =>
  new AdminError({
    operation: "describe groups",
    code: errorCode(codes.groupIdNotFound).name,
    retriable: false,
    cause: new Error(`the answer lacks group ${groupId}`)
  })
