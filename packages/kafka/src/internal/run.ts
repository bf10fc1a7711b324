/**
 * Record batches that follow each other, to become one `FetchedBatch`: producers that wait for nothing write a batch for
 * each record, and a queue of such would cost more than the records. Uncompressed ones lie in the answer's bytes together;
 * small compressed ones are gathered.
 */
import type { FetchedBatch } from "../FetchedBatch.ts"
import type { BatchHead } from "./batchHead.ts"
import { LazyBatch, type TimestampBase } from "./lazyBatch.ts"

/** Offsets of a run are numbers of 32 bits, from that of its first batch. */
const widest = 0x7fffffff

/** A compressed batch of no more bytes than this may join a run, which then ends soon: one copies to save a queue's work. */
const smallCompressed = 4096
const enoughGathered = 65_536

interface Place {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: bigint
  readonly copy?: boolean | undefined
}

/** Where records lie. */
export interface Extent {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

const nothing = Buffer.alloc(0)

/** In a buffer of their own; `Buffer.from` would take a part of a larger pool. */
export const copyOf = (bytes: Uint8Array, room = bytes.length): Buffer => {
  const own = Buffer.allocUnsafeSlow(room)
  own.set(bytes)
  return own
}

export class Run {
  readonly baseOffset: bigint
  private readonly leaderEpoch: number
  private readonly isLogAppendTime: boolean
  private readonly isCompressed: boolean
  private readonly bases: Array<TimestampBase> = []
  private bytes: Buffer = nothing
  private start = 0
  private end = 0

  constructor(head: BatchHead) {
    this.baseOffset = head.baseOffset
    this.leaderEpoch = head.leaderEpoch
    this.isLogAppendTime = head.isLogAppendTime
    this.isCompressed = head.isCompressed
  }

  /** Whether that batch can go on in this run. */
  takes(head: BatchHead): boolean {
    return head.leaderEpoch === this.leaderEpoch && head.isLogAppendTime === this.isLogAppendTime &&
      head.isCompressed === this.isCompressed &&
      Number(head.baseOffset - this.baseOffset) + head.lastOffsetDelta <= widest &&
      (!this.isCompressed || (head.length <= smallCompressed && this.end < enoughGathered))
  }

  /** Answers where the records of one more batch lie from now on: where they are, or behind those gathered before. */
  place(records: Extent): Extent {
    if (this.bytes.length === 0) {
      this.bytes = records.bytes
      this.start = records.start
      this.end = records.start
    }
    if (this.bytes === records.bytes) return records
    const size = records.end - records.start
    const start = this.end
    const end = start + size
    if (end > this.bytes.length) this.bytes = copyOf(this.bytes.subarray(0, start), Math.max(2 * end, smallCompressed))
    this.bytes.set(records.bytes.subarray(records.start, records.end), start)
    return { bytes: this.bytes, start, end }
  }

  /** Positions are counted from here. */
  get origin(): number {
    return this.start
  }

  /** The records of a batch were noted: the first of them, the time that their timestamps count from, where they end. */
  add(fromIndex: number, timestamp: number, end: number): void {
    this.bases.push({ fromIndex, timestamp })
    this.end = end
  }

  get isEmpty(): boolean {
    return this.bases.length === 0
  }

  /** `unused`: how many bytes of its buffer are nobody's. */
  toBatch(place: Place, nextOffset: bigint, numbers: Int32Array, unused: number): FetchedBatch {
    const used = this.bytes.subarray(this.start, this.end)
    // Decompressed records have a buffer of their own already.
    const isCopied = place.copy === true && !this.isCompressed
    return new LazyBatch({
      topic: place.topic,
      partition: place.partition,
      nextOffset,
      highWatermark: place.highWatermark,
      leaderEpoch: this.leaderEpoch < 0 ? undefined : this.leaderEpoch,
      buffer: numbers.length === 0 ? nothing : isCopied ? copyOf(used) : used,
      heldBytes: this.isCompressed ? this.bytes.length : used.length + (isCopied ? 0 : unused),
      numbers,
      baseOffset: this.baseOffset,
      timestampType: this.isLogAppendTime ? "LogAppendTime" : "CreateTime",
      bases: this.bases
    })
  }

  /** Offsets without records. */
  static empty(place: Place, nextOffset: bigint): FetchedBatch {
    return new LazyBatch({
      topic: place.topic,
      partition: place.partition,
      nextOffset,
      highWatermark: place.highWatermark,
      leaderEpoch: undefined,
      buffer: nothing,
      heldBytes: 0,
      numbers: new Int32Array(0),
      baseOffset: nextOffset,
      timestampType: "CreateTime",
      bases: []
    })
  }
}
