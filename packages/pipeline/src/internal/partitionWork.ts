/**
 * An assigned partition at work: what was taken from its queue becomes items in lanes, as the order wants it. State
 * without effects.
 */
import type { PartitionHandle } from "@weft/kafka/Consumer"
import type { CommittableBatch } from "@weft/kafka/Offset"
import type * as Effect from "effect/Effect"
import type { Order } from "../PipelineOptions.ts"
import type { KeyLanes, LaneGroup } from "./keyLanes.ts"
import type { PartitionCount, TopicStats } from "./topicStats.ts"
import type { Wake } from "./wake.ts"
import { BatchItem, countRecords, RecordItem, type Slice, type WorkItem } from "./workItem.ts"

export type Lanes = KeyLanes<WorkItem, PartitionWork>

/** How records become items. */
export interface IntakeOptions {
  readonly lanes: Lanes
  /** How many records a batch has at most; `undefined` where records are processed one by one. */
  readonly batchSize: (() => number) | undefined
}

/** What is the same for all records of a partition that wait for each other. */
const wholePartition = ""

export class PartitionWork {
  readonly handle: PartitionHandle
  readonly group: LaneGroup<WorkItem, PartitionWork>
  readonly stats: TopicStats
  /** Signalled when the partition may take records in again, or was given up. */
  readonly room: Wake
  /** Runs what belongs to this assignment; interrupted when it ends. */
  readonly fork: (effect: Effect.Effect<unknown>) => void
  private order: Order
  /** Someone waits for the end of the partition's draining. */
  watched = false
  /** The batch that was closed last. While no worker has come to it, it takes what it has room for. */
  private last: BatchItem | undefined
  /** Records of a batch that is not full. */
  private filling: Array<Slice> = []
  /** Rises with each batch that is closed, so that the window of an earlier one does nothing. */
  fillings = 0
  private readonly intake: IntakeOptions
  /** Of the records that were settled. */
  readonly count: PartitionCount

  constructor(options: {
    readonly handle: PartitionHandle
    readonly intake: IntakeOptions
    readonly order: Order
    readonly stats: TopicStats
    readonly room: Wake
    readonly fork: (effect: Effect.Effect<unknown>) => void
  }) {
    this.handle = options.handle
    this.intake = options.intake
    this.order = options.order
    this.group = options.intake.lanes.open(this)
    this.stats = options.stats
    this.count = options.stats.partition(options.handle.topicPartition.partition)
    this.room = options.room
    this.fork = options.fork
  }

  get isFilling(): boolean {
    return this.filling.length > 0
  }

  /** Another order holds once nothing is left of what waits for each other by the old one. */
  follow(order: Order): void {
    this.group.draining = order !== this.order && this.group.held > 0
    if (!this.group.draining) this.order = order
  }

  /** Takes in at most `room` records from the partition's queue. */
  take(room: number, maxAtOnce: number): void {
    const { lanes } = this.intake
    while (room > 0) {
      const batch = this.handle.take(Math.min(room, maxAtOnce))
      if (batch === undefined) return
      room -= batch.size
      lanes.hold(this.group, batch.size)
      this.stats.totals.bytes += Math.round(batch.fetched.byteLength * batch.size / batch.fetched.count)
      if (this.intake.batchSize === undefined) this.stats.batched(batch.size >= maxAtOnce)
      this.admit(batch)
    }
  }

  /** Records were settled, and how long each took from the begin of its first attempt. */
  settled(records: number, durationMs: number): void {
    this.count.records += records
    this.stats.settled(records, durationMs)
  }

  private admit(batch: CommittableBatch): void {
    const { batchSize, lanes } = this.intake
    const { handle, order } = this
    if (batchSize !== undefined) {
      this.fill(batch, batchSize())
    } else if (order === "partition") {
      lanes.add(this.group, wholePartition, new RecordItem(handle, batch, 0, batch.size))
    } else {
      for (let index = 0; index < batch.size; index++) {
        const key = order === "key" ? keyOf(batch, index) : undefined
        if (key !== undefined) this.stats.sawKey(key)
        lanes.add(this.group, key, new RecordItem(handle, batch, index, index + 1))
      }
    }
  }

  /** The window is over: what there is becomes a batch. */
  closeFilling(): void {
    if (this.filling.length > 0) this.close(false)
  }

  /** What was not full is filled up with the batch; the size may be another than before. */
  private fill(batch: CommittableBatch, size: number): void {
    const slices = [...this.filling, { batch, from: 0, to: batch.size }]
    this.filling = []
    let missing = size
    let room = this.last?.isOpen === true ? Math.max(0, size - this.last.size) : 0
    for (const { batch, from: first, to: last } of slices) {
      const start = Math.min(last, first + room)
      if (start > first) {
        room -= start - first
        this.last!.add({ batch, from: first, to: start })
        if (room === 0) this.stats.filledUp()
      }
      for (let from = start; from < last;) {
        const to = Math.min(last, from + missing)
        this.filling.push({ batch, from, to })
        missing -= to - from
        from = to
        if (missing > 0) continue
        this.close(true)
        missing = size
      }
    }
  }

  private close(isFull: boolean): void {
    this.fillings++
    this.stats.batched(isFull)
    const key = this.order === "none" ? undefined : wholePartition
    const slices = this.filling
    this.filling = []
    this.last = new BatchItem(this.handle, slices)
    this.intake.lanes.add(this.group, key, this.last)
  }

  /** Forgets records whose assignment has ended. */
  prune(): void {
    const before = countRecords(this.filling)
    this.filling = this.filling.filter(({ batch }) => batch.isLive)
    this.intake.lanes.settled(this.group, before - countRecords(this.filling))
    this.intake.lanes.prune(this.group)
  }
}

/** The bytes of a record's key as text; `undefined` for records without a key, which wait for nobody. */
const keyOf = (batch: CommittableBatch, index: number): string | undefined => {
  const range = batch.fetched.key(batch.from + index)
  if (range === undefined) return undefined
  const { buffer, end, start } = range
  const bytes = buffer instanceof Buffer ? buffer : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  return bytes.toString("latin1", start, end)
}
