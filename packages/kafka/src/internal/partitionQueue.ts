/**
 * The records of a partition that were fetched and not yet handed out. Pure state; it never refuses a batch (a refusal
 * would lose records): whoever fills it asks `isFull` and pauses the fetching.
 */
import type { FetchedBatch } from "../FetchedBatch.ts"
import { Ring } from "./ring.ts"

/** Records `from` (inclusive) to `to` (exclusive) of a batch. */
export interface Slice {
  readonly batch: FetchedBatch
  readonly from: number
  readonly to: number
}

export class PartitionQueue {
  private readonly batches = new Ring<FetchedBatch>()
  /** The next record of the first batch. */
  private nextIndex = 0
  /** Where reading begins in batches whose first records are not wanted. */
  private starts = new Map<FetchedBatch, number>()
  records = 0
  bytes = 0

  get isEmpty(): boolean {
    return this.batches.size === 0
  }

  /** `from`: the first record that is wanted. */
  admit(batch: FetchedBatch, from: number): void {
    if (from > 0) this.starts.set(batch, from)
    if (this.isEmpty) this.nextIndex = from
    this.batches.push(batch)
    this.records += batch.count - from
    this.bytes += batch.byteLength
  }

  /** The next records, at most `max`, all of one batch; a batch that has none answers an empty slice, once. */
  take(max: number): Slice | undefined {
    const batch = this.batches.at(0)
    if (batch === undefined) return undefined
    const from = this.nextIndex
    const to = Math.min(batch.count, from + max)
    this.records -= to - from
    if (to < batch.count) this.nextIndex = to
    else this.drop(batch)
    return { batch, from, to }
  }

  /** Where the next `take` begins. */
  get next(): { readonly batch: FetchedBatch; readonly index: number } | undefined {
    const batch = this.batches.at(0)
    return batch === undefined ? undefined : { batch, index: this.nextIndex }
  }

  /** The oldest record that waits. */
  get oldest(): { readonly batch: FetchedBatch; readonly index: number } | undefined {
    for (let i = 0; i < this.batches.size; i++) {
      const batch = this.batches.at(i)!
      const index = i === 0 ? this.nextIndex : this.starts.get(batch) ?? 0
      if (index < batch.count) return { batch, index }
    }
    return undefined
  }

  clear(): void {
    this.batches.clear()
    this.starts.clear()
    this.nextIndex = 0
    this.records = 0
    this.bytes = 0
  }

  private drop(batch: FetchedBatch): void {
    this.bytes -= batch.byteLength
    this.starts.delete(batch)
    this.batches.shift()
    const following = this.batches.at(0)
    this.nextIndex = following === undefined ? 0 : this.starts.get(following) ?? 0
  }
}
