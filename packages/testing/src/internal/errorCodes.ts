/**
 * Kafka's error codes, and the typed error that each becomes for whoever asked.
 */
import {
  AdminError,
  AuthenticationError,
  AuthorizationError,
  CommitError,
  ConnectionError,
  GroupError,
  type KafkaError,
  ProduceError,
  UnknownTopicError
} from "@weft/kafka/KafkaError"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"

/** The codes after which the same request may succeed, by Kafka's own table. */
const retriable: ReadonlySet<string> = new Set([
  "NETWORK_EXCEPTION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "REQUEST_TIMED_OUT",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "CORRUPT_MESSAGE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "REBALANCE_IN_PROGRESS",
  "THROTTLING_QUOTA_EXCEEDED"
])

export const isRetriable = (code: string): boolean => retriable.has(code)

/** Codes that tell of the way to the broker and not of the request: a client asks again by itself. */
const transient: ReadonlySet<string> = new Set(
  [...retriable].filter((code) => code !== "UNKNOWN_TOPIC_OR_PARTITION" && code !== "REBALANCE_IN_PROGRESS")
)

export const isTransient = (code: string): boolean => transient.has(code)

/** What no request is refused with in particular: connection, credentials and permissions. */
const general = (code: string, resource: string, cause: unknown): KafkaError | undefined => {
  switch (code) {
    case "NETWORK_EXCEPTION":
      return new ConnectionError({ brokers: ["memory"], cause })
    case "SASL_AUTHENTICATION_FAILED":
    case "UNSUPPORTED_SASL_MECHANISM":
      return new AuthenticationError({ cause })
    case "TOPIC_AUTHORIZATION_FAILED":
    case "GROUP_AUTHORIZATION_FAILED":
    case "CLUSTER_AUTHORIZATION_FAILED":
      return new AuthorizationError({ resource, cause })
    default:
      return undefined
  }
}

export const groupError = (groupId: string, code: string): KafkaError =>
  general(code, `group ${groupId}`, code) ?? new GroupError({ groupId, code, cause: code })

export const commitError = (offsets: ReadonlyArray<PartitionOffset>, code: string): CommitError =>
  new CommitError({
    offsets: offsets.map(({ offset, partition, topic }) => ({ topic, partition, offset })),
    code,
    retriable: isRetriable(code),
    cause: code
  })

export const produceError = (topic: string, partition: number, code: string): KafkaError =>
  code === "UNKNOWN_TOPIC_OR_PARTITION"
    ? new UnknownTopicError({ topic, partition })
    : general(code, `topic ${topic}`, code) ??
      new ProduceError({ topic, partition, code, retriable: isRetriable(code), cause: code })

/** Of admin requests, and of look-ups in topics. */
export const adminError = (operation: string, code: string, topic?: string, partition?: number): KafkaError =>
  code === "UNKNOWN_TOPIC_OR_PARTITION" && topic !== undefined
    ? new UnknownTopicError({ topic, partition })
    : general(code, topic === undefined ? "cluster" : `topic ${topic}`, code) ??
      new AdminError({ operation, code, retriable: isRetriable(code), cause: code })
