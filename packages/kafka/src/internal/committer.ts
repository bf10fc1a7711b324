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
import { keyOf } from "../TopicPartition.ts"
import type { OffsetAndMetadata, TransportConsumer } from "../Transport.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import { type CommitPolicy, delay } from "./commitSchedule.ts"
import { monotonicMs } from "./monotonicMs.ts"
import { higherLimit, lowerLimit, maxBytes } from "./offsetMetadata.ts"

export interface CommitterOptions {
  readonly partitions: () => Iterable<AssignedPartition>
  readonly transport: () => TransportConsumer | undefined
  readonly publish: (event: ConsumerEvent) => void
  readonly policy: () => CommitPolicy
  readonly retryBackoffMs: () => number
  readonly clock: Clock.Clock
}

const longestBackoffMs = 5_000

/** How long a limit holds that a broker set by refusing: its settings change seldom, and asking costs one commit more. */
const raiseAfterMs = 600_000

/** A partition that the broker refuses while it takes the others: when it may be asked again, and why it was not. */
interface Refusal {
  readonly error: CommitError
  readonly backoffMs: number
  readonly until: number
}

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
  private limitedAt = 0
  private settled = 0
  private firstSettledAt = 0
  private lastCommitAt = -Infinity
  /** After a commit that was refused for good; another attempt may still be welcome later. */
  private notBefore = -Infinity
  /** How many assignments there were: what one generation was refused says nothing of the next. */
  private assignments = 0
  /** By partition: what was deleted, or is not allowed, must not hold up the offsets of all others. */
  private readonly refusals = new Map<string, Refusal>()
  /** Lets those go on that wait to try again. */
  private anew = Latch.makeUnsafe(false)

  constructor(options: CommitterOptions) {
    this.options = options
  }

  onSettled(records: number): void {
    if (this.settled === 0) this.firstSettledAt = monotonicMs(this.options.clock)
    const enough = this.options.policy().records
    const wasEnough = this.settled >= enough
    this.settled += Math.max(1, records)
    this.dirty.openUnsafe()
    const isAwaited = !wasEnough && this.settled >= enough
    if (isAwaited || this.refusals.size > 0) this.sooner.openUnsafe()
  }

  /** The schedule has changed. */
  reschedule(): void {
    this.sooner.openUnsafe()
  }

  /** A new generation: what the old one did not get to goes now, and nobody waits because of what it was refused. */
  onAssigned(): void {
    this.assignments++
    this.notBefore = -Infinity
    this.refusals.clear()
    // Another coordinator, or the same one after a restart, may take more.
    this.metadataMaxBytes = maxBytes
    this.onSettled(0)
    // Another one first: whoever goes on does so at once, and may come to wait again.
    const waited = this.anew
    this.anew = Latch.makeUnsafe(false)
    waited.openUnsafe()
    this.reschedule()
  }

  /** Commits everything that is settled now; answers when the broker has it. Retriable failures are tried again. */
  readonly flush: Effect.Effect<void, KafkaError> = this.flushUntil(() => false)

  /** The same, for whoever has all that he wants once `isDone`, whatever becomes of the rest. */
  flushUntil(isDone: () => boolean): Effect.Effect<void, KafkaError> {
    return Effect.suspend(() =>
      // Whoever gives up takes along neither what is on its way nor the attempts to come: the schedule sees to them.
      Effect.onInterrupt(this.attempt(this.options.retryBackoffMs(), isDone), () => Effect.sync(() => this.rest(0)))
    )
  }

  /** The same before partitions are given up: what was refused a moment ago is asked for again, as there is no later. */
  readonly lastFlush: Effect.Effect<void, KafkaError> = Effect.suspend(() => {
    for (const [key, refusal] of this.refusals) this.refusals.set(key, { ...refusal, until: -Infinity })
    return this.flush
  })

  private attempt(backoffMs: number, isDone: () => boolean): Effect.Effect<void, KafkaError> {
    return Effect.suspend(() => {
      const { assignments } = this
      return Effect.catch(this.turn.withPermits(1)(this.commitChanges), (error) => {
        if (isMetadataTooLarge(error) && this.longestMetadata > 0) {
          this.metadataMaxBytes = lowerLimit(this.longestMetadata)
          this.limitedAt = monotonicMs(this.options.clock)
          return this.attempt(backoffMs, isDone)
        }
        if (isOfTopics(error)) return isDone() ? Effect.void : Effect.fail(error)
        this.options.publish(ConsumerEvent.CommitFailed({ error }))
        const isNew = assignments !== this.assignments
        if (isDone()) {
          this.rest(isRetriable(error) ? backoffMs : longestBackoffMs)
          return Effect.void
        }
        if (isRetriable(error)) {
          const next = this.attempt(Math.min(2 * backoffMs, longestBackoffMs), isDone)
          return isNew ? next : Effect.andThen(this.pause(Math.min(backoffMs, longestBackoffMs)), next)
        }
        // What is not committed stays changed, and nobody may settle anything more.
        this.rest(isNew ? 0 : longestBackoffMs)
        return Effect.fail(error)
      })
    })
  }

  /** The schedule takes what is left along later. */
  private rest(ms: number): void {
    if (ms > 0) this.notBefore = monotonicMs(this.options.clock) + ms
    this.onSettled(0)
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
        else yield* Effect.catchDefect(Effect.ignore(this.flush), this.died)
      }
    })
  )

  /** Nobody would commit any more. */
  private readonly died = (defect: unknown): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.rest(longestBackoffMs)
      return Effect.logError("a commit died and is made again", defect)
    })

  private due(): number {
    const now = monotonicMs(this.options.clock)
    const due = delay(this.options.policy(), {
      settled: this.settled,
      firstSettledAt: this.firstSettledAt,
      lastCommitAt: this.lastCommitAt,
      now
    })
    return Math.max(due, this.notBefore - now, this.restMs(now))
  }

  /** For how long there is nothing to commit but what was refused a moment ago. */
  private restMs(now: number): number {
    if (this.refusals.size === 0) return 0
    let rest = Infinity
    for (const partition of this.options.partitions()) {
      if (partition.hasUncommitted) rest = Math.min(rest, (this.refusalOf(partition)?.until ?? now) - now)
    }
    return rest === Infinity ? 0 : Math.max(0, rest)
  }

  private refusalOf({ topicPartition: { partition, topic } }: AssignedPartition): Refusal | undefined {
    return this.refusals.get(keyOf(topic, partition))
  }

  /** Asked again by itself, later and later; the others go on without it. */
  private refuse(error: CommitError): void {
    const now = monotonicMs(this.options.clock)
    for (const { partition, topic } of error.offsets) {
      const key = keyOf(topic, partition)
      const before = this.refusals.get(key)?.backoffMs ?? this.options.retryBackoffMs() / 2
      const backoffMs = Math.min(2 * before, longestBackoffMs)
      this.refusals.set(key, { error, backoffMs, until: now + backoffMs })
    }
    this.options.publish(ConsumerEvent.CommitFailed({ error }))
    this.dirty.openUnsafe()
  }

  private readonly commitChanges: Effect.Effect<void, KafkaError> = Effect.suspend(() => {
    const { clock, partitions, publish } = this.options
    const now = monotonicMs(clock)
    this.settled = 0
    this.lastCommitAt = now
    this.dirty.closeUnsafe()
    if (this.metadataMaxBytes < maxBytes && now - this.limitedAt >= raiseAfterMs) {
      this.metadataMaxBytes = higherLimit(this.metadataMaxBytes)
      this.limitedAt = now
    }
    const uncommitted = [...partitions()].filter((partition) => partition.hasUncommitted)
    const isHeldBack = (partition: AssignedPartition) => (this.refusalOf(partition)?.until ?? now) > now
    const heldBack = this.refusals.size === 0 ? undefined : uncommitted.find(isHeldBack)
    const refusal = heldBack === undefined ? undefined : this.refusalOf(heldBack)
    if (refusal !== undefined) this.dirty.openUnsafe()
    // Nobody is told that all is committed as long as that is not so.
    const end = refusal === undefined ? Effect.void : Effect.fail(refusal.error)
    const changes = (refusal === undefined ? uncommitted : uncommitted.filter((one) => !isHeldBack(one)))
      .map((partition) => ({ partition, epoch: partition.epoch, ...partition.commitPoint() }))
    if (changes.length === 0) return end
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
    const onCommitted = (committed: typeof changes): void => {
      if (committed.length === 0) return
      const taken = new Set(committed.map(({ partition }) => partition))
      for (const change of committed) {
        if (change.partition.isLive(change.epoch)) change.partition.onCommitted(change)
        const { partition, topic } = change.partition.topicPartition
        this.refusals.delete(keyOf(topic, partition))
      }
      publish(ConsumerEvent.Committed({
        offsets: committed === changes ? offsets : offsets.filter((_, i) => taken.has(changes[i]!.partition)),
        durationMs: monotonicMs(clock) - now
      }))
    }
    return transport.commit(offsets).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          if (this.metadataMaxBytes < this.toldMetadataMaxBytes) {
            this.toldMetadataMaxBytes = this.metadataMaxBytes
            publish(ConsumerEvent.MetadataLimited({ maxBytes: this.metadataMaxBytes }))
          }
          onCommitted(changes)
        })
      ),
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error._tag === "CommitError") onCommitted(changes.filter(({ partition }) => isTaken(error, partition)))
          if (isOfTopics(error)) this.refuse(error)
        })
      ),
      Effect.andThen(end)
    )
  })
}

/** An error names the partitions whose offsets were not taken; the others' were. */
const isTaken = ({ offsets }: CommitError, { topicPartition }: AssignedPartition): boolean =>
  offsets.length > 0 &&
  !offsets.some(({ partition, topic }) => topic === topicPartition.topic && partition === topicPartition.partition)

/** Codes that are about the topic of a partition, and say nothing of the group. */
const codesOfTopics: ReadonlySet<string> = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "TOPIC_AUTHORIZATION_FAILED"])

const isOfTopics = (error: KafkaError): error is CommitError =>
  error._tag === "CommitError" && codesOfTopics.has(error.code)

/** The broker's `offset.metadata.max.bytes` is smaller than the default that we go by. */
const isMetadataTooLarge = (error: KafkaError): boolean =>
  error._tag === "CommitError" && error.code === "OFFSET_METADATA_TOO_LARGE"
