/** Admin requests, one by one, to whichever broker answers them. */
import {
  ConfigSources,
  consumerGroupDescribeV0,
  createPartitionsV2,
  createTopicsV5,
  deleteGroupsV2,
  deleteRecordsV2,
  deleteTopicsV4,
  describeConfigsV3,
  describeGroupsV5,
  incrementalAlterConfigsV1,
  listGroupsV4
} from "@platformatic/kafka"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { ConfigResource, GroupDescription } from "@weft/kafka/Transport"
import type { Cluster } from "@weft/protocol/Cluster"
import { type AdminRequests, resourceOf, timeoutMs } from "@weft/protocol/ClusterAdmin"
import { assignmentOf } from "@weft/protocol/ConsumerProtocol"
import { askCoordinator, byCoordinator } from "@weft/protocol/Coordinator"
import { codes } from "@weft/protocol/ErrorCode"
import { type Failure, isRetriableFailure, protocolFailure } from "@weft/protocol/Failure"
import { isPassing } from "@weft/protocol/GroupReaction"
import { adminPlan } from "@weft/protocol/Plan"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { PlatformaticBroker } from "./broker.ts"
import type { Connection } from "./connection.ts"

/** The operation of an alteration that sets a value. */
const set = 0

/** As often as something is asked that the cluster may answer a moment later. */
const retries = Schedule.max([Schedule.spaced(adminPlan.retryBackoffMs), Schedule.recurs(5)])

const hasCode = (code: number) => (failure: Failure): boolean =>
  failure._tag === "Protocol" && failure.code.code === code

export const adminRequests = (cluster: Cluster<PlatformaticBroker>): AdminRequests => {
  type Ask<A> = (connection: Connection) => Promise<A>

  const on = <A>(broker: Effect.Effect<PlatformaticBroker, Failure>, ask: Ask<A>): Effect.Effect<A, Failure> =>
    Effect.flatMap(broker, ({ connection }) => cluster.attempt(() => ask(connection)))

  const controller = Effect.suspend(() => {
    const node = cluster.metadata()?.controllerId ?? -1
    return node < 0 ? cluster.anyBroker : cluster.broker(node)
  })

  const onController = <A>(ask: Ask<A>): Effect.Effect<A, Failure> =>
    on(controller, ask).pipe(
      Effect.tapError((failure) =>
        hasCode(codes.notController)(failure) ? Effect.ignore(cluster.refresh) : Effect.void
      ),
      Effect.retry({ while: hasCode(codes.notController), schedule: retries })
    )

  const onCoordinator = <A>(groupId: string, ask: Ask<A>): Effect.Effect<A, Failure> =>
    Effect.retry(askCoordinator(cluster, groupId, ({ connection }) => ask(connection)), {
      while: isPassing,
      schedule: retries
    })

  const onOwner = <A>(resource: ConfigResource, ask: Ask<A>): Effect.Effect<A, Failure> =>
    on(resource._tag === "Broker" ? cluster.broker(resource.id) : cluster.anyBroker, ask)

  const everyBroker = Effect.suspend(() =>
    Effect.forEach(cluster.metadata()?.brokers ?? [], ({ nodeId }) => cluster.broker(nodeId))
  )

  return {
    createTopic: (topic) =>
      onController((connection) =>
        connection.ask(
          createTopicsV5.api,
          [{
            name: topic.name,
            numPartitions: topic.partitions ?? brokerDefault,
            replicationFactor: topic.replicationFactor ?? brokerDefault,
            assignments: [],
            configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value }))
          }],
          timeoutMs,
          false
        )
      ).pipe(
        Effect.as(true),
        Effect.catchIf(hasCode(codes.topicAlreadyExists), () => Effect.succeed(false))
      ),
    deleteTopic: (name) => onController((connection) => connection.ask(deleteTopicsV4.api, [{ name }], timeoutMs)),
    createPartitions: (name, count) =>
      onController((connection) =>
        connection.ask(createPartitionsV2.api, [{ name, count, assignments: null }], timeoutMs, false)
      ),
    describeConfigs: (resource) => {
      const { name, type } = resourceOf(resource)
      return Effect.map(
        onOwner(
          resource,
          (connection) =>
            connection.ask(describeConfigsV3.api, [{ resourceType: type, resourceName: name }], false, false)
        ),
        ({ results }) =>
          results.flatMap(({ configs }) =>
            configs.map((entry) => ({
              name: entry.name,
              value: entry.value ?? null,
              isDefault: entry.configSource === ConfigSources.DEFAULT_CONFIG,
              isSensitive: entry.isSensitive,
              readOnly: entry.readOnly
            }))
          )
      )
    },
    alterConfigs: (resource, configs) => {
      const { name, type } = resourceOf(resource)
      const changes = Object.entries(configs).map(([name, value]) => ({ name, configOperation: set, value } as const))
      return onOwner(resource, (connection) =>
        connection.ask(
          incrementalAlterConfigsV1.api,
          [{ resourceType: type, resourceName: name, configs: changes }],
          false
        ))
    },
    listGroups: Effect.flatMap(everyBroker, (brokers) =>
      Effect.map(
        Effect.forEach(brokers, ({ connection }) => cluster.attempt(() => connection.ask(listGroupsV4.api, [], []))),
        (answers) =>
          answers.flatMap(({ groups }) => groups.map(({ groupId, protocolType }) => ({ groupId, protocolType })))
      )),
    describeGroups: (groupIds) =>
      Effect.gen(function*() {
        const answers = yield* Effect.forEach(
          yield* byCoordinator(cluster, groupIds),
          ([nodeId, some]) => on(cluster.broker(nodeId), (connection) => describeGroups(connection, some))
        )
        return answers.flat()
      }).pipe(Effect.retry({ while: isPassing, schedule: retries })),
    deleteGroup: (groupId) => onCoordinator(groupId, (connection) => connection.ask(deleteGroupsV2.api, [groupId])),
    deleteRecords: (topic, offsets) =>
      Effect.suspend(() =>
        Effect.forEach(
          Map.groupBy(offsets, ({ partition }) => cluster.leaderOf(topic, partition)),
          ([leader, some]) =>
            leader === undefined
              ? Effect.fail(protocolFailure(codes.leaderNotAvailable))
              : on(cluster.broker(leader), (connection) =>
                connection.ask(
                  deleteRecordsV2.api,
                  [{
                    name: topic,
                    partitions: some.map(({ offset, partition }) => ({ partitionIndex: partition, offset }))
                  }],
                  timeoutMs
                )),
          { discard: true }
        )
      ).pipe(
        Effect.tapError((failure) => isRetriableFailure(failure) ? Effect.ignore(cluster.refresh) : Effect.void),
        Effect.retry({ while: isRetriableFailure, schedule: retries })
      )
  }
}

const brokerDefault = -1

const describeGroups = async (
  connection: Connection,
  groupIds: ReadonlyArray<string>
): Promise<ReadonlyArray<GroupDescription>> => {
  const { groups } = await connection.ask(describeGroupsV5.api, [...groupIds], false)
  // What is asked about here is dead, too, where it is a group of the protocol of KIP-848.
  const dead = groups.filter(({ groupState }) => groupState === "Dead").map(({ groupId }) => groupId)
  const others = dead.length > 0 && connection.knows(consumerGroupDescribeV0.api)
    ? await describeConsumerGroups(connection, dead)
    : new Map<string, GroupDescription>()
  return groups.map((group) =>
    others.get(group.groupId) ?? {
      groupId: group.groupId,
      state: group.groupState,
      protocol: group.protocolData,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        clientId: member.clientId,
        host: member.clientHost,
        assignment: assignmentOf(member.memberAssignment).map(({ partition, topic }) =>
          new TopicPartition(topic, partition)
        )
      }))
    }
  )
}

const describeConsumerGroups = async (
  connection: Connection,
  groupIds: ReadonlyArray<string>
): Promise<ReadonlyMap<string, GroupDescription>> => {
  const { groups } = await connection.inParts(consumerGroupDescribeV0.api, [...groupIds], false)
  const found = groups.filter(({ errorCode }) => errorCode === 0).map((group): GroupDescription => ({
    groupId: group.groupId,
    state: group.groupState,
    protocol: group.assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: member.assignment.topicPartitions.flatMap(({ partitions, topicName }) =>
        partitions.map((partition) => new TopicPartition(topicName, partition))
      )
    }))
  }))
  return new Map(found.map((group) => [group.groupId, group]))
}
