/** What a user asks of a consumer besides records. */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { ConsumerSettings } from "../ConsumerSettings.ts"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { FencedError, type KafkaError, TransportError } from "../KafkaError.ts"
import { CommittableBatch, type CommittableOffset } from "../Offset.ts"
import type { PartitionSnapshot } from "../PartitionSnapshot.ts"
import type { PartitionOffset, TopicPartition } from "../TopicPartition.ts"
import type { OffsetSpec, TransportConsumer } from "../Transport.ts"
import type { CommitPolicy } from "./commitSchedule.ts"
import type { ConsumerState } from "./consumerState.ts"

export const settle = (offset: CommittableOffset | CommittableBatch): boolean =>
  offset instanceof CommittableBatch ? offset.settleAll() : offset.settle()

export const commit = (
  state: ConsumerState,
  offsets: ReadonlyArray<CommittableOffset | CommittableBatch>
): Effect.Effect<void, KafkaError> =>
  Effect.suspend(() => {
    const promised = offsets.flatMap((offset) =>
      settle(offset) ? [{ offset, changes: batchOf(offset).owner.changes }] : []
    )
    // What was given up meanwhile is nothing to wait for.
    const isDone = () =>
      promised.every(({ changes, offset }) => {
        const batch = batchOf(offset)
        return batch.owner.epoch !== batch.epoch || isCommitted(batch, changes)
      })
    const flushed = promised.length === 0 ? Effect.void : state.committer.flushUntil(isDone)
    return Effect.flatMap(flushed, () => {
      // A partition that was given up meanwhile had nothing left to flush.
      const kept = new Set(
        promised.filter(({ changes, offset }) => isCommitted(batchOf(offset), changes)).map((one) => one.offset)
      )
      const refused = offsets.filter((offset) => !kept.has(offset))
      return refused.length === 0 ? Effect.void : Effect.fail(new FencedError({ offsets: refused.map(lastOffset) }))
    })
  })

const batchOf = (offset: CommittableOffset | CommittableBatch): CommittableBatch =>
  offset instanceof CommittableBatch ? offset : offset.batch

const isCommitted = (batch: CommittableBatch, changes: number): boolean =>
  batch.owner.epoch === batch.epoch && batch.owner.committedChanges >= changes

const lastOffset = (offset: CommittableOffset | CommittableBatch): PartitionOffset => ({
  topic: offset.topic,
  partition: offset.partition,
  offset: offset instanceof CommittableBatch ? offset.fetched.offset(offset.to - 1) : offset.offset
})

export const scheduleCommits = (
  state: ConsumerState,
  policy: CommitPolicy
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => {
      state.commitPolicy = policy
      state.committer.reschedule()
    }),
    () =>
      Effect.sync(() => {
        if (state.commitPolicy === policy) state.commitPolicy = undefined
        state.committer.reschedule()
      })
  ))

export const withTransport = <A>(
  state: ConsumerState,
  f: (transport: TransportConsumer) => Effect.Effect<A, KafkaError>
): Effect.Effect<A, KafkaError> =>
  Effect.suspend(() =>
    state.transport === undefined
      ? Effect.fail(
        new TransportError({ transport: "any", reason: "not connected", retriable: true, cause: "no live member" })
      )
      : f(state.transport)
  )

export const pause = (state: ConsumerState, partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const partition of partitions) {
      const assigned = state.find(partition)
      if (assigned === undefined || assigned.pausedByUser) continue
      assigned.pausedByUser = true
      state.transport?.pause([partition])
      state.flow.onSetAside(assigned)
    }
  })

export const resume = (state: ConsumerState, partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const partition of partitions) {
      const assigned = state.find(partition)
      if (assigned === undefined || (!assigned.pausedByUser && !assigned.halted)) continue
      assigned.pausedByUser = false
      assigned.halted = false
      state.flow.onSetAside(assigned)
      if (!assigned.pausedByBackPressure) state.transport?.resume([partition])
      if (assigned.isReadable) assigned.wake()
    }
  })

export const seek = (
  state: ConsumerState,
  { partition, topic }: TopicPartition,
  to: bigint | OffsetSpec
): Effect.Effect<void, KafkaError> =>
  withTransport(state, (transport) =>
    Effect.gen(function*() {
      const assigned = state.find({ topic, partition })
      if (assigned === undefined) return
      const offset = typeof to === "bigint"
        ? to
        : (yield* transport.listOffsets([assigned.topicPartition], to))[0]!.offset
      state.start([{ partition: assigned, offset, from: "seek", settledBeyond: [] }])
    }))

export const snapshot = (state: ConsumerState): Effect.Effect<ReadonlyArray<PartitionSnapshot>> =>
  Effect.sync(() =>
    [...state.partitions.values()].map((partition): PartitionSnapshot => {
      const oldest = partition.oldest
      return {
        topic: partition.topicPartition.topic,
        partition: partition.topicPartition.partition,
        state: partition.state as PartitionSnapshot["state"],
        position: partition.position,
        watermark: partition.tracker.watermark,
        committed: partition.committedOffset,
        highWatermark: partition.highWatermark,
        queuedRecords: partition.queue.records,
        queuedBytes: partition.queue.bytes,
        inFlight: partition.inFlight,
        oldestTimestamp: oldest === undefined ? undefined : oldest.batch.timestamp(oldest.index),
        metadataBytes: partition.metadataBytes,
        paused: partition.pausedByUser,
        backPressured: partition.pausedByBackPressure,
        halted: partition.halted
      }
    })
  )

/** Settings that are read anew each time they are used. The group, or the client library, must know of the others. */
const hot: ReadonlySet<keyof ConsumerSettings> = new Set([
  "maxPollRecords",
  "enableAutoCommit",
  "autoCommitIntervalMs",
  "retryBackoffMs",
  "drainTimeoutMs",
  "queueMaxRecords",
  "queueMaxBytes",
  "bufferMaxBytes",
  "inFlightMaxBytes",
  "stallPolicy",
  "metadataMaxAgeMs",
  "autoOffsetReset"
])

/** Answers once the settings apply: at once, or after the rejoin. */
export const reconfigure = (
  state: ConsumerState,
  settings: ConsumerSettings,
  rejoin: Latch.Latch
): Effect.Effect<void> =>
  Effect.sync(() => {
    const before = state.settings
    const changed = changedSettings(before, settings)
    if (changed.length === 0) return
    const changes = changed.map((name) => `${name} ${String(before[name])} -> ${String(settings[name])}`)
    const applied = state.transport?.applySettings?.(settings)
    const mustRejoin = changed.some((name) => !hot.has(name) && applied?.has(name) !== true)
    state.applySettings(settings)
    if (mustRejoin) state.settingsBeforeRejoin ??= before
    state.publish(ConsumerEvent.Reconfigured({ changes, rejoin: mustRejoin }))
    if (mustRejoin) rejoin.openUnsafe()
  })

const changedSettings = (
  before: ConsumerSettings,
  after: ConsumerSettings
): ReadonlyArray<keyof ConsumerSettings> => {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof ConsumerSettings>
  return [...names].filter((name) => before[name] !== after[name])
}
