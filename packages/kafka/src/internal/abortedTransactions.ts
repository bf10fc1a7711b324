/** Which record batches belong to aborted transactions. */
import type { AbortedTransaction } from "../RecordBatch.ts"

/** The type that a control record's key names. */
const abort = 0

/**
 * To be asked of the batches in their order. A producer's aborted transaction goes from its first offset, which the broker
 * lists with its answer, to its abort marker in the log.
 */
export class AbortedTransactions {
  private readonly toCome: ReadonlyArray<AbortedTransaction>
  private readonly open = new Set<bigint>()
  private next = 0

  constructor(transactions: ReadonlyArray<AbortedTransaction>) {
    this.toCome = transactions.toSorted((a, b) =>
      a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0
    )
  }

  /** Whether the records of this producer are of a transaction that was aborted, as of this offset. */
  has(producerId: bigint, offset: bigint): boolean {
    this.advance(offset)
    return this.open.has(producerId)
  }

  /** A control batch with a marker of this type ends what it ends. */
  onMarker(producerId: bigint, offset: bigint, type: number): void {
    this.advance(offset)
    if (type === abort) this.open.delete(producerId)
  }

  private advance(offset: bigint): void {
    while (this.next < this.toCome.length && this.toCome[this.next]!.firstOffset <= offset) {
      this.open.add(this.toCome[this.next++]!.producerId)
    }
  }
}
