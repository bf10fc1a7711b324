/**
 * How much to ask a broker for at once. `fetch.max.bytes` is 50 MiB: where many partitions have so much to give, an answer of
 * that size is read, checked and handed over long after its first bytes have left the processor's caches, and the next
 * request waits for all of it. Smaller answers serve as well, unless the broker is far away: then each of them costs a
 * round trip, and larger ones bring more in the same time. State, without effects.
 */

const smallest = 8 * 1024 * 1024

/** A full answer that took longer may have been too small for the way that it had to go. */
const slowMs = 100

/** One that took no longer may be smaller. */
const fastMs = 25

/** Twice the size is worth it where it brings so much more in the same time; else it was this process that was slow. */
const worthwhile = 1.25

/** How many full answers come before it is tried again. */
const restAnswers = 256

export class AnswerSize {
  private size = smallest
  /** Bytes a millisecond, of the answer before the size was doubled, until the next one shows whether that was worth it. */
  private rateBefore: number | undefined
  private rest = 0

  /** For the next request. `atLeast`: less would be of no use. */
  within(maxBytes: number, atLeast: number): number {
    return Math.min(maxBytes, Math.max(this.size, atLeast))
  }

  /** An answer of so many bytes was there after so long. One that is not full tells nothing: it may have waited for records. */
  answered(bytes: number, afterMs: number): void {
    if (bytes < this.size / 2) return
    const rate = bytes / Math.max(1, afterMs)
    const { rateBefore } = this
    this.rateBefore = undefined
    if (rateBefore !== undefined && rate < rateBefore * worthwhile) {
      this.size /= 2
      this.rest = restAnswers
    } else if (afterMs < fastMs) {
      this.size = Math.max(smallest, this.size / 2)
    } else if (afterMs > slowMs && this.rest-- <= 0) {
      this.rateBefore = rate
      this.size *= 2
    }
  }
}
