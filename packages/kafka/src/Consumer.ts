/**
 * A member of a consumer group, as streams. Records come with the permission to commit them; nothing but that permission
 * ever moves the group's offsets.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Codec from "./Codec.ts"
import type { ConsumerRecord } from "./ConsumerRecord.ts"
import { type ConsumerSettings, drainTimeoutMs } from "./ConsumerSettings.ts"
import type { ConsumerEvent } from "./ConsumerEvent.ts"
import { emptiestFirst, type FetchStrategy } from "./FetchStrategy.ts"
import * as loop from "./internal/consumerLoop.ts"
import { ConsumerState } from "./internal/consumerState.ts"
import * as operations from "./internal/consumerOperations.ts"
import { log } from "./internal/logLines.ts"
import * as streams from "./internal/partitionStream.ts"
import type { KafkaError } from "./KafkaError.ts"
import { type CommittableBatch, CommittableOffset, type OffsetBatch } from "./Offset.ts"
import type { PartitionSnapshot } from "./PartitionSnapshot.ts"
import * as Signals from "./Signals.ts"
import type { Subscription } from "./Subscription.ts"
import type { PartitionOffset, TopicPartition } from "./TopicPartition.ts"
import { type CommittedOffset, type OffsetSpec, type Transport } from "./Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface ConsumerOptions {
  readonly subscription: Subscription
  readonly settings: ConsumerSettings
  /**
   * When to try again with a fresh client after one failed for good. Its count begins anew once a membership has lasted a
   * minute, so that a client that joins and dies again and again is given up, too; where it ends, every stream fails with
   * the last error. Errors that a person must mend (`isRetriable` is false) are never tried again. Default: 200 ms,
   * doubled up to 10 s, with jitter, 20 times (some two and a half minutes).
   */
  readonly restart?: Schedule.Schedule<unknown, KafkaError> | undefined
  /**
   * Waits for this member's turn to rejoin after its settings changed; the turn ends with the scope, once it has joined
   * again. Consumption goes on while it waits. Default: at once.
   */
  readonly rejoinTurn?: Effect.Effect<void, never, Scope.Scope> | undefined
  /** Told of each event as it happens, and misses none, unlike a slow reader of `events`. It must be quick. */
  readonly onEvent?: ((event: ConsumerEvent) => void) | undefined
  /**
   * Who works on a record that was handed out, for the report of a stall. Default: whoever took it from the stream, which is
   * the one that works on it only where nothing is buffered or run side by side in between.
   */
  readonly workerOf?: ((record: PartitionOffset) => Fiber.Fiber<unknown, unknown> | undefined) | undefined
  /** Who may fetch again first when the buffers were full as a whole. Default: the emptiest queues. */
  readonly fetchStrategy?: FetchStrategy | undefined
}

/**
 * How keys and values are decoded, lazily: a record that nobody looks at costs nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Codecs<K, V> {
  readonly key: Codec.Codec<K>
  readonly value: Codec.Codec<V>
}

/**
 * A record with the permission to commit it. `key` and `value` decode when read; what cannot be decoded is a
 * `DecodeError` that carries the raw record.
 *
 * @category models
 * @since 0.1.0
 */
export class CommittableRecord<K, V> {
  readonly record: ConsumerRecord
  readonly batch: CommittableBatch
  readonly index: number
  private readonly codecs: Codecs<K, V>
  constructor(batch: CommittableBatch, index: number, codecs: Codecs<K, V>) {
    this.record = batch.records[index]!
    this.batch = batch
    this.index = index
    this.codecs = codecs
  }
  get key(): Result.Result<K | null, Codec.DecodeError> {
    return Codec.decodeKey(this.codecs.key, this.record)
  }
  get value(): Result.Result<V | null, Codec.DecodeError> {
    return Codec.decodeValue(this.codecs.value, this.record)
  }
  get offset(): CommittableOffset {
    return new CommittableOffset(this.batch, this.index)
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export type PartitionHandle = streams.PartitionHandle

/**
 * A member of a consumer group. It joins when it is made and leaves with its scope: it stops fetching, waits for what is
 * in flight up to the drain deadline, commits, and leaves.
 *
 * @category services
 * @since 0.1.0
 */
export class Consumer extends Context.Service<Consumer, {
  readonly settings: Effect.Effect<ConsumerSettings>
  /**
   * The records of all assigned partitions, as the batches that they come in, at most `max_poll_records` at a time;
   * partitions take turns. The cheapest form. Two readers share the records between them.
   */
  readonly batches: Stream.Stream<CommittableBatch, KafkaError>
  /** The records of all assigned partitions, in order within each. */
  readonly stream: {
    (): Stream.Stream<CommittableRecord<Uint8Array, Uint8Array>, KafkaError>
    <K, V>(codecs: Codecs<K, V>): Stream.Stream<CommittableRecord<K, V>, KafkaError>
  }
  /**
   * A stream of streams: each assigned partition, with its records. An inner stream ends when its partition is given up;
   * a partition that a rebalance leaves with this member goes on in the same stream.
   */
  readonly partitionedStream: {
    (): Stream.Stream<
      readonly [TopicPartition, Stream.Stream<CommittableRecord<Uint8Array, Uint8Array>, KafkaError>],
      KafkaError
    >
    <K, V>(codecs: Codecs<K, V>): Stream.Stream<
      readonly [TopicPartition, Stream.Stream<CommittableRecord<K, V>, KafkaError>],
      KafkaError
    >
  }
  /** The same one level lower: what a runtime of workers needs. */
  readonly partitions: Stream.Stream<PartitionHandle, KafkaError>
  /**
   * Settles the offset and commits as far as the partition is settled without a gap. Answers when the broker has it;
   * fails with `FencedError` where the partition was given up meanwhile, with `CommitError` where the broker refused.
   */
  readonly commit: (offset: CommittableOffset | CommittableBatch) => Effect.Effect<void, KafkaError>
  /** The same for many, in one request. */
  readonly commitBatch: (offsets: OffsetBatch) => Effect.Effect<void, KafkaError>
  /** Replaces the settings' commit schedule while the scope lives: after so many settled records, or so long. */
  readonly commitSchedule: (
    records: number,
    interval: Duration.Input
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Commits whatever is settled now, without waiting for the schedule. */
  readonly flush: Effect.Effect<void, KafkaError>
  /**
   * Stops fetching and handing out; the records that wait stay (they count in no bound but the partition's own). Heartbeats
   * and commits go on, and what was handed out may be settled. It holds for as long as this member keeps the partition,
   * also over a rebalance that leaves it here, a seek and a start at another offset; a partition that is given up, or lost, and comes back is not
   * paused any more. Partitions that this member does not hold are left alone.
   */
  readonly pause: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void>
  readonly resume: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void>
  /**
   * Goes on at another offset: a number, the log's beginning or end, or the first record at or after a time. Partitions
   * that this member does not hold are left alone. What is in flight is fenced.
   */
  readonly seek: (partition: TopicPartition, to: bigint | OffsetSpec) => Effect.Effect<void, KafkaError>
  readonly assignment: SubscriptionRef.SubscriptionRef<ReadonlyArray<TopicPartition>>
  readonly committed: (
    partitions: ReadonlyArray<TopicPartition>
  ) => Effect.Effect<ReadonlyArray<CommittedOffset>, KafkaError>
  readonly beginningOffsets: (
    partitions: ReadonlyArray<TopicPartition>
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
  readonly endOffsets: (
    partitions: ReadonlyArray<TopicPartition>
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
  /** What it decides and sees, from the subscription on. A slow reader misses the oldest. */
  readonly events: Stream.Stream<ConsumerEvent>
  readonly snapshot: Effect.Effect<ReadonlyArray<PartitionSnapshot>>
  readonly memberId: Effect.Effect<string | undefined>
  /**
   * New settings: in place where that is possible, by drain, commit and rejoin where the group must know. Where the group
   * refuses them it goes back to those before; the events tell.
   */
  readonly reconfigure: (settings: ConsumerSettings) => Effect.Effect<void>
  /**
   * Ends every stream after what is in flight is settled (up to the drain deadline) and committed, and leaves the group.
   * Answers when it has left.
   */
  readonly shutdown: Effect.Effect<void>
}>()("@weft/kafka/Consumer") {}

const defaultRestart = Schedule.exponential("200 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(10)))),
  Schedule.jittered,
  Schedule.upTo({ times: 20 })
)

/**
 * Joins the group in the background: unreachable brokers, an unknown topic or refused credentials are seen as the
 * failure of the streams.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: ConsumerOptions
): Effect.fn.Return<Consumer["Service"], never, Transport | Scope.Scope> {
  const clock = yield* Clock.Clock
  const events = yield* PubSub.sliding<ConsumerEvent>(1024)
  const assignment = yield* SubscriptionRef.make<ReadonlyArray<TopicPartition>>([])
  const stop = yield* Latch.make(false)
  const rejoin = yield* Latch.make(false)
  const state = new ConsumerState({
    settings: options.settings,
    clock,
    events,
    onEvent: options.onEvent,
    workerOf: options.workerOf,
    fetchStrategy: options.fetchStrategy ?? emptiestFirst
  })

  const logged = yield* PubSub.subscribe(events)
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(PubSub.takeAll(logged), log)).pipe(
      Effect.annotateLogs({ group: options.settings.groupId })
    )
  )
  yield* Effect.forkScoped(state.committer.run)
  const running = yield* Effect.forkScoped(loop.run(state, {
    subscription: options.subscription,
    assignment,
    restart: options.restart ?? defaultRestart,
    stop,
    rejoin,
    rejoinTurn: options.rejoinTurn ?? Effect.void
  }))
  // The yield lets the last events be logged.
  const shutdown = Effect.andThen(stop.open, Effect.andThen(Fiber.await(running), Effect.yieldNow))
  yield* Effect.addFinalizer(() => shutdown)

  const stream = <K, V>(codecs: Codecs<K, V> = rawCodecs as never) => records(streams.merged(state), codecs)
  const partitionedStream = <K, V>(codecs: Codecs<K, V> = rawCodecs as never) =>
    Stream.map(
      streams.partitions(state),
      (handle) => [handle.topicPartition, records(handle.batches, codecs)] as const
    )
  return Consumer.of({
    settings: Effect.sync(() => state.settings),
    batches: streams.merged(state),
    stream,
    partitionedStream,
    partitions: streams.partitions(state),
    commit: (offset) => operations.commit(state, [offset]),
    commitBatch: (batch) => operations.commit(state, batch.offsets),
    commitSchedule: (records, interval) =>
      operations.scheduleCommits(state, { records, intervalMs: Duration.toMillis(interval) }),
    flush: state.committer.flush,
    pause: (partitions) => operations.pause(state, partitions),
    resume: (partitions) => operations.resume(state, partitions),
    seek: (partition, to) => operations.seek(state, partition, to),
    assignment,
    committed: (partitions) => operations.withTransport(state, (transport) => transport.committed(partitions)),
    beginningOffsets: (partitions) =>
      operations.withTransport(state, (transport) => transport.listOffsets(partitions, "earliest")),
    endOffsets: (partitions) =>
      operations.withTransport(state, (transport) => transport.listOffsets(partitions, "latest")),
    events: Stream.fromPubSub(events),
    snapshot: operations.snapshot(state),
    memberId: Effect.sync(() => state.memberId),
    reconfigure: (settings) => operations.reconfigure(state, settings, rejoin),
    shutdown
  })
})

const rawCodecs: Codecs<Uint8Array, Uint8Array> = { key: Codec.bytes, value: Codec.bytes }

const records = <K, V>(
  batches: Stream.Stream<CommittableBatch, KafkaError>,
  codecs: Codecs<K, V>
): Stream.Stream<CommittableRecord<K, V>, KafkaError> =>
  Stream.flattenArray(Stream.map(batches, (batch) => {
    const made = new Array<CommittableRecord<K, V>>(batch.size)
    for (let i = 0; i < made.length; i++) made[i] = new CommittableRecord(batch, i, codecs)
    return made as unknown as readonly [CommittableRecord<K, V>, ...ReadonlyArray<CommittableRecord<K, V>>]
  }))

/**
 * A consumer as a Layer, on any {@link Transport}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: ConsumerOptions): Layer.Layer<Consumer, never, Transport> =>
  Layer.effect(Consumer, make(options))

/**
 * Settles the offsets that come by and commits them after `records` of them, or `interval` after the first, whichever
 * comes first; and once more when the stream ends. Completion out of order is fine. The stream goes on at once: a commit
 * never holds it up.
 *
 * @category combinators
 * @since 0.1.0
 */
export const commitWithin = (records: number, interval: Duration.Input) =>
<E, R>(
  self: Stream.Stream<CommittableOffset | CommittableBatch, E, R>
): Stream.Stream<CommittableOffset | CommittableBatch, E | KafkaError, R | Consumer> =>
  Stream.unwrap(Effect.gen(function*() {
    const consumer = yield* Consumer
    yield* consumer.commitSchedule(records, interval)
    return Stream.mapArray(self, (offsets) => {
      for (const offset of offsets) operations.settle(offset)
      return offsets
    }).pipe(
      Stream.onEnd(consumer.flush),
      // Where it ends early nobody is left to be told of a failure.
      Stream.ensuring(Effect.ignore(consumer.flush))
    )
  }))

/** How long a program may take to end once its streams have, where the drain deadline is nearer than that or over. */
const programGraceMs = 5_000

/**
 * Runs a program over a consumer's streams so that its interruption (SIGTERM and Ctrl-C, under `NodeRuntime.runMain`)
 * ends it in an orderly way: the streams stop handing out, what is in flight ends and is committed, the member leaves the
 * group, the streams end, and the program with them. The drain deadline bounds it: a program that goes on beyond it, and
 * for five seconds at least after its streams have ended, is interrupted.
 *
 * A second signal ends the process at once ({@link Signals.endAtSecond}).
 *
 * @category combinators
 * @since 0.1.0
 */
export const gracefully = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Consumer> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const consumer = yield* Consumer
      const signals = yield* Scope.make()
      yield* Scope.provide(Signals.endAtSecond, signals)
      // No child: one that cannot be interrupted would hold up the end for ever.
      const fiber = yield* Effect.forkDetach(Effect.interruptible(program))
      return yield* restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() => endProgram(consumer, fiber)),
        Effect.ensuring(Scope.close(signals, Exit.void))
      )
    })
  )

const endProgram = Effect.fnUntraced(function*(consumer: Consumer["Service"], fiber: Fiber.Fiber<unknown, unknown>) {
  const deadline = (yield* Clock.currentTimeMillis) + drainTimeoutMs(yield* consumer.settings)
  yield* consumer.shutdown
  const left = Math.max(programGraceMs, deadline - (yield* Clock.currentTimeMillis))
  if (Option.isSome(yield* Effect.timeoutOption(Fiber.await(fiber), left))) return
  yield* Effect.logWarning("the streams have ended, and the program goes on; it is interrupted")
  const interrupted = yield* Effect.timeoutOption(Fiber.interrupt(fiber), programGraceMs)
  if (Option.isNone(interrupted)) yield* Effect.logWarning("a program that cannot be interrupted is left behind")
})
