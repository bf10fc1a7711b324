/**
 * A partition while this member holds it: its queue, its tracker, and the epoch that fences what ends too late. All
 * methods are synchronous; the process has one thread, so each of them is atomic.
 */
import type { Fiber } from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { FetchedBatch } from "../FetchedBatch.ts"
import { type BatchOwner, CommittableBatch } from "../Offset.ts"
import type { TopicPartition } from "../TopicPartition.ts"
import { encode } from "./offsetMetadata.ts"
import { append, type OffsetRange } from "./offsetRanges.ts"
import { OffsetTracker, type Span } from "./offsetTracker.ts"
import { PartitionQueue } from "./partitionQueue.ts"

/**
 * - `starting`: assigned, its first offset is not known yet; nothing is fetched.
 * - `active`: fetched and handed out.
 * - `draining`: may be given up; nothing new is begun.
 * - `ended`: given up; whatever still runs is fenced.
 */
export type PartitionState = "starting" | "active" | "draining" | "ended"

/** What a partition tells the consumer that holds it, and asks of it. */
export interface PartitionOwner {
  /** The longest metadata that the broker takes. */
  readonly metadataMaxBytes: number
  /** Records can be taken that could not before. */
  readonly onReady: (partition: AssignedPartition) => void
  /** Records were taken; there may be room again. */
  readonly onTaken: (partition: AssignedPartition) => void
  readonly onSettled: (partition: AssignedPartition, records: number) => void
  readonly onFenced: (partition: AssignedPartition, records: number) => void
  /** So many bytes more (or less) were handed out and are not settled. */
  readonly onHeld: (bytes: number) => void
}

export class AssignedPartition implements BatchOwner {
  readonly topicPartition: TopicPartition
  private readonly owner: PartitionOwner
  readonly queue = new PartitionQueue()
  /** Opened when records may be there, or the partition has ended. */
  readonly readable = Latch.makeUnsafe(false)
  /** Closed while the partition drains: who wants to begin a record waits here. */
  readonly gate = Latch.makeUnsafe(true)
  /** Opened when the partition is given up or lost. */
  readonly ended = Latch.makeUnsafe(false)
  state: PartitionState = "starting"
  epoch: number
  tracker = new OffsetTracker(0n)
  /** The next offset to be fetched. */
  position = 0n
  highWatermark: bigint | undefined = undefined
  /** Known to be settled beyond the committed offset, by an earlier owner; never handed out again. */
  settledBeyond: ReadonlyArray<OffsetRange> = []
  /** Begun and not settled. */
  inFlight = 0
  pausedByUser = false
  pausedByBackPressure = false
  halted = false
  /** A drain waits for what is in flight. */
  isWaitedFor = true
  /** It made no progress for too long when last looked at. */
  stalled = false
  /** Whoever took records last, where they are in flight from then on. */
  takenBy: Fiber<unknown, unknown> | undefined = undefined
  /** In the consumer's line of partitions with records. */
  inLine = false
  /** The group's offset as far as we know: as it was found, or as we set it. */
  committedOffset: bigint | undefined = undefined
  /** Rises with everything that a commit should carry. */
  changes = 0
  /** The changes that the broker has. */
  committedChanges = 0
  /** The size of the last commit's metadata. Near its limit nothing more is handed out until the gaps close. */
  metadataBytes = 0
  recordsTaken = 0
  recordsSettled = 0
  /** Of the bytes that the tracker holds, how many the owner knows of. */
  private toldHeld = 0

  constructor(topicPartition: TopicPartition, epoch: number, owner: PartitionOwner) {
    this.topicPartition = topicPartition
    this.epoch = epoch
    this.owner = owner
  }

  /** It is decided where a partition starts that the group has no offset of: a commit made before it does says so. */
  willStartAt(offset: bigint): void {
    this.forgetHeld()
    this.tracker = new OffsetTracker(offset)
    this.changes++
  }

  /** Starts, or starts anew after a seek: what was in flight before belongs to an epoch that ended. */
  startAt(epoch: number, offset: bigint, settledBeyond: ReadonlyArray<OffsetRange>): void {
    if (this.state === "ended") return
    const isUncommitted = this.changes > this.committedChanges && this.tracker.watermark === offset
    this.epoch = epoch
    this.queue.clear()
    this.forgetHeld()
    this.tracker = new OffsetTracker(offset)
    this.inFlight = 0
    this.position = offset
    this.settledBeyond = settledBeyond
    this.committedChanges = 0
    this.changes = isUncommitted ? 1 : 0
    this.metadataBytes = 0
    if (this.state === "starting") this.state = this.gate.isOpen() ? "active" : "draining"
  }

  isLive(epoch: number): boolean {
    return this.state !== "ended" && this.epoch === epoch
  }

  /** `false`: the batch is not ours, or brings nothing new. */
  admit(batch: FetchedBatch): boolean {
    if ((this.state !== "active" && this.state !== "draining") || batch.nextOffset <= this.position) return false
    const from = firstIndexAt(batch, this.position)
    this.position = batch.nextOffset
    this.highWatermark = batch.highWatermark
    this.queue.admit(batch, from)
    if (this.isReadable) this.wake()
    return true
  }

  /** Nothing more of it is to be fetched for now. */
  get isHeldBack(): boolean {
    return this.pausedByBackPressure || this.isSetAside
  }

  /** Nothing of it is handed out until someone says so. */
  get isSetAside(): boolean {
    return this.pausedByUser || this.halted
  }

  get isReadable(): boolean {
    return this.state === "active" && !this.isSetAside && !this.queue.isEmpty &&
      !(this.hasMuchMetadata && this.tracker.outstanding > 0)
  }

  /**
   * Near the limit gaps have to close first. Where none is ours, all of it tells of what an earlier owner settled: it
   * becomes less only by reading on.
   */
  private get hasMuchMetadata(): boolean {
    // Asked at each settling: nearly always there is none at all.
    return this.metadataBytes > 0 && this.metadataBytes > this.owner.metadataMaxBytes * metadataHighWater
  }

  wake(): void {
    this.readable.openUnsafe()
    this.owner.onReady(this)
  }

  /**
   * The next records, at most `max`. With `begun` they count as in flight at once; without, the taker says `begin`.
   * Records that an earlier owner settled are settled here and skipped.
   */
  take(max: number, begun: boolean): CommittableBatch | undefined {
    while (this.isReadable) {
      const run = this.settledBeyond.length === 0 ? unsettledRun : this.nextRun()
      const { batch, from, to } = this.queue.take(run.settled > 0 ? run.settled : Math.min(max, run.length))!
      const span = this.tracker.add(batch, from, to)
      this.tellHeld()
      if (run.settled > 0 || to === from) this.settled(this.tracker.settleAll(span), 0)
      this.recordsTaken += to - from
      this.owner.onTaken(this)
      if (run.settled > 0 || to === from) continue
      if (begun) this.inFlight += to - from
      return new CommittableBatch(this, this.epoch, span)
    }
    if (this.state !== "ended") this.readable.closeUnsafe()
    return undefined
  }

  begin(records: number): void {
    this.inFlight += records
  }

  settle(epoch: number, span: Span, index: number): boolean {
    if (!this.isLive(epoch)) return this.fence(1)
    this.settled(this.tracker.settle(span, index))
    return true
  }

  settleAll(epoch: number, span: Span): boolean {
    if (!this.isLive(epoch)) return this.fence(span.unsettled)
    this.settled(this.tracker.settleAll(span))
    return true
  }

  /** A partition that has not started yet will do so as one that drains. */
  drain(): void {
    if (this.state === "ended") return
    if (this.state === "active") this.state = "draining"
    this.gate.closeUnsafe()
  }

  /** The partition stays: it goes on where it stopped. */
  undrain(): void {
    if (this.state === "ended") return
    this.isWaitedFor = true
    if (this.state === "draining") this.state = "active"
    this.gate.openUnsafe()
    if (this.isReadable) this.wake()
  }

  end(): void {
    if (this.state === "ended") return
    this.state = "ended"
    this.queue.clear()
    this.forgetHeld()
    this.takenBy = undefined
    this.gate.openUnsafe()
    this.readable.openUnsafe()
    this.ended.openUnsafe()
  }

  /** The oldest record that is not settled: in flight, or waiting to be taken. */
  get oldest(): { readonly batch: FetchedBatch; readonly index: number } | undefined {
    return this.tracker.oldest ?? this.queue.oldest
  }

  get hasUncommitted(): boolean {
    return this.changes > this.committedChanges && this.state !== "ended"
  }

  /** What a commit made now would say. */
  commitPoint(): CommitPoint {
    const offset = this.tracker.watermark
    const metadata = this.beyondMetadata(offset)
    this.metadataBytes = metadata.length
    if (this.isReadable) this.wake()
    return { offset, changes: this.changes, metadata }
  }

  onCommitted(point: CommitPoint): void {
    this.committedOffset = point.offset
    this.committedChanges = Math.max(this.committedChanges, point.changes)
  }

  private beyondMetadata(watermark: bigint): string {
    if (this.tracker.outstanding === 0 && this.settledBeyond.length === 0) return ""
    const ranges = [...this.tracker.settledBeyond()]
    // What an earlier owner settled, and we have not come to yet.
    const reached = this.queue.next === undefined ? this.position : offsetOf(this.queue.next)
    for (const range of this.settledBeyond) {
      if (range.end > reached) append(ranges, range.start > reached ? range.start : reached, range.end)
    }
    return encode(watermark, ranges, this.owner.metadataMaxBytes).metadata
  }

  /** `begun`: how many of them were in flight. What is passed over never was. */
  private settled(records: number, begun = records): void {
    this.changes++
    this.inFlight = Math.max(0, this.inFlight - begun)
    this.recordsSettled += records
    this.owner.onSettled(this, records)
    this.tellHeld()
    if (this.hasMuchMetadata && this.isReadable) this.wake()
  }

  private tellHeld(): void {
    const bytes = this.tracker.heldBytes
    if (bytes === this.toldHeld) return
    const change = bytes - this.toldHeld
    this.toldHeld = bytes
    this.owner.onHeld(change)
  }

  /** The tracker and what it holds go. */
  private forgetHeld(): void {
    if (this.toldHeld > 0) this.owner.onHeld(-this.toldHeld)
    this.toldHeld = 0
  }

  private fence(records: number): false {
    this.owner.onFenced(this, records)
    return false
  }

  /** How many of the next records are settled already, or else how many come before one that is. */
  private nextRun(): Run {
    const { batch, index } = this.queue.next!
    if (index >= batch.count) return unsettledRun
    const first = batch.offset(index)
    this.settledBeyond = this.settledBeyond.filter((range) => range.end > first)
    const range = this.settledBeyond[0]
    if (range === undefined) return unsettledRun
    const settled = range.start <= first
    const boundary = settled ? range.end : range.start
    let end = index
    while (end < batch.count && batch.offset(end) < boundary) end++
    return settled ? { settled: end - index, length: 0 } : { settled: 0, length: end - index }
  }
}

/** A commit as it was made: the changes that it carries, so that later ones stay uncommitted. */
export interface CommitPoint {
  readonly offset: bigint
  readonly metadata: string
  readonly changes: number
}

interface Run {
  readonly settled: number
  readonly length: number
}

/** Of the longest metadata: what is in flight when intake stops still has to fit. */
const metadataHighWater = 3 / 4

const unsettledRun: Run = { settled: 0, length: Number.MAX_SAFE_INTEGER }

const offsetOf = ({ batch, index }: { readonly batch: FetchedBatch; readonly index: number }): bigint =>
  index < batch.count ? batch.offset(index) : batch.nextOffset

/** The first record at or after an offset. Batches start where they were asked to, so it is nearly always 0. */
const firstIndexAt = (batch: FetchedBatch, offset: bigint): number => {
  let index = 0
  while (index < batch.count && batch.offset(index) < offset) index++
  return index
}
