/**
 * Settings as the options of a client that a team keeps. What the client cannot do is listed, not dropped in silence.
 *
 * @since 0.1.0
 */
import { instanceIdOn } from "@weft/config/ConsumerConfig"
import { hostname } from "node:os"
import type { ConsumerSettings } from "./ConsumerConfig.ts"

/**
 * A setting that the client does not apply as it stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unsupported {
  readonly setting: keyof ConsumerSettings
  readonly value: string | number | boolean
  /** What the client does instead, or what the program has to do. */
  readonly reason: string
}

/**
 * Options of kafkajs 2: `new Kafka({ brokers, ...kafka })`, `kafka.consumer(consumer)`,
 * `consumer.subscribe({ topics, ...subscribe })`, `consumer.run({ ...run, eachMessage })`.
 *
 * @category models
 * @since 0.1.0
 */
export interface KafkaJsOptions {
  readonly kafka: { readonly requestTimeout: number }
  readonly consumer: {
    readonly groupId: string
    readonly sessionTimeout: number
    readonly rebalanceTimeout: number
    readonly heartbeatInterval: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly maxBytesPerPartition: number
    readonly maxWaitTimeInMs: number
    readonly readUncommitted: boolean
    readonly retry: { readonly initialRetryTime: number; readonly maxRetryTime: number }
  }
  readonly subscribe: { readonly fromBeginning: boolean }
  readonly run: {
    readonly autoCommit: boolean
    readonly autoCommitInterval: number | null
    /** Only where `concurrency` is set: without it, kafkajs processes one partition at a time. */
    readonly partitionsConsumedConcurrently?: number
  }
  readonly unsupported: ReadonlyArray<Unsupported>
}

const listed = (
  settings: ConsumerSettings,
  reasons: { readonly [K in keyof ConsumerSettings]?: string | false }
): ReadonlyArray<Unsupported> =>
  Object.entries(reasons).flatMap(([name, reason]) => {
    const setting = name as keyof ConsumerSettings
    return reason === false ? [] : [{ setting, value: settings[setting], reason }]
  })

/** Weft's own, which no client has. */
const ownOf = (client: string) => ({
  queueMaxRecords: `${client} has no queue of each partition`,
  queueMaxBytes: `${client} has no queue of each partition`,
  metricsIntervalMs: `${client} writes no metrics`
})

/**
 * The settings as options of kafkajs 2.
 *
 * @category converting
 * @since 0.1.0
 */
export const toKafkaJs = (settings: ConsumerSettings): KafkaJsOptions => ({
  kafka: { requestTimeout: settings.requestTimeoutMs },
  consumer: {
    groupId: settings.consumerGroupId,
    sessionTimeout: settings.sessionTimeoutMs,
    rebalanceTimeout: settings.maxPollIntervalMs,
    heartbeatInterval: settings.heartbeatIntervalMs,
    minBytes: settings.fetchMinBytes,
    maxBytes: settings.fetchMaxBytes,
    maxBytesPerPartition: settings.maxPartitionFetchBytes,
    maxWaitTimeInMs: settings.fetchMaxWaitMs,
    readUncommitted: settings.isolationLevel === "read_uncommitted",
    retry: {
      initialRetryTime: settings.retryBackoffMs,
      // It may not be less than the first pause.
      maxRetryTime: Math.max(settings.retryBackoffMs, settings.reconnectBackoffMaxMs)
    }
  },
  subscribe: { fromBeginning: settings.autoOffsetReset === "earliest" },
  run: {
    autoCommit: settings.enableAutoCommit,
    autoCommitInterval: settings.enableAutoCommit ? settings.autoCommitIntervalMs : null,
    ...settings.concurrency > 0 ? { partitionsConsumedConcurrently: settings.concurrency } : {}
  },
  unsupported: listed(settings, {
    groupProtocol: settings.groupProtocol === "consumer" && "kafkajs speaks classic only",
    groupInstanceId: settings.groupInstanceId !== "" && "kafkajs has no static members: each restart is a rebalance",
    maxPollRecords:
      "kafkajs hands over all that was fetched of a partition: in eachBatch, take slices, and resolve each when it is done",
    maxPollIntervalMs:
      "as rebalanceTimeout it bounds a rebalance only: a handler that is stuck is not noticed, as heartbeats go on",
    partitionAssignmentStrategy: settings.partitionAssignmentStrategy !== "roundrobin"
      && "kafkajs brings its round-robin assigner only; others have to be written as partitionAssigners",
    enableAutoCommit: settings.enableAutoCommit
      && "kafkajs commits what eachBatch has resolved, or eachMessage has returned from: await the work there",
    autoOffsetReset: settings.autoOffsetReset === "none"
      && "kafkajs cannot fail where there is no offset: fromBeginning false begins at the end",
    reconnectBackoffMs: "kafkajs has one back-off for requests and connections: retryBackoffMs is its first pause",
    connectionsMaxIdleMs: "kafkajs closes no idle connections",
    processingOrder: settings.processingOrder !== "partition" && "kafkajs processes each partition in its order",
    maxInFlight: settings.maxInFlight > 0
      && "kafkajs holds what it has fetched: maxBytes for each of its brokers at the same time",
    bufferMaxBytes: "kafkajs holds what it has fetched: maxBytes for each of its brokers at the same time",
    ...ownOf("kafkajs")
  })
})

/**
 * Options of @platformatic/kafka that depend on the group protocol: in KIP-848's, sessions, heartbeats and the assignment are the
 * broker's business.
 *
 * @category models
 * @since 0.1.0
 */
export type PlatformaticGroupOptions =
  | {
    readonly groupProtocol?: never
    readonly groupRemoteAssignor?: never
    readonly sessionTimeout: number
    readonly heartbeatInterval: number
    /** Only for cooperative-sticky; without it, the client deals partitions out in turn. */
    readonly protocols?: ReadonlyArray<{ readonly name: string; readonly version: number }>
  }
  | {
    readonly groupProtocol: "consumer"
    readonly groupRemoteAssignor: "range" | "uniform"
    readonly sessionTimeout?: never
    readonly heartbeatInterval?: never
    readonly protocols?: never
  }

/**
 * Options of @platformatic/kafka: `new Consumer({ clientId, bootstrapBrokers, ...consumer })`,
 * `consumer.consume({ topics, ...consume })`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlatformaticOptions {
  readonly consumer: PlatformaticGroupOptions & {
    readonly groupId: string
    /** Only of a static member. */
    readonly groupInstanceId?: string
    readonly rebalanceTimeout: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly maxBytesPerPartition: number
    readonly maxWaitTime: number
    /** As Kafka numbers it: 0 uncommitted, 1 committed. */
    readonly isolationLevel: 0 | 1
    readonly autocommit: false | number
    readonly requestTimeout: number
    readonly retryDelay: number
  }
  readonly consume: { readonly mode: "committed"; readonly fallbackMode: "earliest" | "latest" | "fail" }
  readonly unsupported: ReadonlyArray<Unsupported>
}

const groupOptionsOf = (settings: ConsumerSettings): PlatformaticGroupOptions =>
  settings.groupProtocol === "consumer"
    ? {
      groupProtocol: "consumer",
      groupRemoteAssignor: settings.partitionAssignmentStrategy === "range" ? "range" : "uniform"
    }
    : {
      sessionTimeout: settings.sessionTimeoutMs,
      heartbeatInterval: settings.heartbeatIntervalMs,
      ...settings.partitionAssignmentStrategy === "cooperative-sticky"
        ? { protocols: [{ name: "cooperative-sticky", version: 1 }] }
        : {}
    }

const decidedByTheBroker = {
  sessionTimeoutMs: "in the group protocol consumer it is the broker's group.consumer.session.timeout.ms",
  heartbeatIntervalMs: "in the group protocol consumer it is the broker's group.consumer.heartbeat.interval.ms"
}

/**
 * The settings as options of @platformatic/kafka.
 *
 * @category converting
 * @since 0.1.0
 */
export const toPlatformatic = (settings: ConsumerSettings): PlatformaticOptions => ({
  consumer: {
    groupId: settings.consumerGroupId,
    ...groupOptionsOf(settings),
    ...settings.groupInstanceId === "" ? {} : { groupInstanceId: instanceIdOn(settings, hostname())! },
    rebalanceTimeout: settings.maxPollIntervalMs,
    minBytes: settings.fetchMinBytes,
    maxBytes: settings.fetchMaxBytes,
    maxBytesPerPartition: settings.maxPartitionFetchBytes,
    maxWaitTime: settings.fetchMaxWaitMs,
    isolationLevel: settings.isolationLevel === "read_committed" ? 1 : 0,
    autocommit: settings.enableAutoCommit ? settings.autoCommitIntervalMs : false,
    requestTimeout: settings.requestTimeoutMs,
    retryDelay: settings.retryBackoffMs
  },
  consume: {
    mode: "committed",
    fallbackMode: settings.autoOffsetReset === "none" ? "fail" : settings.autoOffsetReset
  },
  unsupported: listed(settings, {
    ...settings.groupProtocol === "consumer" ? decidedByTheBroker : {},
    maxPollRecords: "its stream hands over messages one by one: gather as many yourself",
    maxPollIntervalMs:
      "as rebalanceTimeout it bounds a rebalance only: a handler that is stuck is not noticed, as heartbeats go on",
    partitionAssignmentStrategy: settings.groupProtocol === "classic"
      && (settings.partitionAssignmentStrategy === "range" || settings.partitionAssignmentStrategy === "sticky")
      && "it brings roundrobin and cooperative-sticky only; others have to be written as partitionAssigner",
    enableAutoCommit: settings.enableAutoCommit
      && "autocommit commits what the stream has handed over, done or not: to lose nothing, call message.commit() when it is",
    reconnectBackoffMs: "it has one pause for requests and connections: retryDelay",
    reconnectBackoffMaxMs: "its pauses do not grow: retryDelay is the only one",
    connectionsMaxIdleMs: "it closes no idle connections",
    processingOrder: settings.processingOrder !== "partition"
      && "its stream hands over messages in the order of each partition: what waits for what is yours to say",
    concurrency: settings.concurrency > 0 && "its stream hands over messages one by one: work on as many yourself",
    maxInFlight: settings.maxInFlight > 0 && "its stream hands over messages one by one: count them yourself",
    bufferMaxBytes: "its stream counts messages (highWaterMark), not bytes",
    ...ownOf("it")
  })
})
