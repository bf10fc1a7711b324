/**
 * The settings of a service, resolved: each one with where it comes from, whatever state its row or the database is in.
 *
 * @since 0.1.0
 */

/**
 * Every setting, decided. Times are milliseconds, sizes bytes; the handbook's page on configuration says what each one
 * means.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerSettings {
  /** `group.id` */
  readonly consumerGroupId: string
  /**
   * `group.protocol`: whether the members share the partitions out, or the coordinator does (KIP-848). Where client library or
   * brokers do not have `consumer`, the consumer speaks `classic`, and says so.
   */
  readonly groupProtocol: "classic" | "consumer"
  /** `group.instance.id`, of a static member; `{hostname}` in it stands for the host's name. Empty: it is none. */
  readonly groupInstanceId: string
  /** `max.poll.records` */
  readonly maxPollRecords: number
  /** `session.timeout.ms` */
  readonly sessionTimeoutMs: number
  /** `max.poll.interval.ms` */
  readonly maxPollIntervalMs: number
  /** `heartbeat.interval.ms` */
  readonly heartbeatIntervalMs: number
  /** `partition.assignment.strategy` */
  readonly partitionAssignmentStrategy: "range" | "roundrobin" | "sticky" | "cooperative-sticky"
  /** `enable.auto.commit`; only settled offsets are committed either way. */
  readonly enableAutoCommit: boolean
  /** `auto.commit.interval.ms` */
  readonly autoCommitIntervalMs: number
  /** `auto.offset.reset` */
  readonly autoOffsetReset: "earliest" | "latest" | "none"
  /** `fetch.min.bytes` */
  readonly fetchMinBytes: number
  /** `fetch.max.wait.ms` */
  readonly fetchMaxWaitMs: number
  /** `fetch.max.bytes` */
  readonly fetchMaxBytes: number
  /** `max.partition.fetch.bytes` */
  readonly maxPartitionFetchBytes: number
  /** `request.timeout.ms` */
  readonly requestTimeoutMs: number
  /** `retry.backoff.ms` */
  readonly retryBackoffMs: number
  /** `reconnect.backoff.ms` */
  readonly reconnectBackoffMs: number
  /** `reconnect.backoff.max.ms` */
  readonly reconnectBackoffMaxMs: number
  /** `connections.max.idle.ms` */
  readonly connectionsMaxIdleMs: number
  /** `isolation.level` */
  readonly isolationLevel: "read_committed" | "read_uncommitted"
  /** Which records wait for each other. */
  readonly processingOrder: "partition" | "key" | "none"
  /** How many records (or batches) are processed at the same time; 0: one per partition, or 16 without that order. */
  readonly concurrency: number
  /** The most records that were taken from the partition queues and are not settled; 0: as the order needs. */
  readonly maxInFlight: number
  /** The most records that wait in one partition queue. */
  readonly queueMaxRecords: number
  /** The most bytes that wait in one partition queue. */
  readonly queueMaxBytes: number
  /** The most bytes that wait in all partition queues together. */
  readonly bufferMaxBytes: number
  /** How often metrics and lag are written to the database. */
  readonly metricsIntervalMs: number
}

/**
 * Where a value comes from. `code`: given when the consumer was made. `environment`: a variable `WEFT_...` of the process.
 * `lastKnownGood`: what was read before the process started, as the database cannot be read now. `derived`: left out, and
 * made to fit the other settings.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = "code" | "environment" | "row" | "lastKnownGood" | "profile" | "default" | "derived"

/**
 * A value, where it comes from, and what was refused on the way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin<A> {
  readonly value: A
  readonly source: Source
  /** The value that was given and could not be used, with the reason. */
  readonly refused?: { readonly raw: unknown; readonly reason: string }
}

/**
 * Something that is wrong with a configuration, or with the database that holds it. None of it stops a consumer.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigIssue {
  /** Such as `MissingRow`, `DatabaseUnreachable`, `OutOfBounds`, `Contradiction`. */
  readonly kind: string
  readonly message: string
}

/**
 * The settings of a service with the reason for each.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerConfig extends ConsumerSettings {
  readonly service: string
  /** The name of the workload profile that stands between row and defaults. */
  readonly profile: string
  readonly provenance: { readonly [K in keyof ConsumerSettings]: Origin<ConsumerSettings[K]> }
  readonly issues: ReadonlyArray<ConfigIssue>
}

/**
 * A database by its URL (`postgres://user:password@host:5432/database`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Database {
  readonly url: string
  /** The most connections; listening for changes opens one more. Default 10. */
  readonly poolSize?: number | undefined
  /** What `pg_stat_activity` shows. Default `weft`. */
  readonly applicationName?: string | undefined
}

/**
 * The workload profile of a program: one of the built-in ones by name, or a team's own values. One that the service's
 * row or a rule in the database names comes before it.
 *
 * @category models
 * @since 0.1.0
 */
export type Profile =
  | "default"
  | "high-volume"
  | "gpu"
  | "network-io"
  | "db-writer"
  | "llm"
  | { readonly name: string; readonly values: Partial<ConsumerSettings> }
