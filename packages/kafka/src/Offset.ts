/**
 * Offsets as values: records that were handed out, and the permission to settle and commit them.
 *
 * @since 0.1.0
 */
import { ConsumerRecord } from "./ConsumerRecord.ts"
import type { FetchedBatch } from "./FetchedBatch.ts"
import { decode } from "./internal/offsetMetadata.ts"
import type { OffsetRange } from "./internal/offsetRanges.ts"
import type { Span } from "./internal/offsetTracker.ts"
import type { TopicPartition } from "./TopicPartition.ts"

/**
 * Who decides whether an offset may still be settled: the assignment that its record was handed out under.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchOwner {
  readonly topicPartition: TopicPartition
  /** @internal */
  readonly epoch: number
  /** @internal */
  readonly isLive: (epoch: number) => boolean
  /** @internal */
  readonly settle: (epoch: number, span: Span, index: number) => boolean
  /** @internal */
  readonly settleAll: (epoch: number, span: Span) => boolean
  /** @internal Rises with everything that a commit should carry. */
  readonly changes: number
  /** @internal The changes that the broker has. */
  readonly committedChanges: number
}

/**
 * Records of one partition that were handed out together. The cheapest unit there is: settling all of it is one step,
 * whatever its size.
 *
 * **Details**
 *
 * A batch belongs to one assignment of its partition. Once the partition is revoked or lost, settling does nothing but
 * count (the epoch fence), so work that ends too late never moves an offset that is another member's.
 *
 * @category models
 * @since 0.1.0
 */
export class CommittableBatch {
  /** @internal */
  readonly owner: BatchOwner
  /** @internal */
  readonly epoch: number
  /** @internal */
  readonly span: Span
  private made: ReadonlyArray<ConsumerRecord> | undefined = undefined
  /** @internal */
  constructor(owner: BatchOwner, epoch: number, span: Span) {
    this.owner = owner
    this.epoch = epoch
    this.span = span
  }
  get topicPartition(): TopicPartition {
    return this.owner.topicPartition
  }
  get topic(): string {
    return this.owner.topicPartition.topic
  }
  get partition(): number {
    return this.owner.topicPartition.partition
  }
  /** How many records. */
  get size(): number {
    return this.span.to - this.span.from
  }
  /** The fetched batch that the records are a part of: from index {@link from} to {@link to} (exclusive). */
  get fetched(): FetchedBatch {
    return this.span.batch
  }
  get from(): number {
    return this.span.from
  }
  get to(): number {
    return this.span.to
  }
  /** The records as views, made when first asked for. */
  get records(): ReadonlyArray<ConsumerRecord> {
    if (this.made === undefined) {
      const made = new Array<ConsumerRecord>(this.size)
      for (let i = 0; i < made.length; i++) made[i] = new ConsumerRecord(this.span.batch, this.span.from + i)
      this.made = made
    }
    return this.made
  }
  /** Whether the partition is still this member's, in the same assignment. */
  get isLive(): boolean {
    return this.owner.isLive(this.epoch)
  }
  /**
   * Marks one record (an index below {@link size}) as done for good: processed, skipped by a policy, or acknowledged by
   * the dead-letter destination. The commit schedule does the rest. `false` where the fence refused it.
   */
  settle(index: number): boolean {
    return this.owner.settle(this.epoch, this.span, this.span.from + index)
  }
  /** Marks all records as done; `false` where the fence refused it. */
  settleAll(): boolean {
    return this.owner.settleAll(this.epoch, this.span)
  }
  /** One record's offset as a value. */
  offset(index: number): CommittableOffset {
    return new CommittableOffset(this, index)
  }
}

/**
 * One record's offset, and the permission to settle it.
 *
 * @category models
 * @since 0.1.0
 */
export class CommittableOffset {
  readonly batch: CommittableBatch
  readonly index: number
  constructor(batch: CommittableBatch, index: number) {
    this.batch = batch
    this.index = index
  }
  get topic(): string {
    return this.batch.topic
  }
  get partition(): number {
    return this.batch.partition
  }
  get offset(): bigint {
    return this.batch.fetched.offset(this.batch.from + this.index)
  }
  /** Marks the record as done; `false` where its partition was given up meanwhile. */
  settle(): boolean {
    return this.batch.settle(this.index)
  }
}

/**
 * Offsets to settle and commit together, of any partitions and in any order.
 *
 * **Details**
 *
 * Kafka keeps one offset for each partition. A commit moves it to the first record that is not settled, so completion
 * out of order never commits past a gap: put every offset in, not only the last one.
 *
 * @category models
 * @since 0.1.0
 */
export class OffsetBatch {
  /** How many offsets and batches were put in. */
  readonly size: number
  private readonly parts: ReadonlyArray<OffsetBatch | Committable>
  private flat: ReadonlyArray<Committable> | undefined
  private constructor(parts: ReadonlyArray<OffsetBatch | Committable>, size: number) {
    this.parts = parts
    this.size = size
  }
  static readonly empty = new OffsetBatch([], 0)
  static from(offsets: Iterable<CommittableOffset | CommittableBatch>): OffsetBatch {
    const parts = [...offsets]
    return new OffsetBatch(parts, parts.length)
  }
  /** With one more; it costs the same however many there are. */
  add(offset: CommittableOffset | CommittableBatch): OffsetBatch {
    return new OffsetBatch([this, offset], this.size + 1)
  }
  /** Both; it costs the same however many there are. */
  merge(that: OffsetBatch): OffsetBatch {
    return new OffsetBatch([this, that], this.size + that.size)
  }
  /** All of them, in the order in which they were put in. */
  get offsets(): ReadonlyArray<CommittableOffset | CommittableBatch> {
    if (this.flat !== undefined) return this.flat
    const flat = new Array<Committable>(this.size)
    let at = this.size
    // From the end, as batches that grew one by one are deep at their beginning.
    const left: Array<OffsetBatch | Committable> = [this]
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (!(next instanceof OffsetBatch)) flat[--at] = next
      else for (const part of next.flat ?? next.parts) left.push(part)
    }
    return this.flat = flat
  }
  get isEmpty(): boolean {
    return this.size === 0
  }
}

type Committable = CommittableOffset | CommittableBatch

/**
 * What a commit's metadata tells of records beyond its offset: they are settled and will not be handed out again. Empty
 * for metadata that is not Weft's.
 *
 * @category accessors
 * @since 0.1.0
 */
export const settledBeyond = (offset: bigint, metadata: string): ReadonlyArray<OffsetRange> => decode(offset, metadata)
