/**
 * The settings of a consumer, as the runtime uses them: complete, checked, with Kafka's names. Where they come from (a
 * row in Postgres, a profile, a default) is the business of `@weft/config`.
 *
 * @since 0.1.0
 */

/**
 * @category models
 * @since 0.1.0
 */
export type AssignmentStrategy = "range" | "roundrobin" | "sticky" | "cooperative-sticky"

/**
 * Kafka's `group.protocol`: `classic`, in which the members share the partitions out, and each gives up all of its own
 * before it joins again; or `consumer`, that of KIP-848 (Kafka 4.0), in which the coordinator does, and only what has to
 * move is moved.
 *
 * @category models
 * @since 0.1.0
 */
export type GroupProtocol = "classic" | "consumer"

/**
 * What to do where the group has no usable offset for a partition: start at the log's beginning, at its end, or fail
 * with a `NoOffsetError`. The end is committed before the partition is read, so that whoever takes it over in between
 * begins there, too, and not at a later end.
 *
 * @category models
 * @since 0.1.0
 */
export type OffsetReset = "earliest" | "latest" | "none"

/**
 * @category models
 * @since 0.1.0
 */
export type IsolationLevel = "read_committed" | "read_uncommitted"

/**
 * What happens to a partition that made no progress for `maxPollIntervalMs` (KIP-62 evicts such a member; here it is a
 * choice): only report it, halt that partition while the others go on, or leave the group so that another member takes
 * over.
 *
 * @category models
 * @since 0.1.0
 */
export type StallPolicy = "report" | "halt" | "leave"

/**
 * All times in milliseconds, all sizes in bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerSettings {
  /** `group.id` */
  readonly groupId: string
  /**
   * `group.protocol`. Where the transport or the group's coordinator does not have `consumer`, the member speaks `classic`,
   * and a `SettingAdapted` event says so. Default `classic`.
   */
  readonly groupProtocol: GroupProtocol
  /**
   * `group.instance.id`: a static member (KIP-345). It keeps its partitions while it is away for less than
   * `sessionTimeoutMs`, so that a restart is no rebalance. One consumer of a group alone may have it. Default: none.
   */
  readonly groupInstanceId?: string | undefined
  /** `client.id`, shown in the broker's logs and quotas. Default `weft`. */
  readonly clientId: string
  /** `max.poll.records`: the most records that are handed out at once. Default 100. */
  readonly maxPollRecords: number
  /** `session.timeout.ms`. Default 60000. */
  readonly sessionTimeoutMs: number
  /** `max.poll.interval.ms`: the rebalance timeout, and how long a partition may make no progress. Default 300000. */
  readonly maxPollIntervalMs: number
  /** `heartbeat.interval.ms`. Default 20000. */
  readonly heartbeatIntervalMs: number
  /** `partition.assignment.strategy`. Default `range`. */
  readonly partitionAssignmentStrategy: AssignmentStrategy
  /**
   * `enable.auto.commit`. Both ways commit only what is settled. `false`: as soon as records are settled, commits in
   * flight coalesced. `true`: every `autoCommitIntervalMs`. Default `false`.
   */
  readonly enableAutoCommit: boolean
  /** `auto.commit.interval.ms`. Default 5000. */
  readonly autoCommitIntervalMs: number
  /** `auto.offset.reset`. Default `earliest`. */
  readonly autoOffsetReset: OffsetReset
  /** `fetch.min.bytes`. Default 1. */
  readonly fetchMinBytes: number
  /** `fetch.max.wait.ms`. Default 500. */
  readonly fetchMaxWaitMs: number
  /** `fetch.max.bytes`. Default 52428800. */
  readonly fetchMaxBytes: number
  /** `max.partition.fetch.bytes`. Default 1048576. */
  readonly maxPartitionFetchBytes: number
  /** `request.timeout.ms`. Default 305000. */
  readonly requestTimeoutMs: number
  /** `retry.backoff.ms`. Default 100. */
  readonly retryBackoffMs: number
  /** `reconnect.backoff.ms`. Default 50. */
  readonly reconnectBackoffMs: number
  /** `reconnect.backoff.max.ms`. Default 1000. */
  readonly reconnectBackoffMaxMs: number
  /** `connections.max.idle.ms`. Default 540000. */
  readonly connectionsMaxIdleMs: number
  /** `isolation.level`. Default `read_committed`. */
  readonly isolationLevel: IsolationLevel
  /** `metadata.max.age.ms`: how often a pattern looks for new topics. Default 300000. */
  readonly metadataMaxAgeMs: number
  /**
   * How long a rebalance or a shutdown waits for records that were handed out and are not settled. Default: three fifths
   * of `maxPollIntervalMs`. 0 for a consumer that never commits (offsets kept elsewhere): it has nothing to wait for.
   */
  readonly drainTimeoutMs?: number | undefined
  /** The most records that wait in one partition queue before its fetching pauses. Default 50 x `maxPollRecords`. */
  readonly queueMaxRecords?: number | undefined
  /** The most bytes that wait in one partition queue. Default 2 x `maxPartitionFetchBytes`. */
  readonly queueMaxBytes?: number | undefined
  /** The most bytes that wait in all partition queues together. Default 2 x `fetchMaxBytes`. */
  readonly bufferMaxBytes?: number | undefined
  /**
   * The most bytes of records that streams have handed out and nobody has settled; beyond it they hand out nothing until
   * something is settled, and an `Unsettled` event says so. A program that never commits settles all the same, or stops
   * here. Pipelines have their own bound, `max_in_flight` in records. Default: as `bufferMaxBytes`.
   */
  readonly inFlightMaxBytes?: number | undefined
  /** Default `report`. */
  readonly stallPolicy?: StallPolicy | undefined
}

/**
 * Kafka's defaults, save where `pipeline_consumer_configs` has its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: Omit<ConsumerSettings, "groupId"> = {
  groupProtocol: "classic",
  clientId: "weft",
  maxPollRecords: 100,
  sessionTimeoutMs: 60_000,
  maxPollIntervalMs: 300_000,
  heartbeatIntervalMs: 20_000,
  partitionAssignmentStrategy: "range",
  enableAutoCommit: false,
  autoCommitIntervalMs: 5_000,
  autoOffsetReset: "earliest",
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 52_428_800,
  maxPartitionFetchBytes: 1_048_576,
  requestTimeoutMs: 305_000,
  retryBackoffMs: 100,
  reconnectBackoffMs: 50,
  reconnectBackoffMaxMs: 1_000,
  connectionsMaxIdleMs: 540_000,
  isolationLevel: "read_committed",
  metadataMaxAgeMs: 300_000
}

/**
 * Complete settings from the group id and whatever else differs from {@link defaults}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  settings: Pick<ConsumerSettings, "groupId"> & Partial<ConsumerSettings>
): ConsumerSettings => ({ ...defaults, ...settings })

/**
 * The bounds that back-pressure keeps, derived from the settings where they are not given.
 *
 * **The memory formula.** Bytes in partition queues never exceed
 * `min(partitions x queueMaxBytes, bufferMaxBytes) + partitions x overshoot`: the queues' bound, and what was on its way when it
 * was reached. Of records that are not compressed they do not exceed `bufferMaxBytes + brokers x fetchMaxBytes` either, since each
 * broker has one answer on its way. What one fetch brings of a partition is `maxPartitionFetchBytes` at most, or one record batch
 * where that is larger, which KIP-74 hands over all the same (and beyond `fetchMaxBytes`, too).
 *
 * - The overshoot of a partition is what one fetch brings of it: a queue that is a byte below its bound is fetched for. Batches
 *   count as they lie in memory, which is with 24 bytes for each record, where its parts lie, and with what the broker cut off at
 *   the end.
 * - Of compressed records it is one record batch, decompressed, and the rest of what the fetch brought, which stays compressed
 *   until there is room in the queues: partitions that nobody takes from keep a rest each, whatever the brokers answer the others.
 * - A partition that is paused or halted keeps what is in its queue, at most `queueMaxBytes` and its overshoot, beside
 *   `bufferMaxBytes`: it holds up no other. Paused by the dozen, partitions come to `queueMaxBytes` each.
 * - A transport that hands over decoded records adds 160 bytes for each.
 *
 * These are bytes that are alive. A Node process holds more: what it takes with nothing to do (some 150 MiB), freed buffers
 * up to three tenths of those that are alive (V8's `--external-memory-max-growing-factor`), and a heap that grows by some
 * 100 MiB between two collections.
 *
 * What was handed out and is not settled comes on top: for streams at most `inFlightMaxBytes` and one hand-out; for a
 * runtime that takes records itself, those that it has taken. Either keeps more than its records, since what a fetch brought
 * of a partition is one piece of memory, which the last of its records keeps as a whole:
 *
 * - For each partition what one fetch brings, of which the first record in flight may be the last. It comes to that where all
 *   partitions are slow in step: a member with many partitions bounds it by a smaller `maxPartitionFetchBytes`.
 * - What brokers cut off at the end of each further fetch, which `inFlightMaxBytes` counts. Records that a runtime has taken come
 *   to `fetch / (floor(fetch / batch) x batch)` times their size with it, where `fetch` is what one brings and all record batches
 *   have one size: to next to nothing more with the 16 kB that producers send by default, to 1.17 times with 900 kB in 1 MiB, never
 *   to twice. Where sizes differ, what is cut off comes whole with the next fetch, so that it is twice at most, and one batch.
 *   A `maxPartitionFetchBytes` of some times the size of a batch keeps it small.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueLimits {
  readonly partitionRecords: number
  readonly partitionBytes: number
  readonly totalBytes: number
  readonly inFlightBytes: number
}

/**
 * @category combinators
 * @since 0.1.0
 */
export const queueLimits = (settings: ConsumerSettings): QueueLimits => ({
  partitionRecords: settings.queueMaxRecords ?? 50 * settings.maxPollRecords,
  partitionBytes: settings.queueMaxBytes ?? 2 * settings.maxPartitionFetchBytes,
  totalBytes: settings.bufferMaxBytes ?? 2 * settings.fetchMaxBytes,
  inFlightBytes: settings.inFlightMaxBytes ?? settings.bufferMaxBytes ?? 2 * settings.fetchMaxBytes
})

/**
 * How long a rebalance or a shutdown waits for records in flight, in milliseconds.
 *
 * @category combinators
 * @since 0.1.0
 */
export const drainTimeoutMs = (settings: ConsumerSettings): number =>
  settings.drainTimeoutMs ?? Math.floor(settings.maxPollIntervalMs * 3 / 5)
