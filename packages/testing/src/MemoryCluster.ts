/**
 * A Kafka cluster in memory, on Effect's clock: topics, partitions, consumer groups with generations, commits, faults.
 * `TestClock` moves its time, and on the live clock it serves a demonstration.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const cluster = yield* MemoryCluster.MemoryCluster
 *   yield* cluster.createTopic("orders", { partitions: 4 })
 *   yield* cluster.append("orders", [{ key: "a", value: "1" }])
 *   // ... a consumer, by way of the `Transport` that the same layer provides
 * }).pipe(Effect.provide(MemoryCluster.layer))
 * ```
 *
 * @since 0.1.0
 */
import type { Header } from "@weft/kafka/FetchedBatch"
import { UnknownTopicError } from "@weft/kafka/KafkaError"
import type { PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import { type CommittedOffset, type GroupDescription, Transport } from "@weft/kafka/Transport"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { FaultPlan, Target } from "./FaultPlan.ts"
import * as Coordinator from "./internal/coordinator.ts"
import * as Log from "./internal/logModel.ts"
import * as MemoryAdmin from "./internal/memoryAdmin.ts"
import * as MemoryConsumer from "./internal/memoryConsumer.ts"
import * as MemoryProducer from "./internal/memoryProducer.ts"
import * as Network from "./internal/network.ts"
import * as Operations from "./internal/operations.ts"
import * as Timers from "./internal/timers.ts"
import * as Topics from "./internal/topics.ts"
import type { World } from "./internal/world.ts"

/**
 * A commit that a group took: who committed what, and when (milliseconds since 1970, by Effect's clock). `memberId` is
 * empty and `generation` -1 where no member of the group committed.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommitEntry extends PartitionOffset {
  readonly metadata: string
  readonly at: number
  readonly memberId: string
  readonly generation: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many brokers there are. Default 1. */
  readonly brokers?: number | undefined
  /**
   * How long each answer takes, in milliseconds: always the same, or drawn between two bounds. By default a millisecond
   * for what a consumer does on its own (join, sync, fetch), and no time for what it is asked to do (commit, send,
   * look-ups) or what is only a wait: so `TestClock.adjust` runs all that goes on in its order, and a test that commits need not move the
   * clock to get its answer.
   */
  readonly latencyMs?: number | readonly [min: number, max: number] | undefined
  /** `num.partitions`: of topics that are created without a number. Default 1. */
  readonly numPartitions?: number | undefined
  /** Topics that are there from the beginning, with their numbers of partitions. */
  readonly topics?: Readonly<Record<string, number>> | undefined
  /** `group.min.session.timeout.ms`. Default 6000, Kafka's own. */
  readonly minSessionTimeoutMs?: number | undefined
  /** `group.max.session.timeout.ms`. Default 1800000, Kafka's own. */
  readonly maxSessionTimeoutMs?: number | undefined
  /** `group.max.size`. Default: no limit. */
  readonly maxGroupSize?: number | undefined
  /** `group.initial.rebalance.delay.ms`: how long an empty group waits for more members. Default 0. */
  readonly initialRebalanceDelayMs?: number | undefined
  /** `log.retention.check.interval.ms`: how often retention and compaction are applied. Default 300000. */
  readonly retentionCheckIntervalMs?: number | undefined
  /** `offset.metadata.max.bytes`: the longest metadata that a commit may have. Default 4096, Kafka's own. */
  readonly offsetMetadataMaxBytes?: number | undefined
  /** How many commits of each group are remembered, at least. Default 10000. */
  readonly commitHistory?: number | undefined
}

/**
 * A record to append by hand; text becomes UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordInput {
  /** Default 0. */
  readonly partition?: number | undefined
  readonly key?: Uint8Array | string | null | undefined
  readonly value?: Uint8Array | string | null | undefined
  readonly headers?: ReadonlyArray<Header> | undefined
  /** Milliseconds since 1970. Default: now, by Effect's clock. */
  readonly timestamp?: number | undefined
}

/**
 * A record as it lies in the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredRecord extends PartitionOffset {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
}

/**
 * A consumer of the in-memory transport that has not been closed.
 *
 * @category models
 * @since 0.1.0
 */
export interface LiveMember {
  readonly groupId: string
  readonly clientId: string
  /** Empty until the coordinator has given it one. */
  readonly memberId: string
  readonly isFrozen: boolean
  /** What the coordinator has given to it. */
  readonly assignment: ReadonlyArray<TopicPartition>
}

/**
 * Full control of the cluster, beside the `Transport` over which programs use it.
 *
 * @category services
 * @since 0.1.0
 */
export class MemoryCluster extends Context.Service<MemoryCluster, {
  readonly transport: Transport["Service"]
  /** Creates a topic; does nothing where it exists. */
  readonly createTopic: (name: string, options?: {
    readonly partitions?: number | undefined
    readonly replicationFactor?: number | undefined
    readonly configs?: Readonly<Record<string, string>> | undefined
  }) => Effect.Effect<void>
  readonly deleteTopic: (name: string) => Effect.Effect<void>
  /** Writes records past the network and its faults. Answers their offsets. */
  readonly append: (
    topic: string,
    records: ReadonlyArray<RecordInput>
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, UnknownTopicError>
  /** All records that the topic holds now, by partition and offset. */
  readonly records: (topic: string) => Effect.Effect<ReadonlyArray<StoredRecord>, UnknownTopicError>
  /** The log's beginning and end. */
  readonly bounds: (
    topic: string,
    partition: number
  ) => Effect.Effect<{ readonly begin: bigint; readonly end: bigint }, UnknownTopicError>
  readonly committed: (groupId: string) => Effect.Effect<ReadonlyArray<CommittedOffset>>
  /** The commits of a group in their order, the newest last. */
  readonly commits: (groupId: string) => Effect.Effect<ReadonlyArray<CommitEntry>>
  readonly group: (groupId: string) => Effect.Effect<GroupDescription & { readonly generation: number }>
  readonly members: Effect.Effect<ReadonlyArray<LiveMember>>
  /** Deletes all records before an offset. */
  readonly deleteRecords: (topic: string, partition: number, before: bigint) => Effect.Effect<void, UnknownTopicError>
  /** Applies `retention.ms`, `retention.bytes` and compaction now. */
  readonly enforceRetention: (topic?: string) => Effect.Effect<void>
  /** Removes single records, so that the log has a gap as after a compaction. */
  readonly removeRecords: (
    topic: string,
    partition: number,
    offsets: ReadonlyArray<bigint>
  ) => Effect.Effect<void, UnknownTopicError>
  /** An unclean election: what lies at or after the offset is gone. */
  readonly truncate: (topic: string, partition: number, end: bigint) => Effect.Effect<void, UnknownTopicError>
  /** The coordinator drops the members, as if their sessions had expired. */
  readonly expireSession: (target: Target) => Effect.Effect<void>
  /** The clients stand still, as by SIGSTOP. */
  readonly freeze: (target: Target) => Effect.Effect<void>
  readonly thaw: (target: Target) => Effect.Effect<void>
  /** The client library dies: `run` fails with a retriable `TransportError`. */
  readonly crash: (target: Target) => Effect.Effect<void>
  readonly moveCoordinator: (groupId: string, options?: { readonly load?: Duration.Input }) => Effect.Effect<void>
  readonly changeLeader: (topic: string, partition: number) => Effect.Effect<void>
  /** A broker does not answer for a while. */
  readonly brokerAway: (broker: number, duration: Duration.Input) => Effect.Effect<void>
  /** Lets a plan take its course; its times count from now. */
  readonly apply: (plan: FaultPlan) => Effect.Effect<void>
  /** Takes back what plans have armed and has not happened yet. */
  readonly clearFaults: Effect.Effect<void>
}>()("@weft/testing/MemoryCluster") {}

const bytes = (input: Uint8Array | string | null | undefined): Uint8Array | null =>
  typeof input === "string" ? encoder.encode(input) : input ?? null

const encoder = new TextEncoder()

/**
 * A cluster that lives as long as the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<MemoryCluster["Service"], never, Scope.Scope> = Effect
  .fnUntraced(function*(options: Options = {}) {
    const brokers = options.brokers ?? 1
    const timers = yield* Timers.make
    const network = yield* Network.make({ brokers, latencyMs: options.latencyMs }, timers)
    const topics = Topics.make({ brokers, numPartitions: options.numPartitions ?? 1 }, network.isAway)
    const coordinator = Coordinator.make({
      brokers,
      metadataMaxBytes: options.offsetMetadataMaxBytes ?? 4_096,
      commitHistory: options.commitHistory ?? 10_000,
      limits: {
        minSessionTimeoutMs: options.minSessionTimeoutMs ?? 6_000,
        maxSessionTimeoutMs: options.maxSessionTimeoutMs ?? 1_800_000,
        maxSize: options.maxGroupSize ?? Infinity,
        initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0
      }
    }, timers)
    let producerIds = 0
    const world: World = { brokers, timers, topics, coordinator, network, nextProducerId: () => ++producerIds }
    for (const [name, partitions] of Object.entries(options.topics ?? {})) topics.create({ name, partitions })

    const retentionCheckIntervalMs = options.retentionCheckIntervalMs ?? 300_000
    const checkRetention = (): void => {
      topics.clean(timers.now())
      timers.at(timers.now() + retentionCheckIntervalMs, checkRetention)
    }
    timers.at(timers.now() + retentionCheckIntervalMs, checkRetention)

    const transport: Transport["Service"] = {
      name: "memory",
      consumer: (consumer) => MemoryConsumer.make(world, consumer),
      producer: (settings) => MemoryProducer.make(world, settings),
      admin: MemoryAdmin.make(world)
    }

    const partitionOf = (topic: string, partition: number) =>
      Effect.suspend(() => {
        const found = topics.get(topic, partition)
        return found === undefined ? Effect.fail(new UnknownTopicError({ topic, partition })) : Effect.succeed(found)
      })

    /** A change of a log by hand, and those who wait for it are told. */
    const change = (topic: string, partition: number, f: (log: Log.PartitionLog) => void) =>
      Effect.map(partitionOf(topic, partition), (found) => {
        f(found.log)
        topics.notify(found)
      })

    return MemoryCluster.of({
      transport,
      createTopic: (name, topic) =>
        Effect.sync(() => {
          const code = topics.create({ name, ...topic })
          if (code !== undefined && code !== "TOPIC_ALREADY_EXISTS") throw new Error(`createTopic ${name}: ${code}`)
        }),
      deleteTopic: (name) =>
        Effect.sync(() => {
          topics.remove(name)
          coordinator.forgetTopic(name)
        }),
      append: (topic, records) =>
        Effect.forEach(
          records,
          ({ headers = [], key, partition = 0, timestamp, value }) =>
            Effect.map(partitionOf(topic, partition), (found) => {
              const record = { key: bytes(key), value: bytes(value), headers, timestamp }
              const { log } = found
              const offset = log.end
              Log.append(log, [record], timers.now())
              topics.notify(found)
              return { topic, partition, offset }
            })
        ),
      records: (topic) =>
        Effect.map(
          partitionOf(topic, 0),
          () =>
            topics.all.get(topic)!.partitions.flatMap(({ log, partition }) =>
              Log.readAll(log).map(({ headers, key, offset, timestamp, value }) => ({
                topic,
                partition,
                offset,
                timestamp,
                key,
                value,
                headers
              }))
            )
        ),
      bounds: (topic, partition) =>
        Effect.map(partitionOf(topic, partition), ({ log }) => ({ begin: log.begin, end: log.end })),
      committed: (groupId) => Effect.sync(() => [...coordinator.offsets(groupId).values()]),
      commits: (groupId) => Effect.sync(() => [...coordinator.history(groupId)]),
      group: (groupId) =>
        Effect.sync(() => {
          const group = coordinator.group(groupId)
          return { ...MemoryAdmin.describeGroup(groupId, group), generation: group?.generation ?? 0 }
        }),
      members: Effect.sync(() =>
        [...network.clients].flatMap(({ awake, clientId, groupId, memberId }) =>
          groupId === undefined ? [] : [{
            groupId,
            clientId,
            memberId,
            isFrozen: !awake.isOpen(),
            assignment: coordinator.group(groupId)?.members.get(memberId)?.assignment ?? []
          }]
        )
      ),
      deleteRecords: (topic, partition, before) => change(topic, partition, (log) => Log.deleteBefore(log, before)),
      enforceRetention: (topic) => Effect.sync(() => topics.clean(timers.now(), topic)),
      removeRecords: (topic, partition, offsets) =>
        change(topic, partition, (log) => Log.removeWhere(log, ({ offset }) => offsets.includes(offset))),
      truncate: (topic, partition, end) => change(topic, partition, (log) => Log.truncate(log, end)),
      expireSession: (target) => Effect.sync(() => Operations.expireSession(world, target)),
      freeze: (target) => Effect.sync(() => Operations.freeze(world, target)),
      thaw: (target) => Effect.sync(() => Operations.thaw(world, target)),
      crash: (target) => Effect.sync(() => Operations.crash(world, target)),
      moveCoordinator: (groupId, move) =>
        Effect.sync(() => Operations.moveCoordinator(world, groupId, millis(move?.load ?? 0))),
      changeLeader: (topic, partition) => Effect.sync(() => Operations.changeLeader(world, topic, partition)),
      brokerAway: (broker, duration) => Effect.sync(() => Operations.brokerAway(world, broker, millis(duration))),
      apply: (plan) => Effect.sync(() => Operations.apply(world, plan)),
      clearFaults: Effect.sync(network.disarm)
    })
  })

const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))

/**
 * A cluster and the `Transport` that reaches it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options?: Options): Layer.Layer<MemoryCluster | Transport> =>
  Layer.effectContext(
    Effect.map(make(options), (cluster) =>
      Context.make(MemoryCluster, cluster).pipe(Context.add(Transport, cluster.transport)))
  )

/**
 * {@link layerWith} one broker and nothing else out of the ordinary.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<MemoryCluster | Transport> = layerWith()
