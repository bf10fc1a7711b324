/**
 * Which records of a partition are settled, and how far the group's offset may move: up to the first record that is
 * not. Pure state. A span (a run of records that was handed out) costs one object; a record that is settled in order
 * costs an increment. What is settled beyond a gap is kept as offsets alone: a record that takes its time does not keep
 * all that came after it in memory.
 */
import type { FetchedBatch } from "../FetchedBatch.ts"
import { append, type OffsetRange } from "./offsetRanges.ts"
import { Ring } from "./ring.ts"

/** Records `from` (inclusive) to `to` (exclusive) of a batch. */
export class Span {
  readonly batch: FetchedBatch
  readonly from: number
  readonly to: number
  readonly start: bigint
  /** Its share of its batch. */
  readonly bytes: number
  /** Everything before this index is settled. */
  done: number
  /** Settled out of order: one byte for each record, made when it is first needed. */
  beyond: Uint8Array | undefined = undefined
  beyondCount = 0
  constructor(batch: FetchedBatch, from: number, to: number) {
    this.batch = batch
    this.from = from
    this.to = to
    this.start = from < batch.count ? batch.offset(from) : batch.nextOffset
    this.bytes = to === from ? 0 : Math.ceil(batch.byteLength * (to - from) / batch.count)
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

/** Spans next to each other that are settled. */
interface SettledRun {
  readonly _tag: "Settled"
  start: bigint
  end: bigint
}

export class OffsetTracker {
  /** In the order of their offsets; the first is never settled. */
  private readonly entries = new Ring<Span | SettledRun>()
  private below: bigint
  /** Records handed out and not settled. */
  outstanding = 0
  /** What the spans that are not settled keep in memory: their share of their batches. */
  heldBytes = 0

  /** `position`: the offset of the first record that will be handed out; everything below counts as settled. */
  constructor(position: bigint) {
    this.below = position
  }

  /** Spans must come in the order of their offsets. */
  add(batch: FetchedBatch, from: number, to: number): Span {
    const span = new Span(batch, from, to)
    this.entries.push(span)
    this.outstanding += to - from
    this.heldBytes += span.bytes
    if (from === to) this.complete(span)
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
    if (span.done === span.to) this.complete(span)
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
    this.complete(span)
    return unsettled
  }

  /** The offset to commit: the first that is not settled. */
  get watermark(): bigint {
    const first = this.first
    return first === undefined || first.done === first.from ? this.below : first.batch.offset(first.done)
  }

  /** The oldest record that is not settled. */
  get oldest(): { readonly batch: FetchedBatch; readonly index: number } | undefined {
    const first = this.first
    return first === undefined ? undefined : { batch: first.batch, index: first.done }
  }

  /** What is settled beyond the watermark, in order. */
  settledBeyond(): ReadonlyArray<OffsetRange> {
    const ranges: Array<OffsetRange> = []
    for (let i = 0; i < this.entries.size; i++) {
      const entry = this.entries.at(i)!
      if (!(entry instanceof Span)) {
        if (entry.start < entry.end) append(ranges, entry.start, entry.end)
        continue
      }
      // The head's settled prefix is below the watermark already.
      if (i > 0 && entry.done > entry.from) append(ranges, entry.start, offsetAfter(entry, entry.done))
      if (entry.beyondCount === 0) continue
      for (let index = entry.done; index < entry.to; index++) {
        if (entry.beyond![index - entry.from] === 1) {
          append(ranges, entry.batch.offset(index), offsetAfter(entry, index + 1))
        }
      }
    }
    return ranges
  }

  private get first(): Span | undefined {
    return this.entries.at(0) as Span | undefined
  }

  private complete(span: Span): void {
    this.heldBytes -= span.bytes
    if (this.entries.at(0) === span) this.advance()
    else this.condense(span)
  }

  /** The span's records are forgotten: it becomes a run of offsets, one with its settled neighbours. */
  private condense(span: Span): void {
    const at = this.indexOf(span)
    const before = at > 1 ? this.entries.at(at - 1) : undefined
    const after = this.entries.at(at + 1)
    const [end, taken] = after === undefined || after instanceof Span ? [span.nextOffset, 1] : [after.end, 2]
    if (before !== undefined && !(before instanceof Span)) {
      before.end = end
      this.entries.remove(at, taken)
    } else this.entries.replace(at, taken, { _tag: "Settled", start: span.start, end })
  }

  private indexOf(span: Span): number {
    let low = 0
    let high = this.entries.size - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.entries.at(middle)!.start < span.start) low = middle + 1
      else high = middle
    }
    // A span without records starts where the next one does.
    while (this.entries.at(low) !== span) low++
    return low
  }

  private advance(): void {
    let entry = this.entries.at(0)
    while (entry !== undefined) {
      if (entry instanceof Span) {
        if (entry.done < entry.to) break
        this.below = entry.nextOffset
      } else this.below = entry.end
      this.entries.shift()
      entry = this.entries.at(0)
    }
  }
}

/** Ends a range where the next record begins, so that a gap in the log does not split what lies around it. */
const offsetAfter = (span: Span, index: number): bigint => index < span.to ? span.batch.offset(index) : span.nextOffset
