/** What workers work on: a run of records one by one, or a batch at once. State without effects. */
import type { PartitionHandle } from "@weft/kafka/Consumer"
import type { CommittableBatch } from "@weft/kafka/Offset"
import type * as Effect from "effect/Effect"
import type { LaneItem } from "./keyLanes.ts"

/** One record's place, and the permission to settle it. */
export interface Entry {
  readonly batch: CommittableBatch
  readonly index: number
}

/** When a policy's own schedule says to try again; made anew for each record that fails. */
export type NextDelay = (error: unknown) => Effect.Effect<number | undefined>

export abstract class WorkItem implements LaneItem {
  readonly handle: PartitionHandle
  /** Attempts of what is to be done first. */
  attempts = 0
  /** When the first of them began. */
  startedAt = 0
  nextDelay: NextDelay | undefined = undefined
  constructor(handle: PartitionHandle) {
    this.handle = handle
  }
  abstract get size(): number
  abstract prune(): boolean
  /** What one attempt is about. */
  abstract current(): ReadonlyArray<Entry>
  /** Begins what one attempt is about, or nothing of it. */
  abstract begin(): boolean
  /** It waits now: it does not hold a rebalance up. */
  abstract release(): void
  /** All of it but these waits now. */
  abstract releaseOthers(going: ReadonlySet<Entry>): void
  /** It is settled, or nobody's any more. */
  abstract remove(entry: Entry): void
  /** What is first now was never attempted. */
  protected fresh(): void {
    this.attempts = 0
    this.nextDelay = undefined
  }
}

/** Records of one batch, one after the other. */
export class RecordItem extends WorkItem {
  readonly batch: CommittableBatch
  next: number
  readonly end: number
  constructor(handle: PartitionHandle, batch: CommittableBatch, from: number, to: number) {
    super(handle)
    this.batch = batch
    this.next = from
    this.end = to
  }
  get size(): number {
    return this.end - this.next
  }
  prune(): boolean {
    return this.batch.isLive && this.next < this.end
  }
  current(): ReadonlyArray<Entry> {
    return [{ batch: this.batch, index: this.next }]
  }
  begin(): boolean {
    return this.handle.begin(this.batch, 1)
  }
  release(): void {
    this.handle.release(this.batch, 1)
  }
  releaseOthers(): void {
    // Only the first record was begun.
  }
  remove(_entry: Entry): void {
    this.advance()
  }
  advance(): void {
    this.next++
    this.fresh()
  }
}

/** Records of one batch, side by side: from index `from` to `to` (exclusive). */
export interface Slice {
  readonly batch: CommittableBatch
  readonly from: number
  readonly to: number
}

/**
 * Records that are handed to a handler together. While nothing happens to one of them alone they are slices, which cost
 * nothing for each record.
 */
export class BatchItem extends WorkItem {
  private slices: ReadonlyArray<Slice>
  private entries: Set<Entry> | undefined = undefined
  private wasBegun = false
  constructor(handle: PartitionHandle, slices: ReadonlyArray<Slice>) {
    super(handle)
    this.slices = slices
  }
  /** All of it, while nothing has happened to one of its records alone. */
  get whole(): ReadonlyArray<Slice> | undefined {
    return this.entries === undefined ? this.slices : undefined
  }
  get size(): number {
    return this.entries === undefined ? countRecords(this.slices) : this.entries.size
  }
  prune(): boolean {
    if (this.entries === undefined) this.slices = this.slices.filter(({ batch }) => batch.isLive)
    else for (const entry of this.entries) if (!entry.batch.isLive) this.entries.delete(entry)
    return this.size > 0
  }
  current(): ReadonlyArray<Entry> {
    return [...this.single()]
  }
  /** Nobody has looked at it yet, so that it may still grow; what was pruned away is in no lane any more. */
  get isOpen(): boolean {
    return !this.wasBegun && this.entries === undefined && this.slices.length > 0
  }
  add(slice: Slice): void {
    this.slices = [...this.slices, slice]
  }
  begin(): boolean {
    this.wasBegun = true
    for (const [batch, records] of this.counts()) if (!this.handle.begin(batch, records)) return false
    return true
  }
  release(): void {
    for (const [batch, records] of this.counts()) this.handle.release(batch, records)
  }
  releaseOthers(going: ReadonlySet<Entry>): void {
    for (const entry of this.single()) if (!going.has(entry)) this.handle.release(entry.batch, 1)
  }
  remove(entry: Entry): void {
    this.single().delete(entry)
    this.fresh()
  }
  /** All of it is settled. */
  clear(): void {
    this.slices = []
    this.entries = undefined
    this.fresh()
  }

  private single(): Set<Entry> {
    if (this.entries !== undefined) return this.entries
    const entries = new Set<Entry>()
    for (const { batch, from, to } of this.slices) {
      for (let index = from; index < to; index++) entries.add({ batch, index })
    }
    this.entries = entries
    this.slices = []
    return entries
  }

  private counts(): Iterable<readonly [CommittableBatch, number]> {
    return this.entries === undefined
      ? this.slices.map(({ batch, from, to }) => [batch, to - from])
      : countByBatch(this.entries)
  }
}

export const countRecords = (slices: ReadonlyArray<Slice>): number => {
  let records = 0
  for (const { from, to } of slices) records += to - from
  return records
}

export const countByBatch = (entries: Iterable<Entry>): ReadonlyMap<CommittableBatch, number> => {
  const counts = new Map<CommittableBatch, number>()
  for (const { batch } of entries) counts.set(batch, (counts.get(batch) ?? 0) + 1)
  return counts
}
