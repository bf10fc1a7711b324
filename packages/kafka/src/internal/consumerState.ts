/**
 * What a consumer holds: its partitions, the line of those that have records, and who is told what. Synchronous: called
 * from the transport's loop and from the fibers that take and settle.
 */
import type * as Clock from "effect/Clock"
import * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import type * as Cause from "effect/Cause"
import type { Fiber } from "effect/Fiber"
import { type ConsumerSettings, queueLimits } from "../ConsumerSettings.ts"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { type FetchedBatch, fromRecords } from "../FetchedBatch.ts"
import type { FetchStrategy } from "../FetchStrategy.ts"
import type { KafkaError } from "../KafkaError.ts"
import type { CommittableBatch } from "../Offset.ts"
import { keyOf, type PartitionOffset, type TopicPartition } from "../TopicPartition.ts"
import type { TransportConsumer } from "../Transport.ts"
import { AssignedPartition, type PartitionOwner } from "./assignedPartition.ts"
import { Committer } from "./committer.ts"
import type { CommitPolicy } from "./commitSchedule.ts"
import { FlowControl } from "./flowControl.ts"
import type { OffsetRange } from "./offsetRanges.ts"

export type Lifecycle =
  | { readonly _tag: "Open" }
  /** Every stream ends: after a shutdown, or with the failure that the restart schedule gave up on. */
  | { readonly _tag: "Closed"; readonly cause: Cause.Cause<KafkaError> | undefined }

/** Where a partition begins, and what is known to be settled beyond that. */
export interface Start {
  readonly partition: AssignedPartition
  readonly offset: bigint
  readonly from: "committed" | "earliest" | "latest" | "seek"
  readonly settledBeyond: ReadonlyArray<OffsetRange>
}

export class ConsumerState implements PartitionOwner {
  readonly clock: Clock.Clock
  readonly partitions = new Map<string, AssignedPartition>()
  readonly committer: Committer
  readonly flow: FlowControl
  /** Opened when a partition may have records for the merged stream, or the consumer has closed. */
  readonly ready = Latch.makeUnsafe(false)
  /** Opened when nothing that drains has records in flight. */
  readonly idle = Latch.makeUnsafe(false)
  /** Told of every new partition: the streams of partitions that are running. */
  readonly onAdded = new Set<(partition: AssignedPartition) => void>()
  readonly onClosed = new Set<() => void>()
  settings: ConsumerSettings
  lifecycle: Lifecycle = { _tag: "Open" }
  transport: TransportConsumer | undefined = undefined
  memberId: string | undefined = undefined
  /** The last drain of this membership is under way: whatever the group still assigns is not begun. */
  isLeaving = false
  /** What the group last accepted, while a rejoin with other settings is under way. */
  settingsBeforeRejoin: ConsumerSettings | undefined = undefined
  /** Streams that are being read. With none, nobody is left to settle what is in flight. */
  readers = 0
  /** Overrides the settings' schedule while a `commitWithin` runs. */
  commitPolicy: CommitPolicy | undefined = undefined
  private epochs = 0
  private line: Array<AssignedPartition> = []
  private readonly events: PubSub.PubSub<ConsumerEvent>
  private readonly onEvent: ((event: ConsumerEvent) => void) | undefined
  /** Who works on a record, where someone knows better than by who took it. */
  readonly workerOf: ((record: PartitionOffset) => Fiber<unknown, unknown> | undefined) | undefined
  /** Bytes of records that were handed out and are not settled. */
  private heldBytes = 0
  /** A reader was told to wait, since too much is not settled. */
  private toldUnsettled = false

  constructor(options: {
    readonly settings: ConsumerSettings
    readonly clock: Clock.Clock
    readonly events: PubSub.PubSub<ConsumerEvent>
    readonly onEvent?: ((event: ConsumerEvent) => void) | undefined
    readonly workerOf?: ((record: PartitionOffset) => Fiber<unknown, unknown> | undefined) | undefined
    readonly fetchStrategy: FetchStrategy
  }) {
    this.settings = options.settings
    this.clock = options.clock
    this.events = options.events
    this.onEvent = options.onEvent
    this.workerOf = options.workerOf
    this.committer = new Committer({
      partitions: () => this.partitions.values(),
      transport: () => this.transport,
      publish: this.publish,
      policy: () => this.commitPolicy ?? settingsPolicy(this.settings),
      retryBackoffMs: () => this.settings.retryBackoffMs,
      clock: options.clock
    })
    this.flow = new FlowControl(
      {
        pause: (partitions) => this.transport?.pause(partitions),
        resume: (partitions) => this.transport?.resume(partitions),
        onChange: ({ queue, topicPartition: { partition, topic } }, paused) =>
          this.publish(
            ConsumerEvent.BackPressure({ topic, partition, paused, records: queue.records, bytes: queue.bytes })
          )
      },
      options.fetchStrategy,
      queueLimits(options.settings),
      options.settings.maxPartitionFetchBytes
    )
  }

  readonly publish = (event: ConsumerEvent): void => {
    this.onEvent?.(event)
    PubSub.publishUnsafe(this.events, event)
  }

  applySettings(settings: ConsumerSettings): void {
    this.settings = settings
    this.flow.limits = queueLimits(settings)
    this.flow.fetchBytes = settings.maxPartitionFetchBytes
    this.committer.reschedule()
    // A reader that waits may have room now.
    this.onHeld(0)
  }

  nextEpoch(): number {
    return ++this.epochs
  }

  find({ partition, topic }: { readonly topic: string; readonly partition: number }): AssignedPartition | undefined {
    return this.partitions.get(keyOf(topic, partition))
  }

  add(topicPartition: TopicPartition): AssignedPartition {
    const partition = new AssignedPartition(topicPartition, this.nextEpoch(), this)
    this.partitions.set(topicPartition.key, partition)
    for (const listener of this.onAdded) listener(partition)
    return partition
  }

  /**
   * Starts partitions, or starts them anew: what was in flight before belongs to nobody any more, and no drain waits for it.
   * All at once: a transport that is told of a thousand one by one looks a thousand times at what to fetch.
   */
  start(starts: ReadonlyArray<Start>): void {
    const live = starts.filter(({ partition }) => partition.state !== "ended")
    if (live.length === 0) return
    for (const { offset, partition, settledBeyond } of live) {
      this.flow.forget(partition)
      partition.startAt(this.nextEpoch(), offset, settledBeyond)
    }
    this.fetchFrom(live.map(({ partition }) => partition))
    for (const { from, offset, partition, settledBeyond } of live) {
      const { partition: number, topic } = partition.topicPartition
      this.publish(
        ConsumerEvent.Started({ topic, partition: number, offset, from, settledBeyond: settledBeyond.length })
      )
    }
    this.checkIdle()
  }

  /**
   * The log has lost what comes next: fetching goes on at a later offset. What was fetched before stays, and the group's
   * offset moves over the gap once it is settled.
   */
  passOver(partition: AssignedPartition, offset: bigint, from: "earliest" | "latest"): void {
    if (partition.state === "ended") return
    const { partition: number, topic } = partition.topicPartition
    const highWatermark = partition.highWatermark ?? offset
    this.admit(fromRecords({ topic, partition: number, records: [], nextOffset: offset, highWatermark }))
    this.fetchFrom([partition])
    this.publish(ConsumerEvent.Started({ topic, partition: number, offset, from, settledBeyond: 0 }))
  }

  /** From where it is. */
  goOn(partition: AssignedPartition): void {
    if (partition.state !== "ended") this.fetchFrom([partition])
  }

  /** To a transport, a start may be the end of a pause. */
  private fetchFrom(partitions: ReadonlyArray<AssignedPartition>): void {
    this.transport?.start(partitions.map(({ position, topicPartition: { partition, topic } }) => ({
      topic,
      partition,
      offset: position
    })))
    const heldBack = partitions.filter((partition) => partition.isHeldBack)
    if (heldBack.length > 0) this.transport?.pause(heldBack.map((partition) => partition.topicPartition))
  }

  admit(batch: FetchedBatch): void {
    const partition = this.find(batch)
    if (partition?.admit(batch) === true) this.flow.onAdmitted(partition, this.partitions.values())
  }

  get metadataMaxBytes(): number {
    return this.committer.metadataMaxBytes
  }

  /** At the bound nothing more is handed out, until half of it is free. */
  private get hasTooMuchUnsettled(): boolean {
    const { inFlightBytes } = this.flow.limits
    return this.toldUnsettled ? this.heldBytes > inFlightBytes / 2 : this.heldBytes >= inFlightBytes
  }

  /** What a reader of a partition's own stream gets. */
  takeFrom(partition: AssignedPartition, max: number, fiber: Fiber<unknown, unknown>): CommittableBatch | undefined {
    if (this.hasTooMuchUnsettled) {
      this.tellUnsettled()
      if (partition.state !== "ended") partition.readable.closeUnsafe()
      return undefined
    }
    const batch = partition.take(max, true)
    if (batch !== undefined) partition.takenBy = fiber
    return batch
  }

  private tellUnsettled(): void {
    if (this.toldUnsettled) return
    this.toldUnsettled = true
    this.publish(ConsumerEvent.Unsettled({ bytes: this.heldBytes }))
  }

  onHeld(bytes: number): void {
    this.heldBytes += bytes
    if (!this.toldUnsettled || this.hasTooMuchUnsettled) return
    this.toldUnsettled = false
    for (const partition of this.partitions.values()) if (partition.isReadable) partition.wake()
    this.ready.openUnsafe()
  }

  /** The next records of the merged stream: partitions with records take turns. */
  take(max: number, fiber: Fiber<unknown, unknown>): CommittableBatch | undefined {
    if (this.hasTooMuchUnsettled) {
      this.tellUnsettled()
      return undefined
    }
    for (let partition = this.line.shift(); partition !== undefined; partition = this.line.shift()) {
      partition.inLine = false
      const batch = partition.take(max, true)
      if (batch !== undefined) partition.takenBy = fiber
      if (partition.isReadable) this.onReady(partition)
      if (batch !== undefined) return batch
    }
    return undefined
  }

  end(partitions: Iterable<AssignedPartition>): void {
    for (const partition of partitions) {
      partition.end()
      this.partitions.delete(partition.topicPartition.key)
      this.flow.forget(partition)
    }
    this.line = this.line.filter((partition) => partition.state !== "ended")
    this.checkIdle()
    this.ready.openUnsafe()
  }

  /** Ends partitions and says so: given up in an orderly way, or lost with the membership. */
  giveUp(partitions: ReadonlyArray<AssignedPartition>, how: "Revoked" | "Lost"): void {
    if (partitions.length === 0) return
    this.end(partitions)
    this.publish(ConsumerEvent[how]({ partitions: partitions.map((partition) => partition.topicPartition) }))
  }

  close(cause: Cause.Cause<KafkaError> | undefined): void {
    if (this.lifecycle._tag === "Closed") return
    this.lifecycle = { _tag: "Closed", cause }
    this.end([...this.partitions.values()])
    for (const listener of this.onClosed) listener()
  }

  onReady(partition: AssignedPartition): void {
    if (partition.inLine) return
    partition.inLine = true
    this.line.push(partition)
    this.ready.openUnsafe()
  }

  onTaken(partition: AssignedPartition): void {
    this.flow.onTaken(partition)
  }

  onSettled(partition: AssignedPartition, records: number): void {
    this.committer.onSettled(records)
    if (partition.state === "draining" && partition.inFlight === 0) this.checkIdle()
  }

  onFenced({ topicPartition: { partition, topic } }: AssignedPartition, records: number): void {
    if (records > 0) this.publish(ConsumerEvent.Fenced({ topic, partition, records }))
  }

  get drainingInFlight(): number {
    let records = 0
    for (const partition of this.partitions.values()) {
      if (partition.state === "draining" && partition.isWaitedFor) records += partition.inFlight
    }
    return records
  }

  checkIdle(): void {
    if (this.readers === 0 || this.drainingInFlight === 0) this.idle.openUnsafe()
  }
}

const settingsPolicy = (settings: ConsumerSettings): CommitPolicy =>
  settings.enableAutoCommit
    ? { records: Number.MAX_SAFE_INTEGER, intervalMs: settings.autoCommitIntervalMs }
    : { records: 1, intervalMs: 0 }
