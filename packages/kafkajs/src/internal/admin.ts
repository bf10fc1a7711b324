/** Admin requests: kafkajs's own client where it does them well, requests on the cluster where it does not. */
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { GroupDescription, TransportAdmin } from "@weft/kafka/Transport"
import type { Cluster } from "@weft/protocol/Cluster"
import * as ClusterAdmin from "@weft/protocol/ClusterAdmin"
import { assignmentOf } from "@weft/protocol/ConsumerProtocol"
import { byCoordinator } from "@weft/protocol/Coordinator"
import * as DescribeConsumerGroups from "@weft/protocol/DescribeConsumerGroups"
import { errorCode } from "@weft/protocol/ErrorCode"
import { type Failure, protocolFailure } from "@weft/protocol/Failure"
import { isPassing } from "@weft/protocol/GroupReaction"
import { adminPlan } from "@weft/protocol/Plan"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { Admin } from "kafkajs"
import { alterConfigsRequest } from "./alterConfigsRequest.ts"
import type { KafkaJsBroker } from "./broker.ts"
import { type ConnectionOptions, clusterOptions, makeCluster } from "./cluster.ts"
import { openAdmin } from "./inside.ts"

const { resourceOf, timeoutMs } = ClusterAdmin

export const makeAdmin = Effect.fnUntraced(function*(
  connection: ConnectionOptions
): Effect.fn.Return<TransportAdmin, KafkaError, Scope.Scope> {
  const plan = { ...adminPlan, clientId: connection.clientId ?? adminPlan.clientId }
  const cluster = yield* makeCluster(connection, plan)
  const { admin } = yield* Effect.acquireRelease(
    Effect.sync(() =>
      openAdmin({
        ...clusterOptions(connection, plan),
        retry: { retries: 3, initialRetryTime: plan.retryBackoffMs, maxRetryTime: plan.reconnectBackoffMaxMs }
      })
    ),
    ({ close }) => Effect.sync(close)
  )
  const one = yield* Semaphore.make(1)
  let connected = false
  const connect = one.withPermit(
    Effect.suspend(() =>
      connected ? Effect.void : Effect.tap(cluster.attempt(() => admin.connect()), () =>
        Effect.sync(() => {
          connected = true
        }))
    )
  )
  const ask = <A>(request: (admin: Admin) => Promise<A>): Effect.Effect<A, Failure> =>
    Effect.andThen(connect, cluster.attempt(() => request(admin)))

  return ClusterAdmin.make(cluster, {
    createTopic: (topic) =>
      ask((admin) =>
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
        })
      ),
    deleteTopic: (topic) => ask((admin) => admin.deleteTopics({ topics: [topic], timeout: timeoutMs })),
    createPartitions: (topic, count) =>
      ask((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }], timeout: timeoutMs })),
    describeConfigs: (resource) =>
      Effect.map(
        ask((admin) => admin.describeConfigs({ includeSynonyms: false, resources: [resourceOf(resource)] })),
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
      const asked = Effect.flatMap(
        broker,
        (one) => cluster.attempt(() => one.send(alterConfigsRequest(type, name, configs)))
      )
      return Effect.flatMap(asked, (answer) => {
        if (answer === undefined || answer.errorCode === 0) return Effect.void
        const cause = new Error(answer.message ?? `error code ${answer.errorCode} of the broker`)
        return Effect.fail<Failure>({ _tag: "Protocol", code: errorCode(answer.errorCode), cause })
      })
    },
    listGroups: Effect.map(
      ask((admin) => admin.listGroups()),
      ({ groups }) => groups.map(({ groupId, protocolType }) => ({ groupId, protocolType }))
    ),
    describeGroups: (groupIds) =>
      Effect.gen(function*() {
        const { groups } = yield* ask((admin) => admin.describeGroups([...groupIds]))
        // What is asked about here is dead, too, where it is a group of the protocol of KIP-848.
        const dead = groups.filter(({ state }) => state === "Dead").map(({ groupId }) => groupId)
        const others = dead.length === 0 ? noGroups : yield* describeConsumerGroups(cluster, dead)
        return groups.map((group) => others.get(group.groupId) ?? described(group))
      }),
    deleteGroup: (groupId) => ask((admin) => admin.deleteGroups([groupId])),
    deleteRecords: (topic, offsets) =>
      ask((admin) =>
        // It finds leaders only for topics whose metadata it has.
        admin.fetchTopicOffsets(topic).then(() =>
          admin.deleteTopicRecords({
            topic,
            partitions: offsets.map(({ offset, partition }) => ({ partition, offset: offset.toString() }))
          })
        )
      )
  })
})

const noGroups: ReadonlyMap<string, GroupDescription> = new Map()

/** kafkajs does not have the request. Of those that speak the protocol of KIP-848; the brokers may not, either. */
const describeConsumerGroups = (
  cluster: Cluster<KafkaJsBroker>,
  groupIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, GroupDescription>, Failure> =>
  Effect.gen(function*() {
    const found = new Map<string, GroupDescription>()
    for (const [nodeId, some] of yield* byCoordinator(cluster, groupIds)) {
      const broker = yield* cluster.broker(nodeId)
      if (!broker.knows(DescribeConsumerGroups.apiKey)) continue
      const answer = yield* cluster.attempt(() => broker.send(DescribeConsumerGroups.request(some)))
      for (const { description, errorCode } of answer ?? []) {
        if (errorCode === 0) found.set(description.groupId, description)
        else if (isPassing(protocolFailure(errorCode))) return yield* Effect.fail(protocolFailure(errorCode))
      }
    }
    return found
  }).pipe(Effect.retry({ while: isPassing, schedule: retries }))

/** As often as something is asked that the cluster may answer a moment later. */
const retries = Schedule.max([Schedule.spaced(adminPlan.retryBackoffMs), Schedule.recurs(5)])

const described = (group: Awaited<ReturnType<Admin["describeGroups"]>>["groups"][number]): GroupDescription => ({
  groupId: group.groupId,
  state: group.state,
  protocol: group.protocol,
  members: group.members.map((member) => ({
    memberId: member.memberId,
    clientId: member.clientId,
    host: member.clientHost,
    assignment: assignmentOf(member.memberAssignment).map(({ partition, topic }) =>
      new TopicPartition(topic, partition)
    )
  }))
})
