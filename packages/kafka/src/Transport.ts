/**
 * The SPI: what Weft asks of a client library. A transport is thin; queues, back-pressure, fencing, offset tracking,
 * commit scheduling and draining are written once above it, in this package.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConsumerSettings } from "./ConsumerSettings.ts"
import type { FetchedBatch, Header } from "./FetchedBatch.ts"
import type { KafkaError } from "./KafkaError.ts"
import type { PartitionOffset, TopicPartition } from "./TopicPartition.ts"

/**
 * What a transport joins for: topics that the group shares out, or partitions taken by hand. Patterns are resolved
 * above the transport.
 *
 * @category models
 * @since 0.1.0
 */
export type TransportSubscription =
  | { readonly _tag: "Topics"; readonly topics: ReadonlyArray<string> }
  | { readonly _tag: "Manual"; readonly partitions: ReadonlyArray<TopicPartition> }

/**
 * An offset to commit: the next one to read, with metadata (at most 4096 bytes by the broker's default).
 *
 * @category models
 * @since 0.1.0
 */
export interface OffsetAndMetadata extends PartitionOffset {
  readonly metadata: string
}

/**
 * A group's committed offset; `offset` is `undefined` where there is none.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint | undefined
  readonly metadata: string
}

/**
 * Which offset to look up: the log's beginning, its end, or the first whose record is not older than a time
 * (milliseconds since 1970; the end where there is none).
 *
 * @category models
 * @since 0.1.0
 */
export type OffsetSpec = "earliest" | "latest" | { readonly timestamp: number }

/**
 * What the coordinator gave this member: the whole assignment, not a difference.
 *
 * @category models
 * @since 0.1.0
 */
export interface Assignment {
  readonly memberId: string
  /** `undefined` where the protocol has none (manual assignment). */
  readonly generation: number | undefined
  readonly partitions: ReadonlyArray<TopicPartition>
}

/**
 * A setting that the transport does not apply as it stands, and what it does instead.
 *
 * @category models
 * @since 0.1.0
 */
export interface SettingWarning {
  readonly setting: keyof ConsumerSettings
  readonly value: unknown
  readonly instead: string
}

/**
 * What a transport tells the consumer above it. All but `beforeRevoke` are synchronous, never throw and never block:
 * a transport may call them from inside its library's loop.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportHandler {
  /** Records of a partition that was started and is not paused. One batch per partition may still come after a pause. */
  readonly onBatch: (batch: FetchedBatch) => void
  /**
   * A join has ended. Answers the partitions that go on at once, each with the offset to fetch next (those that this
   * member held before and keeps). **Every other partition must not be fetched until `start` names it**, so that where a
   * partition starts is decided above the transport.
   */
  readonly onAssignment: (assignment: Assignment) => ReadonlyArray<PartitionOffset>
  /**
   * Partitions may be given up. The transport awaits it before it joins again or tells the coordinator; commits made
   * meanwhile are still of the old generation. An eager protocol names all partitions. It ends within the drain timeout.
   */
  readonly beforeRevoke: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void>
  /** Membership ended without a chance to commit (the session expired): nothing of these partitions may be committed. */
  readonly onLost: (partitions: ReadonlyArray<TopicPartition>) => void
  /** The fetch position is outside of the log. The transport fetches that partition no more until `start` names it. */
  readonly onOutOfRange: (partition: TopicPartition, position: bigint) => void
  /** Signs of life, for the watchdog: a heartbeat was answered, a fetch was answered. */
  readonly onAlive: (sign: "heartbeat" | "fetch") => void
  /** What the cluster turned out not to have, and is done without; what the library lacks is in `warnings` from the start. */
  readonly onAdapted?: ((warning: SettingWarning) => void) | undefined
}

/**
 * One membership in a group, from the join to the leave. Released with its scope: it stops fetching and leaves the
 * group, whatever state it is in.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportConsumer {
  /** Settings of this library that cannot be applied as they stand. */
  readonly warnings: ReadonlyArray<SettingWarning>
  /**
   * Joins the group and goes on until something fails for good: the one typed failure signal. Never succeeds;
   * interrupting it stops the fetching. What the library mends by itself (a rebalance, a reconnection) is no failure.
   */
  readonly run: Effect.Effect<never, KafkaError>
  /** Fetch from these offsets on, now. Also a seek: what was fetched before and not yet handed over is dropped. */
  readonly start: (positions: ReadonlyArray<PartitionOffset>) => void
  readonly pause: (partitions: ReadonlyArray<TopicPartition>) => void
  /** Ends a pause; fetching goes on where it stopped. Partitions never started stay unfetched. */
  readonly resume: (partitions: ReadonlyArray<TopicPartition>) => void
  /**
   * Never concurrent with itself. Never answers success for what was not stored: fails with `CommitError`, which names the
   * offsets that were not; the others were.
   */
  readonly commit: (offsets: ReadonlyArray<OffsetAndMetadata>) => Effect.Effect<void, KafkaError>
  readonly committed: (
    partitions: ReadonlyArray<TopicPartition>
  ) => Effect.Effect<ReadonlyArray<CommittedOffset>, KafkaError>
  readonly listOffsets: (
    partitions: ReadonlyArray<TopicPartition>,
    at: OffsetSpec
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
  /**
   * Takes over new settings without a rejoin, from the next request on, as far as it can; answers which of them. Absent:
   * none. Fetch sizes and waits are what a transport is asked for here.
   */
  readonly applySettings?: (settings: ConsumerSettings) => ReadonlySet<keyof ConsumerSettings>
  /** Keeps the membership alive while `beforeRevoke` waits. */
  readonly heartbeat: Effect.Effect<void, KafkaError>
}

/**
 * A record to write, its partition chosen.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutgoingRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
  /** Milliseconds since 1970; default: now. */
  readonly timestamp?: number | undefined
}

/**
 * Acknowledgements to wait for: `-1` all in-sync replicas, `1` the leader, `0` none.
 *
 * @category models
 * @since 0.1.0
 */
export type Acks = -1 | 0 | 1

/**
 * @category models
 * @since 0.1.0
 */
export interface ProducerSettings {
  /** `client.id`. Default `weft`. */
  readonly clientId: string
  /** `acks`. Default -1. */
  readonly acks: Acks
  /** `enable.idempotence`: no duplicates by retries of the client itself; needs acks -1. Default true. */
  readonly enableIdempotence: boolean
  /** `compression.type`. Default `none`. */
  readonly compressionType: "none" | "gzip"
  /** `request.timeout.ms`. Default 30000. */
  readonly requestTimeoutMs: number
  /** `retry.backoff.ms`. Default 100. */
  readonly retryBackoffMs: number
  /** `delivery.timeout.ms`: how long a send tries before it fails. Default 120000. */
  readonly deliveryTimeoutMs: number
}

/**
 * Records for one partition, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionRecords {
  readonly topic: string
  readonly partition: number
  readonly records: ReadonlyArray<OutgoingRecord>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TransportProducer {
  /** How many partitions a topic has; fails with `UnknownTopicError` where it does not exist. */
  readonly partitionCount: (topic: string) => Effect.Effect<number, KafkaError>
  /**
   * Writes all parts, in the order given within each partition; calls for the same partition are written in their order,
   * too, and calls that wait go together in few requests. Where a part fails the call fails with what the broker said of
   * the first such part, after all are settled: the others may have been written. Answers the offset of the first record
   * of each part, in the order given (-1 with `acks` 0).
   */
  readonly send: (
    parts: ReadonlyArray<PartitionRecords>
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface NewTopic {
  readonly name: string
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined
  /** Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined
  readonly configs?: Readonly<Record<string, string>> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TopicDescription {
  readonly name: string
  readonly internal: boolean
  readonly partitions: ReadonlyArray<{
    readonly partition: number
    /** -1 where the partition has no leader now. */
    readonly leader: number
    readonly replicas: ReadonlyArray<number>
    readonly isr: ReadonlyArray<number>
  }>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly isDefault: boolean
  readonly isSensitive: boolean
  readonly readOnly: boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export interface GroupListing {
  readonly groupId: string
  readonly protocolType: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface GroupDescription {
  readonly groupId: string
  /** Kafka's own word: `Stable`, `Empty`, `Dead`, `PreparingRebalance`, `CompletingRebalance`. */
  readonly state: string
  /** The assignment strategy in force, empty where the group has none. */
  readonly protocol: string
  readonly members: ReadonlyArray<{
    readonly memberId: string
    readonly clientId: string
    readonly host: string
    readonly assignment: ReadonlyArray<TopicPartition>
  }>
}

/**
 * What a resource is that configs are read of.
 *
 * @category models
 * @since 0.1.0
 */
export type ConfigResource =
  | { readonly _tag: "Topic"; readonly name: string }
  | { readonly _tag: "Broker"; readonly id: number }

/**
 * Admin requests, each answered by the cluster itself. Failures are `AdminError`, or the error that says more
 * (`UnknownTopicError`, `GroupError`, `AuthorizationError`, `ConnectionError`).
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportAdmin {
  readonly describeCluster: Effect.Effect<
    {
      readonly clusterId: string
      readonly controller: number | undefined
      readonly brokers: ReadonlyArray<{ readonly id: number; readonly host: string; readonly port: number }>
    },
    KafkaError
  >
  readonly listTopics: Effect.Effect<ReadonlyArray<string>, KafkaError>
  readonly describeTopics: (topics: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<TopicDescription>, KafkaError>
  /** Answers `false` where all existed already; the ones that were missing are there when it answers. */
  readonly createTopics: (topics: ReadonlyArray<NewTopic>) => Effect.Effect<boolean, KafkaError>
  readonly deleteTopics: (topics: ReadonlyArray<string>) => Effect.Effect<void, KafkaError>
  readonly createPartitions: (topic: string, count: number) => Effect.Effect<void, KafkaError>
  readonly describeConfigs: (resource: ConfigResource) => Effect.Effect<ReadonlyArray<ConfigEntry>, KafkaError>
  readonly alterConfigs: (
    resource: ConfigResource,
    configs: Readonly<Record<string, string>>
  ) => Effect.Effect<void, KafkaError>
  readonly listGroups: Effect.Effect<ReadonlyArray<GroupListing>, KafkaError>
  readonly describeGroups: (groups: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<GroupDescription>, KafkaError>
  readonly deleteGroups: (groups: ReadonlyArray<string>) => Effect.Effect<void, KafkaError>
  /** All committed offsets of a group, of these topics or of all that it has any for. */
  readonly committedOffsets: (
    group: string,
    topics?: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<CommittedOffset>, KafkaError>
  /** Sets a group's offsets. The group must have no members, else it fails with a `GroupError`. */
  readonly setOffsets: (
    group: string,
    offsets: ReadonlyArray<PartitionOffset>
  ) => Effect.Effect<void, KafkaError>
  readonly listOffsets: (
    partitions: ReadonlyArray<TopicPartition>,
    at: OffsetSpec
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
  /** Deletes all records before these offsets. */
  readonly deleteRecords: (offsets: ReadonlyArray<PartitionOffset>) => Effect.Effect<void, KafkaError>
}

/**
 * A client library, as a service. `@weft/kafkajs` provides one; `@weft/testing` has an in-memory cluster.
 *
 * @category services
 * @since 0.1.0
 */
export class Transport extends Context.Service<Transport, {
  readonly name: string
  readonly consumer: (options: {
    readonly subscription: TransportSubscription
    readonly settings: ConsumerSettings
    readonly handler: TransportHandler
  }) => Effect.Effect<TransportConsumer, KafkaError, Scope.Scope>
  readonly producer: (settings: ProducerSettings) => Effect.Effect<TransportProducer, KafkaError, Scope.Scope>
  readonly admin: Effect.Effect<TransportAdmin, KafkaError, Scope.Scope>
}>()("@weft/kafka/Transport") {}
