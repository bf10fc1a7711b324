/**
 * What a client library is asked for here: connections with TLS and SASL, metadata, and requests that are answered one by
 * one. What a consumer or a producer does with them is in the other modules of this package, once for all libraries.
 *
 * @since 0.1.0
 */
import type { Failure } from "./Failure.ts"
import type { Reader, Writer } from "./Wire.ts"

/**
 * A partition as a broker tells it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionMetadata {
  readonly partitionErrorCode: number
  readonly partitionId: number
  /** -1 where nobody leads it. */
  readonly leader: number
  readonly replicas: ReadonlyArray<number>
  readonly isr: ReadonlyArray<number>
}

/**
 * A topic as a broker tells it.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicMetadata {
  readonly topicErrorCode: number
  readonly topic: string
  /** Absent where the library, or the broker (before 2.8), does not say. */
  readonly topicId?: string | undefined
  readonly isInternal: boolean
  readonly partitionMetadata: ReadonlyArray<PartitionMetadata>
}

/**
 * Where a broker is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/**
 * A cluster as a broker tells it: of its topics, those that were asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterMetadata {
  readonly brokers: ReadonlyArray<Node>
  readonly clusterId: string
  /** -1 where it is not known. */
  readonly controllerId: number
  readonly topicMetadata: ReadonlyArray<TopicMetadata>
}

/**
 * What came of the part of a request that was about one partition.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionResult {
  readonly partition: number
  /** 0: it went well. */
  readonly errorCode: number
}

/**
 * The parts of an answer that are about one topic.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicResults<A> {
  readonly topic: string
  readonly partitions: ReadonlyArray<PartitionResult & A>
}

/**
 * A member as the leader of its group sees it; what it says of itself is for `ConsumerProtocol`.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupMember {
  readonly memberId: string
  readonly memberMetadata: Buffer
}

/**
 * Partitions of one topic in a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicPartitions<A> {
  readonly topic: string
  readonly partitions: ReadonlyArray<{ readonly partition: number } & A>
}

/**
 * An answer that is read while its bytes come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Assembly<A> {
  /** The next of its bytes, which are valid for this call alone. */
  take(bytes: Buffer, start: number, end: number): void
  /** Where the next of its bytes may be read to, in place of `take`; `undefined`: nowhere yet. */
  room(): Buffer | undefined
  /** So many bytes were read there. */
  wrote(size: number): void
  /** After all of them. Throws what is wrong with it. */
  answer(): A
}

/**
 * A request that is written and read here, on the library's connection. The header is that of versions before the flexible
 * ones, without tagged fields: a flexible request writes, and its answer reads, those of the header as the first of the body.
 *
 * @category models
 * @since 0.1.0
 */
export interface WireRequest<A> {
  readonly apiKey: number
  readonly apiName: string
  /** The latest version that is known here; an older broker gets its own latest. */
  readonly maxVersion: number
  readonly encode: (version: number) => Writer
  readonly decode: (reader: Reader, version: number) => A
  /** In place of `decode`, where the library hands over the bytes of an answer as they come. `size`: how many there will be. */
  readonly assemble?: (size: number) => Assembly<A>
  /** `false`: the broker sends none, and the answer is `undefined`. */
  readonly expectResponse?: boolean
  /** Where the broker itself may take its time; else the one of all requests. */
  readonly timeoutMs?: number
  /** How long the broker wants to be left alone after its answer. */
  readonly throttleMs?: (value: A) => number
}

/**
 * Who a member is, for requests to its coordinator.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemberRequest {
  readonly groupId: string
  readonly memberId: string
}

/**
 * Partitions of a topic that goes by its id.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicIdPartitions {
  readonly topicId: string
  readonly partitions: ReadonlyArray<number>
}

/**
 * All that a member of the group protocol of KIP-848 says: it joins with epoch 0, and leaves with -1, or as a
 * static member that comes back with -2. `undefined` stands for what has not changed since the last heartbeat.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerHeartbeat extends MemberRequest {
  readonly memberEpoch: number
  readonly rebalanceTimeoutMs: number | undefined
  readonly topics: ReadonlyArray<string> | undefined
  readonly assignor: string | undefined
  /** What the member holds now. */
  readonly owned: ReadonlyArray<TopicIdPartitions> | undefined
}

/**
 * What the coordinator says to it. Partitions that another member has not released yet are not in the assignment.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerHeartbeatAnswer {
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** What the member shall hold; `undefined`: as before. */
  readonly assignment: ReadonlyArray<TopicIdPartitions> | undefined
}

/**
 * One broker, and the requests that it answers. A request that fails as a whole rejects with whatever the library throws
 * (`Client.classify` knows what it is); parts that failed are in the answers, each with its error code.
 *
 * @category models
 * @since 0.1.0
 */
export interface Broker {
  readonly isConnected: () => boolean
  readonly send: <A>(request: WireRequest<A>) => Promise<A | undefined>
  /** No topics: all of them. */
  readonly metadata: (topics: ReadonlyArray<string>) => Promise<ClusterMetadata>
  readonly findGroupCoordinator: (groupId: string) => Promise<Node>
  /** An error code of its own, since what comes with `MEMBER_ID_REQUIRED` is needed. */
  readonly joinGroup: (
    request: MemberRequest & {
      readonly sessionTimeout: number
      readonly rebalanceTimeout: number
      readonly groupProtocols: ReadonlyArray<{ readonly name: string; readonly metadata: Buffer }>
    }
  ) => Promise<{
    readonly errorCode: number
    readonly generationId: number
    readonly leaderId: string
    readonly memberId: string
    readonly groupProtocol: string
    readonly members: ReadonlyArray<GroupMember>
  }>
  readonly syncGroup: (
    request: MemberRequest & {
      readonly generationId: number
      readonly groupProtocol: string
      readonly groupAssignment: ReadonlyArray<{ readonly memberId: string; readonly memberAssignment: Buffer }>
    }
  ) => Promise<{ readonly memberAssignment: Buffer }>
  readonly heartbeat: (request: MemberRequest & { readonly groupGenerationId: number }) => Promise<unknown>
  readonly leaveGroup: (request: MemberRequest) => Promise<unknown>
  readonly listOffsets: (request: {
    /** As Kafka numbers it: 0 uncommitted, 1 committed. */
    readonly isolationLevel: 0 | 1
    /** -1 stands for the end of the log, -2 for its beginning. */
    readonly topics: ReadonlyArray<TopicPartitions<{ readonly timestamp: number }>>
  }) => Promise<{ readonly responses: ReadonlyArray<TopicResults<{ readonly offset: bigint }>> }>
  readonly offsetCommit: (
    request: MemberRequest & {
      readonly groupGenerationId: number
      readonly topics: ReadonlyArray<TopicPartitions<{ readonly offset: bigint; readonly metadata: string }>>
    }
  ) => Promise<{ readonly responses: ReadonlyArray<TopicResults<unknown>> }>
  /** No topics: all that the group has offsets of. An offset below 0: there is none. */
  readonly offsetFetch: (request: {
    readonly groupId: string
    readonly topics: ReadonlyArray<TopicPartitions<unknown>>
  }) => Promise<{
    readonly errorCode: number
    readonly responses: ReadonlyArray<TopicResults<{ readonly offset: bigint; readonly metadata: string | null }>>
  }>
  /** Of the group protocol of KIP-848; absent, or `undefined` where the broker does not know it. */
  readonly consumerGroupHeartbeat?: ((request: ConsumerHeartbeat) => Promise<ConsumerHeartbeatAnswer>) | undefined
  readonly initProducerId: (request: { readonly transactionTimeout: number }) => Promise<{
    readonly producerId: bigint
    readonly producerEpoch: number
  }>
}

/**
 * A connection of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dedicated<B extends Broker = Broker> {
  readonly broker: B
  /** Now; what waits for an answer fails. */
  readonly close: () => void
}

/**
 * A client library with its connections to one cluster.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client<B extends Broker = Broker> {
  /** What the transport is called in errors. */
  readonly name: string
  /** What it is that the library threw. */
  readonly classify: (thrown: unknown) => Failure
  /** Connects to one of the bootstrap addresses and learns of the brokers. */
  readonly connect: () => Promise<void>
  /** Asks this broker for the brokers and the topics in `topics` anew. */
  readonly refreshMetadata: (broker: B) => Promise<void>
  readonly metadata: () => ClusterMetadata | undefined
  /** Which topics `refreshMetadata` asks for. */
  readonly topics: Set<string>
  /** With a connection; a broker that is not known is a failure. */
  readonly findBroker: (nodeId: number) => Promise<B>
  /** Any that can be connected to, those to avoid last; one of the bootstrap addresses where none is known yet. */
  readonly anyBroker: () => Promise<B>
  /** It took a request and said nothing, or broke off: from now on others are asked before it. */
  readonly avoid: (broker: B) => void
  /** A connection of its own: what waits there (a join) holds up nothing else. */
  readonly dedicated: (node: Node) => Promise<Dedicated<B>>
  /** Closes every connection now, those that are being made included; what waits for an answer fails. */
  readonly close: () => void
}
