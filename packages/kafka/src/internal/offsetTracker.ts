/**
 * Which records of a partition are settled, and how far the group's offset may move: up to the first record that is
 * not. Pure state. A span (a run of records that was handed out) costs one object; a record that is settled in order
 * costs an increment.
 */
import type { FetchedBatch } from "../FetchedBatch.ts"
import { append, type OffsetRange } from "./offsetRanges.ts"

/** Records `from` (inclusive) to `to` (exclusive) of a batch. */
export class Span {
  readonly batch: FetchedBatch
  readonly from: number
  readonly to: number
  /** Everything before this index is settled. */
  done: number
  /** Settled out of order: one byte for each record, made when it is first needed. */
  beyond: Uint8Array | undefined = undefined
  beyondCount = 0
  constructor(batch: FetchedBatch, from: number, to: number) {
    this.batch = batch
    this.from = from
    this.to = to
    this.done = from
  }
  /** The offset from which reading goes on after the last record of the span. */
  get nextOffset(): bigint {
    return this.to < this.batch.count ? this.batch.offset(this.to) : this.batch.nextOffset
  }
  get unsettled(): number {
    return this.to - this.done - this.beyondCount
  }
}

export class OffsetTracker {
  private spans: Array<Span> = []
  private head = 0
  private below: bigint
  /** Records handed out and not settled. */
  outstanding = 0

  /** `position`: the offset of the first record that will be handed out; everything below counts as settled. */
  constructor(position: bigint) {
    this.below = position
  }

  /** Spans must come in the order of their offsets. */
  add(batch: FetchedBatch, from: number, to: number): Span {
    const span = new Span(batch, from, to)
    this.spans.push(span)
    this.outstanding += to - from
    this.advance()
    return span
  }

  /** Answers how many records this settled now: 0 where it was settled before. */
  settle(span: Span, index: number): 0 | 1 {
    if (index < span.done || index >= span.to) return 0
    if (index > span.done) {
      const beyond = span.beyond ??= new Uint8Array(span.to - span.from)
      if (beyond[index - span.from] === 1) return 0
      beyond[index - span.from] = 1
      span.beyondCount++
      this.outstanding--
      return 1
    }
    span.done++
    this.outstanding--
    if (span.beyondCount > 0) {
      const beyond = span.beyond!
      while (span.done < span.to && beyond[span.done - span.from] === 1) {
        span.done++
        span.beyondCount--
      }
    }
    if (span.done === span.to) this.advance()
    return 1
  }

  /** Settles the whole span; answers how many records this settled now. */
  settleAll(span: Span): number {
    const unsettled = span.unsettled
    if (unsettled === 0) return 0
    span.done = span.to
    span.beyond = undefined
    span.beyondCount = 0
    this.outstanding -= unsettled
    this.advance()
    return unsettled
  }

  /** The offset to commit: the first that is not settled. */
  get watermark(): bigint {
    const first = this.spans[this.head]
    return first === undefined || first.done === first.from ? this.below : first.batch.offset(first.done)
  }

  /** The oldest record that is not settled. */
  get oldest(): { readonly batch: FetchedBatch; readonly index: number } | undefined {
    const first = this.spans[this.head]
    return first === undefined ? undefined : { batch: first.batch, index: first.done }
  }

  /** What is settled beyond the watermark, in order. */
  settledBeyond(): ReadonlyArray<OffsetRange> {
    const ranges: Array<OffsetRange> = []
    for (let i = this.head; i < this.spans.length; i++) {
      const span = this.spans[i]!
      // The head's settled prefix is below the watermark already.
      if (i > this.head && span.done > span.from) {
        append(ranges, span.batch.offset(span.from), offsetAfter(span, span.done))
      }
      if (span.beyondCount === 0) continue
      for (let index = span.done; index < span.to; index++) {
        if (span.beyond![index - span.from] === 1) {
          append(ranges, span.batch.offset(index), offsetAfter(span, index + 1))
        }
      }
    }
    return ranges
  }

  private advance(): void {
    let span = this.spans[this.head]
    while (span !== undefined && span.done === span.to) {
      this.below = span.nextOffset
      this.spans[this.head++] = undefined as never
      span = this.spans[this.head]
    }
    // Amortised: the dead front is cut off once it is the larger half.
    if (this.head > 32 && this.head * 2 > this.spans.length) {
      this.spans = this.spans.slice(this.head)
      this.head = 0
    }
  }
}

/** Ends a range where the next record begins, so that a gap in the log does not split what lies around it. */
const offsetAfter = (span: Span, index: number): bigint => index < span.to ? span.batch.offset(index) : span.nextOffset
