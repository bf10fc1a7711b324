/** From queues to streams: pulls that wait for records, and end with their partition or with the consumer. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { KafkaError } from "../KafkaError.ts"
import type { CommittableBatch } from "../Offset.ts"
import type { TopicPartition } from "../TopicPartition.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import type { ConsumerState } from "./consumerState.ts"

/**
 * An assigned partition, for a runtime of workers: take records without beginning them, and ask before each is begun.
 */
export interface PartitionHandle {
  readonly topicPartition: TopicPartition
  /** Whole batches, in flight as soon as they are handed out. Ends when the partition is given up. */
  readonly batches: Stream.Stream<CommittableBatch, KafkaError>
  /** Waits for records to take; `false` once the partition is given up. */
  readonly readable: Effect.Effect<boolean>
  /** The next records, at most `max`, or nothing. They are not in flight until they are begun. */
  readonly take: (max: number) => CommittableBatch | undefined
  /**
   * Begins records now, or answers `false` where the partition drains or is given up: then wait for `gate`.
   * What is begun and not settled holds a rebalance up, to its deadline.
   */
  readonly begin: (batch: CommittableBatch, records: number) => boolean
  /**
   * Records that were begun wait now (for their next attempt): they no longer hold a rebalance up. Begin them again
   * before going on with them.
   */
  readonly release: (batch: CommittableBatch, records: number) => void
  /** Waits while the partition drains; `false` where the batch's assignment has ended: drop what was not begun. */
  readonly gate: (batch: CommittableBatch) => Effect.Effect<boolean>
  /** Waits until the partition is given up or lost. */
  readonly ended: Effect.Effect<void>
}

const opened = <A>(state: ConsumerState, stream: Stream.Stream<A, KafkaError>): Stream.Stream<A, KafkaError> =>
  Stream.unwrap(Effect.as(
    Effect.acquireRelease(
      Effect.sync(() => {
        state.readers++
      }),
      () =>
        Effect.sync(() => {
          state.readers--
          state.checkIdle()
        })
    ),
    stream
  ))

const ended = ({ lifecycle }: ConsumerState): Effect.Effect<never, KafkaError | Cause.Done> =>
  lifecycle._tag === "Closed" && lifecycle.cause !== undefined ? Effect.failCause(lifecycle.cause) : Cause.done()

type BatchPull = Pull.Pull<Arr.NonEmptyReadonlyArray<CommittableBatch>, KafkaError>

/** All partitions in one stream; they take turns. */
export const merged = (state: ConsumerState): Stream.Stream<CommittableBatch, KafkaError> => {
  const pull: BatchPull = Effect.withFiber((fiber) => {
    const batch = state.take(state.settings.maxPollRecords, fiber)
    if (batch !== undefined) return Effect.succeed(Arr.of(batch))
    if (state.lifecycle._tag === "Closed") return ended(state)
    state.ready.closeUnsafe()
    return Effect.andThen(state.ready.await, pull)
  })
  return opened(state, Stream.fromPull(Effect.succeed(pull)))
}

const ofPartition = (
  state: ConsumerState,
  partition: AssignedPartition
): Stream.Stream<CommittableBatch, KafkaError> => {
  const pull: BatchPull = Effect.withFiber((fiber) => {
    const batch = state.takeFrom(partition, state.settings.maxPollRecords, fiber)
    if (batch !== undefined) return Effect.succeed(Arr.of(batch))
    return partition.state === "ended" ? ended(state) : Effect.andThen(partition.readable.await, pull)
  })
  return opened(state, Stream.fromPull(Effect.succeed(pull)))
}

const handle = (state: ConsumerState, partition: AssignedPartition): PartitionHandle => ({
  topicPartition: partition.topicPartition,
  batches: ofPartition(state, partition),
  readable: Effect.suspend(function wait(): Effect.Effect<boolean> {
    if (partition.state === "ended") return Effect.succeed(false)
    if (partition.isReadable) return Effect.succeed(true)
    partition.readable.closeUnsafe()
    return Effect.andThen(partition.readable.await, Effect.suspend(wait))
  }),
  take: (max) => partition.take(max, false),
  begin: (batch, records) => {
    if (partition.state !== "active" || !batch.isLive) return false
    partition.begin(records)
    return true
  },
  release: (batch, records) => {
    if (!batch.isLive) return
    partition.inFlight = Math.max(0, partition.inFlight - records)
    if (partition.state === "draining") state.checkIdle()
  },
  gate: (batch) => Effect.map(partition.gate.await, () => batch.isLive),
  ended: partition.ended.await
})

/** Each partition once, when it is assigned (or is assigned already when the stream begins). */
export const partitions = (state: ConsumerState): Stream.Stream<PartitionHandle, KafkaError> =>
  opened(
    state,
    Stream.unwrap(Effect.gen(function*() {
      const assigned = yield* Queue.unbounded<PartitionHandle, KafkaError | Cause.Done>()
      const onAdded = (partition: AssignedPartition): void => {
        Queue.offerUnsafe(assigned, handle(state, partition))
      }
      const onClosed = (): void => {
        if (state.lifecycle._tag === "Closed" && state.lifecycle.cause !== undefined) {
          Queue.failCauseUnsafe(assigned, state.lifecycle.cause)
        } else Queue.endUnsafe(assigned)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const partition of state.partitions.values()) onAdded(partition)
          state.onAdded.add(onAdded)
          state.onClosed.add(onClosed)
          if (state.lifecycle._tag === "Closed") onClosed()
        }),
        () =>
          Effect.sync(() => {
            state.onAdded.delete(onAdded)
            state.onClosed.delete(onClosed)
          })
      )
      return Stream.fromQueue(assigned)
    }))
  )
