/** A broker on a connection of @platformatic/kafka, as the protocol's modules ask it. */
import {
  consumerGroupHeartbeatV1,
  findCoordinatorV3,
  heartbeatV4,
  initProducerIdV3,
  joinGroupV7,
  leaveGroupV4,
  listOffsetsV5,
  metadataV12,
  metadataV9,
  offsetCommitV8,
  offsetCommitV9,
  offsetFetchV7,
  syncGroupV5
} from "@platformatic/kafka"
import type {
  Broker,
  ClusterMetadata,
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  Node,
  WireRequest
} from "@weft/protocol/Client"
import type { Connection } from "./connection.ts"

type Asked<Name extends keyof Broker> = Broker[Name] extends (request: infer Request) => unknown ? Request : never
type Answered<Name extends keyof Broker> = Broker[Name] extends (request: never) => infer Answer ? Answer : never

/** Kafka's number for consumer groups. */
const groupCoordinator = 0

/** What the network may take besides the time that the coordinator waits for members. */
const networkDelayMs = 5000

const consumerProtocol = "consumer"

/** Whoever commits does not say which leader wrote the record. */
const unknownEpoch = -1

/** A time that the coordinator has been told already. */
const unchanged = -1

export class PlatformaticBroker implements Broker {
  readonly connection: Connection
  private readonly groupInstanceId: string | null
  /** A static member goes by its instance id in each request of the group. */
  constructor(connection: Connection, groupInstanceId: string | undefined) {
    this.connection = connection
    this.groupInstanceId = groupInstanceId ?? null
  }

  isConnected(): boolean {
    return this.connection.isConnected
  }

  send<A>(request: WireRequest<A>): Promise<A | undefined> {
    return this.connection.send(request)
  }

  metadata(topics: ReadonlyArray<string>): Promise<ClusterMetadata> {
    return this.metadataOf(topics.length === 0 ? null : topics)
  }

  /** `null`: all of them. None: the brokers alone. */
  async metadataOf(topics: ReadonlyArray<string> | null): Promise<ClusterMetadata> {
    const { connection } = this
    const wanted = topics as Array<string>
    const withIds = connection.knows(metadataV12.api)
    const answer = await (withIds
      ? connection.inParts(metadataV12.api, wanted, false, false)
      : connection.inParts(metadataV9.api, wanted, false, false))
    return {
      brokers: answer.brokers,
      clusterId: answer.clusterId ?? "",
      controllerId: answer.controllerId,
      topicMetadata: answer.topics.map((topic) => ({
        topic: topic.name ?? "",
        topicErrorCode: topic.errorCode,
        topicId: withIds ? topic.topicId : undefined,
        isInternal: topic.isInternal,
        partitionMetadata: topic.partitions.map((partition) => ({
          partitionErrorCode: partition.errorCode,
          partitionId: partition.partitionIndex,
          leader: partition.leaderId,
          replicas: partition.replicaNodes,
          isr: partition.isrNodes
        }))
      }))
    }
  }

  async findGroupCoordinator(groupId: string): Promise<Node> {
    const { coordinators: [coordinator] } = await this.connection.ask(findCoordinatorV3.api, groupCoordinator, [
      groupId
    ])
    return coordinator!
  }

  async joinGroup(request: Asked<"joinGroup">): Answered<"joinGroup"> {
    const { groupId, groupProtocols, memberId, rebalanceTimeout, sessionTimeout } = request
    const answer = await this.connection.inPartsFor(
      Math.max(rebalanceTimeout, sessionTimeout) + networkDelayMs,
      joinGroupV7.api,
      groupId,
      sessionTimeout,
      rebalanceTimeout,
      memberId,
      this.groupInstanceId,
      consumerProtocol,
      [...groupProtocols],
      null
    )
    return {
      errorCode: answer.errorCode,
      generationId: answer.generationId,
      leaderId: answer.leader,
      memberId: answer.memberId,
      groupProtocol: answer.protocolName ?? "",
      members: answer.members.map(({ memberId, metadata }) => ({
        memberId,
        memberMetadata: metadata ?? Buffer.alloc(0)
      }))
    }
  }

  async syncGroup(request: Asked<"syncGroup">): Answered<"syncGroup"> {
    const { generationId, groupAssignment, groupId, groupProtocol, memberId } = request
    const { assignment } = await this.connection.ask(
      syncGroupV5.api,
      groupId,
      generationId,
      memberId,
      this.groupInstanceId,
      consumerProtocol,
      groupProtocol,
      groupAssignment.map(({ memberAssignment, memberId }) => ({ memberId, assignment: memberAssignment }))
    )
    return { memberAssignment: assignment }
  }

  heartbeat({ groupGenerationId, groupId, memberId }: Asked<"heartbeat">): Answered<"heartbeat"> {
    return this.connection.ask(heartbeatV4.api, groupId, groupGenerationId, memberId, this.groupInstanceId)
  }

  leaveGroup({ groupId, memberId }: Asked<"leaveGroup">): Answered<"leaveGroup"> {
    return this.connection.ask(leaveGroupV4.api, groupId, [{ memberId, groupInstanceId: this.groupInstanceId }])
  }

  async listOffsets({ isolationLevel, topics }: Asked<"listOffsets">): Answered<"listOffsets"> {
    const answer = await this.connection.inParts(
      listOffsetsV5.api,
      -1,
      isolationLevel,
      topics.map(({ partitions, topic }) => ({
        name: topic,
        partitions: partitions.map(({ partition, timestamp }) => ({
          partitionIndex: partition,
          currentLeaderEpoch: unknownEpoch,
          timestamp: BigInt(timestamp)
        }))
      }))
    )
    return {
      responses: answer.topics.map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions.map(({ errorCode, offset, partitionIndex }) => ({
          partition: partitionIndex,
          errorCode,
          offset
        }))
      }))
    }
  }

  async offsetCommit(request: Asked<"offsetCommit">): Answered<"offsetCommit"> {
    const { connection } = this
    const { groupGenerationId, groupId, memberId, topics } = request
    const isLatest = connection.knows(offsetCommitV9.api)
    const answer = await connection.inParts(
      // Only the later one is for members of the protocol of KIP-848.
      isLatest ? offsetCommitV9.api : offsetCommitV8.api,
      groupId,
      groupGenerationId,
      memberId,
      memberId === "" ? null : this.groupInstanceId,
      topics.map(({ partitions, topic }) => ({
        name: topic,
        partitions: partitions.map(({ metadata, offset, partition }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: unknownEpoch,
          committedMetadata: metadata
        }))
      }))
    )
    return {
      responses: answer.topics.map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions.map(({ errorCode, partitionIndex }) => ({ partition: partitionIndex, errorCode }))
      }))
    }
  }

  async offsetFetch({ groupId, topics }: Asked<"offsetFetch">): Answered<"offsetFetch"> {
    const wanted = topics.map(({ partitions, topic }) => ({
      name: topic,
      partitionIndexes: partitions.map(({ partition }) => partition)
    }))
    const answer = await this.connection.inParts(
      offsetFetchV7.api,
      [{ groupId, topics: wanted.length === 0 ? null : wanted }],
      false
    )
    return {
      errorCode: answer.errorCode,
      responses: answer.topics.map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions.map(({ committedOffset, errorCode, metadata, partitionIndex }) => ({
          partition: partitionIndex,
          errorCode,
          offset: committedOffset,
          metadata: metadata ?? null
        }))
      }))
    }
  }

  /** `undefined` where the broker does not know it: members choose their ids by themselves since Kafka 4.0. */
  get consumerGroupHeartbeat(): Broker["consumerGroupHeartbeat"] {
    return this.connection.knows(consumerGroupHeartbeatV1.api) ? (request) => this.beat(request) : undefined
  }

  private async beat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    const { assignor, groupId, memberEpoch, memberId, owned, rebalanceTimeoutMs, topics } = request
    const { assignment, ...answer } = await this.connection.ask(
      consumerGroupHeartbeatV1.api,
      groupId,
      memberId,
      memberEpoch,
      this.groupInstanceId,
      null,
      rebalanceTimeoutMs ?? unchanged,
      topics === undefined ? null : [...topics],
      null,
      assignor ?? null,
      owned === undefined
        ? null
        : owned.map(({ partitions, topicId }) => ({ topicId, partitions: [...partitions] }))
    )
    return {
      memberEpoch: answer.memberEpoch,
      heartbeatIntervalMs: answer.heartbeatIntervalMs,
      assignment: assignment?.topicPartitions
    }
  }

  async initProducerId({ transactionTimeout }: Asked<"initProducerId">): Answered<"initProducerId"> {
    const { producerEpoch, producerId } = await this.connection.ask(
      initProducerIdV3.api,
      null,
      transactionTimeout,
      -1n,
      -1
    )
    return { producerId, producerEpoch }
  }
}
