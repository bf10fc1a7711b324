/**
 * The plainest consumer that keeps the rules of the SPI, and writes down all that a transport tells it: for tests of a
 * transport, and of the cluster itself. It has no queues and no fencing; those are the business of `@weft/kafka`'s
 * `Consumer`.
 *
 * @since 0.1.0
 */
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import { type Assignment, Transport, type TransportConsumer, type TransportSubscription } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/**
 * What a probe has seen so far. The arrays grow while it runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Probe {
  readonly consumer: TransportConsumer
  readonly batches: Array<FetchedBatch>
  /** All records of all batches, as they came. */
  readonly records: Array<ConsumerRecord>
  readonly assignments: Array<Assignment>
  readonly revoked: Array<ReadonlyArray<TopicPartition.TopicPartition>>
  readonly lost: Array<ReadonlyArray<TopicPartition.TopicPartition>>
  readonly outOfRange: Array<{ readonly partition: TopicPartition.TopicPartition; readonly position: bigint }>
  readonly alive: { heartbeat: number; fetch: number }
  /** What the transport did against the rules: empty, for a transport that keeps them. */
  readonly violations: Array<string>
  /** The keys of the partitions that are assigned now. */
  readonly held: () => ReadonlySet<string>
  /** The offset after the last record handed over. */
  readonly position: (topic: string, partition: number) => bigint | undefined
  /** How `run` ended, `undefined` while it goes on. */
  readonly ended: () => Exit.Exit<never, KafkaError> | undefined
  /** Ends `run`, and leaves the membership as it is. */
  readonly interrupt: Effect.Effect<void>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ProbeOptions {
  readonly subscription: TransportSubscription
  readonly settings: ConsumerSettings
  /**
   * Where partitions that are new to this member start: at what is committed, or else the beginning (`committed`, the
   * default), at the beginning whatever is committed, or nowhere until the test says so.
   */
  readonly startAt?: "committed" | "beginning" | "nowhere" | undefined
  /** Whether partitions that stay go on where they stood. Default true. */
  readonly retain?: boolean | undefined
  /** Called for each batch after it was written down. */
  readonly onBatch?: ((batch: FetchedBatch, consumer: TransportConsumer) => void) | undefined
  readonly beforeRevoke?:
    | ((
      partitions: ReadonlyArray<TopicPartition.TopicPartition>,
      consumer: TransportConsumer
    ) => Effect.Effect<void>)
    | undefined
}

/**
 * Opens a consumer of the transport and runs it for as long as the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open: (options: ProbeOptions) => Effect.Effect<Probe, KafkaError, Transport | Scope.Scope> = Effect
  .fnUntraced(function*(options: ProbeOptions) {
    const transport = yield* Transport
    const startAt = options.startAt ?? "committed"
    const retain = options.retain ?? true
    const batches: Array<FetchedBatch> = []
    const records: Array<ConsumerRecord> = []
    const assignments: Array<Assignment> = []
    const revoked: Array<ReadonlyArray<TopicPartition.TopicPartition>> = []
    const lost: Array<ReadonlyArray<TopicPartition.TopicPartition>> = []
    const outOfRange: Array<{ readonly partition: TopicPartition.TopicPartition; readonly position: bigint }> = []
    const alive = { heartbeat: 0, fetch: 0 }
    const violations: Array<string> = []
    const positions = new Map<string, bigint>()
    let held: ReadonlySet<string> = new Set()
    const toStart = yield* Queue.unbounded<ReadonlyArray<TopicPartition.TopicPartition>>()

    const write = (batch: FetchedBatch): void => {
      const key = TopicPartition.keyOf(batch.topic, batch.partition)
      if (!held.has(key)) violations.push(`a batch of ${key}, which is not assigned`)
      let last = -1n
      for (let i = 0; i < batch.count; i++) {
        const offset = batch.offset(i)
        if (offset <= last) violations.push(`${key}: offset ${offset} after ${last} in one batch`)
        last = offset
        records.push(new ConsumerRecord(batch, i))
      }
      if (batch.nextOffset <= last) violations.push(`${key}: the next offset ${batch.nextOffset} is not above ${last}`)
      positions.set(key, batch.nextOffset)
      batches.push(batch)
    }

    const consumer: TransportConsumer = yield* transport.consumer({
      subscription: options.subscription,
      settings: options.settings,
      handler: {
        onBatch: (batch) => {
          write(batch)
          options.onBatch?.(batch, consumer)
        },
        onAssignment: (assignment) => {
          assignments.push(assignment)
          const before = held
          held = new Set(assignment.partitions.map((p) => p.key))
          for (const key of positions.keys()) if (!held.has(key)) positions.delete(key)
          const stays = (p: TopicPartition.TopicPartition) => retain && before.has(p.key) && positions.has(p.key)
          const fresh = assignment.partitions.filter((p) => !stays(p))
          for (const { key } of fresh) positions.delete(key)
          if (fresh.length > 0) Queue.offerUnsafe(toStart, fresh)
          return assignment.partitions.filter(stays).map(({ key, partition, topic }) => ({
            topic,
            partition,
            offset: positions.get(key)!
          }))
        },
        beforeRevoke: (partitions) =>
          Effect.suspend(() => {
            revoked.push(partitions)
            return options.beforeRevoke?.(partitions, consumer) ?? Effect.void
          }),
        onLost: (partitions) => {
          lost.push(partitions)
          held = new Set()
          positions.clear()
        },
        onOutOfRange: (partition, position) => {
          outOfRange.push({ partition, position })
        },
        onAlive: (sign) => {
          alive[sign]++
        }
      }
    })

    const startNew = Effect.gen(function*() {
      while (true) {
        const partitions = yield* Queue.take(toStart)
        if (startAt === "nowhere") continue
        const from = startAt === "beginning"
          ? partitions.map((p) => ({ topic: p.topic, partition: p.partition, offset: undefined }))
          : yield* consumer.committed(partitions)
        const beginnings = yield* consumer.listOffsets(partitions, "earliest")
        const positions = from.map(({ offset, partition, topic }, i) => ({
          topic,
          partition,
          offset: offset ?? beginnings[i]!.offset
        }))
        consumer.start(positions.filter((p) => held.has(TopicPartition.keyOf(p.topic, p.partition))))
      }
    })

    let ended: Exit.Exit<never, KafkaError> | undefined
    const fiber = yield* consumer.run.pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          ended = exit
        })
      ),
      Effect.forkScoped
    )
    yield* Effect.forkScoped(startNew)
    const probe: Probe = {
      consumer,
      batches,
      records,
      assignments,
      revoked,
      lost,
      outOfRange,
      alive,
      violations,
      held: () => held,
      position: (topic, partition) => positions.get(TopicPartition.keyOf(topic, partition)),
      ended: () => ended,
      interrupt: Fiber.interrupt(fiber)
    }
    return probe
  })
