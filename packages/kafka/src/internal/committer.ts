/**
 * Moves the group's offsets: collects the watermarks that changed, commits them in one request, never two at a time. The
 * one place that commits.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { CommitError, isRetriable, type KafkaError } from "../KafkaError.ts"
import type { OffsetAndMetadata, TransportConsumer } from "../Transport.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import { type CommitPolicy, delay } from "./commitSchedule.ts"
import { lowerLimit, maxBytes } from "./offsetMetadata.ts"

export interface CommitterOptions {
  readonly partitions: () => Iterable<AssignedPartition>
  readonly transport: () => TransportConsumer | undefined
  readonly publish: (event: ConsumerEvent) => void
  readonly policy: () => CommitPolicy
  readonly retryBackoffMs: () => number
  readonly clock: Clock.Clock
}

const longestBackoffMs = 5_000

export class Committer {
  private readonly options: CommitterOptions
  private readonly turn = Semaphore.makeUnsafe(1)
  /** Opened by the first record that is settled since the last commit. */
  private readonly dirty = Latch.makeUnsafe(false)
  /** Opened when a wait for the next commit may be over: enough records are settled, or the schedule has changed. */
  private readonly sooner = Latch.makeUnsafe(false)
  /** The longest metadata that the broker takes, as far as we know: it says so by refusing more. */
  metadataMaxBytes = maxBytes
  /** The longest metadata of the last request. */
  private longestMetadata = 0
  private toldMetadataMaxBytes = maxBytes
  private settled = 0
  private firstSettledAt = 0
  private lastCommitAt = -Infinity
  /** After a commit that was refused for good; another attempt may still be welcome later. */
  private notBefore = -Infinity
  /** How many assignments there were: what one generation was refused says nothing of the next. */
  private assignments = 0
  /** Lets those go on that wait to try again. */
  private anew = Latch.makeUnsafe(false)

  constructor(options: CommitterOptions) {
    this.options = options
  }

  onSettled(records: number): void {
    if (this.settled === 0) this.firstSettledAt = this.options.clock.currentTimeMillisUnsafe()
    const enough = this.options.policy().records
    const wasEnough = this.settled >= enough
    this.settled += Math.max(1, records)
    this.dirty.openUnsafe()
    if (!wasEnough && this.settled >= enough) this.sooner.openUnsafe()
  }

  /** The schedule has changed. */
  reschedule(): void {
    this.sooner.openUnsafe()
  }

  /** A new generation: what the old one did not get to goes now, and nobody waits because of what it was refused. */
  onAssigned(): void {
    this.assignments++
    this.notBefore = -Infinity
    this.onSettled(0)
    // Another one first: whoever goes on does so at once, and may come to wait again.
    const waited = this.anew
    this.anew = Latch.makeUnsafe(false)
    waited.openUnsafe()
    this.reschedule()
  }

  /** Commits everything that is settled now; answers when the broker has it. Retriable failures are tried again. */
  readonly flush: Effect.Effect<void, KafkaError> = Effect.suspend(() => this.attempt(this.options.retryBackoffMs()))

  private attempt(backoffMs: number): Effect.Effect<void, KafkaError> {
    return Effect.suspend(() => {
      const { assignments } = this
      return Effect.catch(this.turn.withPermits(1)(this.commitChanges), (error) => {
        if (isMetadataTooLarge(error) && this.longestMetadata > 0) {
          this.metadataMaxBytes = lowerLimit(this.longestMetadata)
          return this.attempt(backoffMs)
        }
        this.options.publish(ConsumerEvent.CommitFailed({ error }))
        const isNew = assignments !== this.assignments
        if (isRetriable(error)) {
          const next = this.attempt(Math.min(2 * backoffMs, longestBackoffMs))
          return isNew ? next : Effect.andThen(this.pause(Math.min(backoffMs, longestBackoffMs)), next)
        }
        // What is not committed stays changed. Nobody may settle anything more, so the schedule itself takes it along later.
        if (!isNew) this.notBefore = this.options.clock.currentTimeMillisUnsafe() + longestBackoffMs
        this.onSettled(0)
        return Effect.fail(error)
      })
    })
  }

  /** Between two attempts; the next assignment ends it. */
  private pause(backoffMs: number): Effect.Effect<void> {
    return Effect.flatMap(
      Random.nextBetween(0.8, 1.2),
      (spread) => Effect.asVoid(Effect.timeoutOption(this.anew.await, backoffMs * spread))
    )
  }

  /** Commits by the schedule, for ever. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.gen({ self: this }, function*() {
      while (true) {
        yield* this.dirty.await
        this.sooner.closeUnsafe()
        const wait = this.due()
        if (wait > 0) yield* Effect.timeoutOption(this.sooner.await, wait)
        else yield* Effect.ignore(this.flush)
      }
    })
  )

  private due(): number {
    const now = this.options.clock.currentTimeMillisUnsafe()
    const due = delay(this.options.policy(), {
      settled: this.settled,
      firstSettledAt: this.firstSettledAt,
      lastCommitAt: this.lastCommitAt,
      now
    })
    return Math.max(due, this.notBefore - now)
  }

  private readonly commitChanges: Effect.Effect<void, KafkaError> = Effect.suspend(() => {
    const { clock, partitions, publish } = this.options
    const now = clock.currentTimeMillisUnsafe()
    this.settled = 0
    this.lastCommitAt = now
    this.dirty.closeUnsafe()
    const changes = [...partitions()].filter((partition) => partition.hasUncommitted).map((partition) => ({
      partition,
      epoch: partition.epoch,
      ...partition.commitPoint()
    }))
    if (changes.length === 0) return Effect.void
    this.longestMetadata = changes.reduce((longest, { metadata }) => Math.max(longest, metadata.length), 0)
    const offsets = changes.map(({ metadata, offset, partition }): OffsetAndMetadata => ({
      topic: partition.topicPartition.topic,
      partition: partition.topicPartition.partition,
      offset,
      metadata
    }))
    const transport = this.options.transport()
    if (transport === undefined) {
      return Effect.fail(
        new CommitError({ offsets, code: "NOT_CONNECTED", retriable: true, cause: "no connection to the group" })
      )
    }
    return Effect.map(transport.commit(offsets), () => {
      for (const change of changes) {
        if (change.partition.isLive(change.epoch)) change.partition.onCommitted(change)
      }
      if (this.metadataMaxBytes < this.toldMetadataMaxBytes) {
        this.toldMetadataMaxBytes = this.metadataMaxBytes
        publish(ConsumerEvent.MetadataLimited({ maxBytes: this.metadataMaxBytes }))
      }
      publish(ConsumerEvent.Committed({ offsets, durationMs: clock.currentTimeMillisUnsafe() - now }))
    })
  })
}

/** The broker's `offset.metadata.max.bytes` is smaller than the default that we go by. */
const isMetadataTooLarge = (error: KafkaError): boolean =>
  error._tag === "CommitError" && error.code === "OFFSET_METADATA_TOO_LARGE"
