/**
 * Kafka's error codes by number, with Kafka's own names. Client libraries know some of them only, some by names of old.
 *
 * @since 0.1.0
 */

/**
 * What a broker answers instead of doing what it was asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorCode {
  readonly code: number
  readonly name: string
  /** Whether the same request, made again later, may succeed. */
  readonly retriable: boolean
}

const permanent: Readonly<Record<number, string>> = {
  1: "OFFSET_OUT_OF_RANGE",
  4: "INVALID_FETCH_SIZE",
  8: "BROKER_NOT_AVAILABLE",
  10: "MESSAGE_TOO_LARGE",
  11: "STALE_CONTROLLER_EPOCH",
  12: "OFFSET_METADATA_TOO_LARGE",
  17: "INVALID_TOPIC_EXCEPTION",
  18: "RECORD_LIST_TOO_LARGE",
  21: "INVALID_REQUIRED_ACKS",
  22: "ILLEGAL_GENERATION",
  23: "INCONSISTENT_GROUP_PROTOCOL",
  24: "INVALID_GROUP_ID",
  25: "UNKNOWN_MEMBER_ID",
  26: "INVALID_SESSION_TIMEOUT",
  28: "INVALID_COMMIT_OFFSET_SIZE",
  29: "TOPIC_AUTHORIZATION_FAILED",
  30: "GROUP_AUTHORIZATION_FAILED",
  31: "CLUSTER_AUTHORIZATION_FAILED",
  32: "INVALID_TIMESTAMP",
  33: "UNSUPPORTED_SASL_MECHANISM",
  34: "ILLEGAL_SASL_STATE",
  35: "UNSUPPORTED_VERSION",
  36: "TOPIC_ALREADY_EXISTS",
  37: "INVALID_PARTITIONS",
  38: "INVALID_REPLICATION_FACTOR",
  39: "INVALID_REPLICA_ASSIGNMENT",
  40: "INVALID_CONFIG",
  42: "INVALID_REQUEST",
  43: "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  44: "POLICY_VIOLATION",
  45: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  46: "DUPLICATE_SEQUENCE_NUMBER",
  47: "INVALID_PRODUCER_EPOCH",
  48: "INVALID_TXN_STATE",
  49: "INVALID_PRODUCER_ID_MAPPING",
  50: "INVALID_TRANSACTION_TIMEOUT",
  52: "TRANSACTION_COORDINATOR_FENCED",
  53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  54: "SECURITY_DISABLED",
  55: "OPERATION_NOT_ATTEMPTED",
  57: "LOG_DIR_NOT_FOUND",
  58: "SASL_AUTHENTICATION_FAILED",
  59: "UNKNOWN_PRODUCER_ID",
  60: "REASSIGNMENT_IN_PROGRESS",
  61: "DELEGATION_TOKEN_AUTH_DISABLED",
  62: "DELEGATION_TOKEN_NOT_FOUND",
  63: "DELEGATION_TOKEN_OWNER_MISMATCH",
  64: "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
  65: "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
  66: "DELEGATION_TOKEN_EXPIRED",
  67: "INVALID_PRINCIPAL_TYPE",
  68: "NON_EMPTY_GROUP",
  69: "GROUP_ID_NOT_FOUND",
  73: "TOPIC_DELETION_DISABLED",
  76: "UNSUPPORTED_COMPRESSION_TYPE",
  77: "STALE_BROKER_EPOCH",
  79: "MEMBER_ID_REQUIRED",
  81: "GROUP_MAX_SIZE_REACHED",
  82: "FENCED_INSTANCE_ID",
  85: "NO_REASSIGNMENT_IN_PROGRESS",
  86: "GROUP_SUBSCRIBED_TO_TOPIC",
  87: "INVALID_RECORD",
  90: "PRODUCER_FENCED",
  91: "RESOURCE_NOT_FOUND",
  92: "DUPLICATE_RESOURCE",
  93: "UNACCEPTABLE_CREDENTIAL",
  94: "INCONSISTENT_VOTER_SET",
  95: "INVALID_UPDATE_VERSION",
  96: "FEATURE_UPDATE_FAILED",
  99: "DUPLICATE_BROKER_REGISTRATION",
  101: "BROKER_ID_NOT_REGISTERED",
  104: "INCONSISTENT_CLUSTER_ID",
  105: "TRANSACTIONAL_ID_NOT_FOUND",
  110: "FENCED_MEMBER_EPOCH",
  111: "UNRELEASED_INSTANCE_ID",
  112: "UNSUPPORTED_ASSIGNOR",
  113: "STALE_MEMBER_EPOCH",
  114: "MISMATCHED_ENDPOINT_TYPE",
  115: "UNSUPPORTED_ENDPOINT_TYPE",
  116: "UNKNOWN_CONTROLLER_ID"
}

const passing: Readonly<Record<number, string>> = {
  // Kafka calls it permanent; but what a broker did not expect may well be over a moment later.
  [-1]: "UNKNOWN_SERVER_ERROR",
  2: "CORRUPT_MESSAGE",
  3: "UNKNOWN_TOPIC_OR_PARTITION",
  5: "LEADER_NOT_AVAILABLE",
  6: "NOT_LEADER_OR_FOLLOWER",
  7: "REQUEST_TIMED_OUT",
  9: "REPLICA_NOT_AVAILABLE",
  13: "NETWORK_EXCEPTION",
  14: "COORDINATOR_LOAD_IN_PROGRESS",
  15: "COORDINATOR_NOT_AVAILABLE",
  16: "NOT_COORDINATOR",
  19: "NOT_ENOUGH_REPLICAS",
  20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  27: "REBALANCE_IN_PROGRESS",
  41: "NOT_CONTROLLER",
  51: "CONCURRENT_TRANSACTIONS",
  56: "KAFKA_STORAGE_ERROR",
  70: "FETCH_SESSION_ID_NOT_FOUND",
  71: "INVALID_FETCH_SESSION_EPOCH",
  72: "LISTENER_NOT_FOUND",
  74: "FENCED_LEADER_EPOCH",
  75: "UNKNOWN_LEADER_EPOCH",
  78: "OFFSET_NOT_AVAILABLE",
  80: "PREFERRED_LEADER_NOT_AVAILABLE",
  83: "ELIGIBLE_LEADERS_NOT_AVAILABLE",
  84: "ELECTION_NOT_NEEDED",
  88: "UNSTABLE_OFFSET_COMMIT",
  89: "THROTTLING_QUOTA_EXCEEDED",
  100: "UNKNOWN_TOPIC_ID",
  103: "INCONSISTENT_TOPIC_ID",
  106: "FETCH_SESSION_TOPIC_ID_ERROR"
}

/**
 * Every number has an answer: what is not known by name is not retried.
 *
 * @category constructors
 * @since 0.1.0
 */
export const errorCode = (code: number): ErrorCode => {
  const name = passing[code]
  if (name !== undefined) return { code, name, retriable: true }
  return { code, name: permanent[code] ?? `ERROR_CODE_${code}`, retriable: false }
}

/**
 * The number behind a name, for code that speaks of one.
 *
 * @category constants
 * @since 0.1.0
 */
export const codes = {
  unknownServerError: -1,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  notController: 41,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  kafkaStorageError: 56,
  unknownProducerId: 59,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  fencedInstanceId: 82,
  fencedMemberEpoch: 110,
  unreleasedInstanceId: 111,
  unsupportedAssignor: 112,
  staleMemberEpoch: 113
} as const
