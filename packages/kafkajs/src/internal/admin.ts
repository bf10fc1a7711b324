/** Admin requests: kafkajs's own client where it does them well, requests on the cluster where it does not. */
import { AdminError, GroupError, type KafkaError } from "@weft/kafka/KafkaError"
import { type PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import type { ConfigResource, GroupDescription, TopicDescription, TransportAdmin } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Admin } from "kafkajs"
import { alterConfigsRequest, resourceTypes } from "./alterConfigsRequest.ts"
import { decodeAssignment } from "./assignerProtocol.ts"
import { attempt, type ConnectionOptions, clusterOptions, makeCluster } from "./clusterClient.ts"
import { askCoordinator } from "./coordinator.ts"
import { codes, errorCode } from "./errorCodes.ts"
import {
  adminError,
  type Failure,
  isRetriableFailure,
  isUnknownTopic,
  protocolFailure,
  type Subject
} from "./errorMap.ts"
import { groupReaction } from "./groupReaction.ts"
import { openAdmin, send, type TopicMetadata } from "./inside.ts"
import { failedPart, fetchCommitted, grouped, listOffsets } from "./offsets.ts"
import { adminPlan } from "./settingsMap.ts"

/** How long the cluster may take to create or delete a topic. */
const timeoutMs = 15_000

const backoffMs = adminPlan.retryBackoffMs

const uncommitted = 0

/** Described in one request to each coordinator; their members may be many. */
const groupsAtOnce = 50

export const makeAdmin = Effect.fnUntraced(function*(
  connection: ConnectionOptions
): Effect.fn.Return<TransportAdmin, KafkaError, Scope.Scope> {
  const plan = { ...adminPlan, clientId: connection.clientId ?? adminPlan.clientId }
  const cluster = yield* makeCluster(connection, plan)
  const { admin } = yield* Effect.acquireRelease(
    Effect.sync(() =>
      openAdmin({
        ...clusterOptions(connection, plan),
        retry: { retries: 3, initialRetryTime: backoffMs, maxRetryTime: plan.reconnectBackoffMaxMs }
      })
    ),
    ({ close }) => Effect.sync(close)
  )
  const one = yield* Semaphore.make(1)
  let connected = false
  const connect = one.withPermit(
    Effect.suspend(() =>
      connected ? Effect.void : Effect.tap(attempt(() => admin.connect()), () =>
        Effect.sync(() => {
          connected = true
        }))
    )
  )

  const named = <A>(
    operation: string,
    about: Omit<Subject, "brokers">,
    request: Effect.Effect<A, Failure>
  ): Effect.Effect<A, KafkaError> =>
    // The cluster first: it knows best why nobody answers.
    Effect.andThen(
      cluster.connect,
      Effect.mapError(request, (failure) => adminError(failure, operation, { ...about, brokers: cluster.addresses }))
    )

  const ask = <A>(
    operation: string,
    about: Omit<Subject, "brokers">,
    request: (admin: Admin) => Promise<A>
  ): Effect.Effect<A, KafkaError> => named(operation, about, Effect.andThen(connect, attempt(() => request(admin))))

  const allMetadata = Effect.flatMap(cluster.anyBroker, (broker) => attempt(() => broker.metadata([])))

  const createTopic = (topic: Parameters<TransportAdmin["createTopics"]>[0][number]) =>
    ask("create topic", { topic: topic.name }, (admin) =>
      admin.createTopics({
        timeout: timeoutMs,
        // It takes a broker that has not heard of the topic yet for an answer.
        waitForLeaders: false,
        topics: [{
          topic: topic.name,
          ...(topic.partitions === undefined ? {} : { numPartitions: topic.partitions }),
          ...(topic.replicationFactor === undefined ? {} : { replicationFactor: topic.replicationFactor }),
          configEntries: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value }))
        }]
      })).pipe(
        Effect.tap((created) => created ? untilLed(topic.name) : Effect.void)
      )

  /** Brokers hear of a topic, and partitions find their leaders, a moment after it was made. */
  const untilLed = (topic: string): Effect.Effect<void, KafkaError> =>
    named(
      "create topic",
      { topic },
      Effect.flatMap(cluster.anyBroker, (broker) => attempt(() => broker.metadata([topic]))).pipe(
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
        retentionTime: -1,
        topics: grouped(offsets, ({ offset, partition }) => ({ partition, offset: offset.toString(), metadata: "" }))
      })).pipe(
        Effect.flatMap(({ responses }) => {
          const failed = failedPart(responses)
          return failed === undefined ? Effect.void : Effect.fail(failed.failure)
        }),
        Effect.retry({ while: isPassing, schedule: Schedule.max([Schedule.spaced(backoffMs), Schedule.recurs(5)]) })
      )
    return Effect.andThen(
      cluster.connect,
      Effect.mapError(request, (failure) =>
        // How the coordinator says that the group has members.
        failure._tag === "Protocol" && failure.code.code === codes.unknownMemberId
          ? new GroupError({ groupId, code: errorCode(codes.nonEmptyGroup).name, cause: failure.cause })
          : adminError(failure, "set offsets", { brokers: cluster.addresses, groupId, topic: offsets[0]?.topic }))
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
        yield* cluster.connect
        const known = yield* named(
          "describe topics",
          {},
          Effect.flatMap(cluster.anyBroker, (broker) => attempt(() => broker.metadata(topics)))
        )
        return yield* Effect.forEach(topics, (topic) => {
          const metadata = known.topicMetadata.find((one) => one.topic === topic)
          const failure = protocolFailure(metadata?.topicErrorCode ?? codes.unknownTopicOrPartition)
          return metadata?.topicErrorCode === 0 ||
              (metadata !== undefined && !isUnknownTopic(failure) && metadata.partitionMetadata.length > 0)
            ? Effect.succeed(described(metadata))
            : Effect.fail(adminError(failure, "describe topics", { brokers: cluster.addresses, topic }))
        })
      }),
    createTopics: (topics) => Effect.map(Effect.forEach(topics, createTopic), (created) => created.includes(true)),
    deleteTopics: (topics) =>
      Effect.forEach(
        topics,
        (topic) =>
          ask("delete topic", { topic }, (admin) => admin.deleteTopics({ topics: [topic], timeout: timeoutMs })),
        {
          discard: true
        }
      ),
    createPartitions: (topic, count) =>
      Effect.asVoid(
        ask("create partitions", { topic }, (admin) =>
          admin.createPartitions({ topicPartitions: [{ topic, count }], timeout: timeoutMs }))
      ),
    describeConfigs: (resource) =>
      Effect.map(
        ask("describe configs", aboutResource(resource), (admin) =>
          admin.describeConfigs({ includeSynonyms: false, resources: [resourceOf(resource)] })),
        ({ resources }) =>
          resources.flatMap(({ configEntries }) =>
            configEntries.map(({ configName, configValue, isDefault, isSensitive, readOnly }) => ({
              name: configName,
              value: configValue,
              isDefault,
              isSensitive,
              readOnly
            }))
          )
      ),
    alterConfigs: (resource, configs) => {
      const { name, type } = resourceOf(resource)
      const broker = resource._tag === "Broker" ? cluster.broker(resource.id) : cluster.anyBroker
      const asked = named(
        "alter configs",
        aboutResource(resource),
        Effect.flatMap(broker, (one) => attempt(() => send(one, alterConfigsRequest(type, name, configs))))
      )
      return Effect.flatMap(asked, (answer) => {
        if (answer === undefined || answer.errorCode === 0) return Effect.void
        const cause = new Error(answer.message ?? `error code ${answer.errorCode} of the broker`)
        const failure: Failure = { _tag: "Protocol", code: errorCode(answer.errorCode), cause }
        return Effect.fail(
          adminError(failure, "alter configs", { ...aboutResource(resource), brokers: cluster.addresses })
        )
      })
    },
    listGroups: Effect.map(
      ask("list groups", {}, (admin) => admin.listGroups()),
      ({ groups }) => groups.map(({ groupId, protocolType }) => ({ groupId, protocolType }))
    ),
    describeGroups: Effect.fnUntraced(function*(groups) {
      const found = new Map<string, GroupDescription>()
      for (let i = 0; i < groups.length; i += groupsAtOnce) {
        const some = groups.slice(i, i + groupsAtOnce)
        const answer = yield* ask("describe groups", { groupId: some[0]! }, (admin) => admin.describeGroups(some))
        for (const group of answer.groups) found.set(group.groupId, describedGroup(group))
      }
      return yield* Effect.forEach(groups, (groupId) => {
        const group = found.get(groupId)
        return group === undefined ? Effect.fail(missingGroup(groupId)) : Effect.succeed(group)
      })
    }),
    deleteGroups: (groups) =>
      Effect.forEach(groups, (groupId) => ask("delete group", { groupId }, (admin) => admin.deleteGroups([groupId])), {
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
        grouped(offsets, ({ offset, partition }) => ({ partition, offset: offset.toString() })),
        (one) =>
          Effect.andThen(
            Effect.andThen(cluster.connect, cluster.topic(one.topic)),
            ask("delete records", { topic: one.topic }, (admin) =>
              // It finds leaders only for topics whose metadata it has.
              admin.fetchTopicOffsets(one.topic).then(() => admin.deleteTopicRecords(one)))
          ),
        { discard: true }
      )
  }
})

const isPassing = (failure: Failure): boolean => {
  const reaction = groupReaction(failure)
  return reaction === "elsewhere" || reaction === "later"
}

const described = ({ isInternal, partitionMetadata, topic }: TopicMetadata): TopicDescription => ({
  name: topic,
  internal: isInternal,
  partitions: partitionMetadata
    .map(({ isr, leader, partitionId, replicas }) => ({ partition: partitionId, leader, replicas, isr }))
    .sort((a, b) => a.partition - b.partition)
})

const resourceOf = (resource: ConfigResource): { readonly type: number; readonly name: string } =>
  resource._tag === "Topic"
    ? { type: resourceTypes.topic, name: resource.name }
    : { type: resourceTypes.broker, name: String(resource.id) }

const aboutResource = (resource: ConfigResource): Omit<Subject, "brokers"> =>
  resource._tag === "Topic" ? { topic: resource.name } : {}

const describedGroup = (group: Awaited<ReturnType<Admin["describeGroups"]>>["groups"][number]): GroupDescription => ({
  groupId: group.groupId,
  state: group.state,
  protocol: group.protocol,
  members: group.members.map((member) => ({
    memberId: member.memberId,
    clientId: member.clientId,
    host: member.clientHost,
    assignment: decodeAssignment(member.memberAssignment).map(({ partition, topic }) =>
      new TopicPartition(topic, partition)
    )
  }))
})

const missingGroup = (groupId: string): AdminError =>
  new AdminError({
    operation: "describe groups",
    code: errorCode(69).name,
    retriable: false,
    cause: new Error(`the answer lacks group ${groupId}`)
  })
