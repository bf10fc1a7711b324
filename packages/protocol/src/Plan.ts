/**
 * What becomes of each setting on a transport: applied, applied otherwise with a warning, or none of its business.
 *
 * @since 0.1.0
 */
import {
  type AssignmentStrategy,
  type ConsumerSettings,
  defaults,
  type GroupProtocol
} from "@weft/kafka/ConsumerSettings"
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import type { ProducerSettings, SettingWarning } from "@weft/kafka/Transport"
import * as Result from "effect/Result"

/**
 * The strategies of a member that gives every partition up before it joins again.
 *
 * @category models
 * @since 0.1.0
 */
export type EagerStrategy = Exclude<AssignmentStrategy, "cooperative-sticky">

/**
 * Of every client: who it is, and how long it waits and tries.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientPlan {
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly reconnectBackoffMs: number
  readonly reconnectBackoffMaxMs: number
  readonly retryBackoffMs: number
}

/**
 * Of a member of a consumer group.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupPlan {
  readonly groupId: string
  /** `consumer` is that of KIP-848. */
  readonly protocol: GroupProtocol
  /** Of a static member; `undefined`: it is none. */
  readonly instanceId: string | undefined
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly strategy: EagerStrategy
}

/**
 * Sizes and waits of a fetch.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchPlan {
  readonly minBytes: number
  readonly maxWaitMs: number
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  /** As Kafka numbers it: 0 uncommitted, 1 committed. */
  readonly isolationLevel: 0 | 1
}

/**
 * All that a consumer does by its settings.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerPlan {
  readonly client: ClientPlan
  readonly group: GroupPlan
  readonly fetch: FetchPlan
  readonly warnings: ReadonlyArray<SettingWarning>
}

type Fate =
  /** It is in a plan above. */
  | "applied"
  /** It is applied otherwise, and a warning says how. */
  | "warned"
  /** The consumer above every transport applies it. */
  | "above"

/**
 * Complete by its type: a setting that is added has to be thought of here.
 *
 * @category constants
 * @since 0.1.0
 */
export const fates: Readonly<Record<keyof ConsumerSettings, Fate>> = {
  groupId: "applied",
  groupProtocol: "applied",
  groupInstanceId: "applied",
  clientId: "applied",
  maxPollRecords: "above",
  sessionTimeoutMs: "applied",
  maxPollIntervalMs: "applied",
  heartbeatIntervalMs: "applied",
  partitionAssignmentStrategy: "warned",
  enableAutoCommit: "above",
  autoCommitIntervalMs: "above",
  autoOffsetReset: "above",
  fetchMinBytes: "applied",
  fetchMaxWaitMs: "applied",
  fetchMaxBytes: "applied",
  maxPartitionFetchBytes: "applied",
  requestTimeoutMs: "applied",
  retryBackoffMs: "applied",
  reconnectBackoffMs: "applied",
  reconnectBackoffMaxMs: "applied",
  connectionsMaxIdleMs: "warned",
  isolationLevel: "applied",
  metadataMaxAgeMs: "applied",
  drainTimeoutMs: "above",
  queueMaxRecords: "above",
  queueMaxBytes: "above",
  bufferMaxBytes: "above",
  inFlightMaxBytes: "above",
  stallPolicy: "above"
}

const refuse = (setting: string, value: unknown, reason: string): Result.Result<never, InvalidSettingError> =>
  Result.fail(new InvalidSettingError({ setting, value, reason }))

/** The name in the broker's logs: the consumer's own where it has one, else the connection's. */
const clientIdOf = (own: string, ofConnection: string | undefined): string =>
  own === defaults.clientId ? ofConnection ?? own : own

/**
 * What a library may lack, by the setting that asks for it: the protocol of KIP-848, static members.
 *
 * @category models
 * @since 0.1.0
 */
export type Lack = "groupProtocol" | "groupInstanceId"

/**
 * The plan of a consumer, or the setting that makes it impossible. `clientId` is the name of consumers that have none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const consumerPlan = (
  settings: ConsumerSettings,
  options: { readonly clientId?: string | undefined; readonly lacks?: ReadonlyArray<Lack> | undefined }
): Result.Result<ConsumerPlan, InvalidSettingError> => {
  if (settings.groupId === "") return refuse("group_id", settings.groupId, "must not be empty")
  if (settings.heartbeatIntervalMs >= settings.sessionTimeoutMs) {
    return refuse(
      "heartbeat_interval_ms",
      settings.heartbeatIntervalMs,
      `must be less than session_timeout_ms (${settings.sessionTimeoutMs})`
    )
  }
  const warnings: Array<SettingWarning> = []
  const { lacks = [] } = options
  const protocol = lacks.includes("groupProtocol") ? "classic" : settings.groupProtocol
  const instanceId = lacks.includes("groupInstanceId") ? undefined : settings.groupInstanceId
  if (protocol !== settings.groupProtocol) {
    warnings.push({
      setting: "groupProtocol",
      value: settings.groupProtocol,
      instead: "classic, the one group protocol of this transport; that of @platformatic/kafka has both"
    })
  }
  if (instanceId !== settings.groupInstanceId) {
    warnings.push({
      setting: "groupInstanceId",
      value: settings.groupInstanceId,
      instead:
        "a member that is not static, whose restart is a rebalance; the transport on @platformatic/kafka has both"
    })
  }
  if (protocol === "consumer") warnings.push(...decidedByTheBroker(settings))
  else if (settings.partitionAssignmentStrategy === "cooperative-sticky") {
    warnings.push({
      setting: "partitionAssignmentStrategy",
      value: settings.partitionAssignmentStrategy,
      instead:
        "sticky: partitions stay where they are as far as that is fair, and those kept go on without a repeat, " +
        "but every member pauses while a rebalance lasts"
    })
  }
  if (settings.connectionsMaxIdleMs !== defaults.connectionsMaxIdleMs) {
    warnings.push({
      setting: "connectionsMaxIdleMs",
      value: settings.connectionsMaxIdleMs,
      instead: "connections stay open, with TCP keep-alive after 60 s; one that the broker closes is opened anew"
    })
  }
  return Result.succeed({
    client: {
      clientId: clientIdOf(settings.clientId, options.clientId),
      requestTimeoutMs: settings.requestTimeoutMs,
      metadataMaxAgeMs: settings.metadataMaxAgeMs,
      reconnectBackoffMs: settings.reconnectBackoffMs,
      reconnectBackoffMaxMs: settings.reconnectBackoffMaxMs,
      retryBackoffMs: settings.retryBackoffMs
    },
    group: {
      groupId: settings.groupId,
      protocol,
      instanceId,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      rebalanceTimeoutMs: settings.maxPollIntervalMs,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      strategy: settings.partitionAssignmentStrategy === "cooperative-sticky"
        ? "sticky"
        : settings.partitionAssignmentStrategy
    },
    fetch: fetchPlan(settings),
    warnings
  })
}

/** What the group protocol of KIP-848 leaves to the broker, where it was set. */
const decidedByTheBroker = (settings: ConsumerSettings): ReadonlyArray<SettingWarning> => {
  const { heartbeatIntervalMs, partitionAssignmentStrategy, sessionTimeoutMs } = settings
  const warnings: Array<SettingWarning> = []
  if (partitionAssignmentStrategy === "roundrobin" || partitionAssignmentStrategy === "sticky") {
    warnings.push({
      setting: "partitionAssignmentStrategy",
      value: partitionAssignmentStrategy,
      instead: "uniform, the coordinator's own: partitions stay where they are as far as that is fair"
    })
  }
  if (sessionTimeoutMs !== defaults.sessionTimeoutMs) {
    warnings.push({
      setting: "sessionTimeoutMs",
      value: sessionTimeoutMs,
      instead:
        "the broker's group.consumer.session.timeout.ms, or the group's consumer.session.timeout.ms; this one says " +
        "after how long without an answer the member gives up by itself"
    })
  }
  if (heartbeatIntervalMs !== defaults.heartbeatIntervalMs) {
    warnings.push({
      setting: "heartbeatIntervalMs",
      value: heartbeatIntervalMs,
      instead: "the broker's group.consumer.heartbeat.interval.ms, or the group's consumer.heartbeat.interval.ms"
    })
  }
  return warnings
}

/**
 * The part of it that a running consumer can change.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fetchPlan = (settings: ConsumerSettings): FetchPlan => ({
  minBytes: settings.fetchMinBytes,
  maxWaitMs: settings.fetchMaxWaitMs,
  maxBytes: settings.fetchMaxBytes,
  partitionMaxBytes: settings.maxPartitionFetchBytes,
  isolationLevel: settings.isolationLevel === "read_committed" ? 1 : 0
})

/**
 * What a running consumer takes over with its next fetch.
 *
 * @category constants
 * @since 0.1.0
 */
export const refittable: ReadonlySet<keyof ConsumerSettings> = new Set([
  "fetchMinBytes",
  "fetchMaxWaitMs",
  "fetchMaxBytes",
  "maxPartitionFetchBytes"
])

/**
 * The plan of a producer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const producerPlan = (
  settings: ProducerSettings,
  options: { readonly clientId?: string | undefined }
): Result.Result<ClientPlan, InvalidSettingError> =>
  settings.enableIdempotence && settings.acks !== -1
    ? refuse("acks", settings.acks, "must be -1 where enable_idempotence is true")
    : Result.succeed({
      ...adminPlan,
      clientId: clientIdOf(settings.clientId, options.clientId),
      // The broker may take all of it to gather acknowledgements; the answer has to travel besides.
      requestTimeoutMs: settings.requestTimeoutMs + 1000,
      retryBackoffMs: settings.retryBackoffMs
    })

/**
 * Kafka's own defaults, where nothing else is asked for.
 *
 * @category constants
 * @since 0.1.0
 */
export const adminPlan: ClientPlan = {
  clientId: defaults.clientId,
  requestTimeoutMs: 30_000,
  metadataMaxAgeMs: defaults.metadataMaxAgeMs,
  reconnectBackoffMs: defaults.reconnectBackoffMs,
  reconnectBackoffMaxMs: defaults.reconnectBackoffMaxMs,
  retryBackoffMs: defaults.retryBackoffMs
}
