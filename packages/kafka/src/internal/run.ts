/**
 * Record batches that follow each other in the same bytes, to become one `FetchedBatch`: producers that wait for nothing
 * write a batch for each record, and a queue of such would cost more than the records.
 */
import type { FetchedBatch } from "../FetchedBatch.ts"
import { LazyBatch, type TimestampBase } from "./lazyBatch.ts"

/** Offsets of a run are numbers of 32 bits, from that of its first batch. */
const widest = 0x7fffffff

/** What a batch has in common with those that it can share a run with. */
export interface RunStart {
  readonly bytes: Buffer
  /** Where its records begin. */
  readonly start: number
  readonly baseOffset: bigint
  readonly leaderEpoch: number
  readonly isLogAppendTime: boolean
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly fetchOffset: bigint
  readonly highWatermark: bigint
  readonly records: Uint8Array
  readonly copy?: boolean | undefined
}

const copyOf = (bytes: Buffer): Buffer => {
  // Not `Buffer.from`: that would be a part of a larger pool.
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

const nothing = Buffer.alloc(0)

export class Run {
  private readonly first: RunStart
  private readonly bases: Array<TimestampBase> = []
  private end: number

  constructor(first: RunStart) {
    this.first = first
    this.end = first.start
  }

  get start(): number {
    return this.first.start
  }

  get baseOffset(): bigint {
    return this.first.baseOffset
  }

  get hasRecords(): boolean {
    return this.bases.length > 0
  }

  /** Whether the batch that begins so can go on in this run. */
  takes({ baseOffset, bytes, isLogAppendTime, leaderEpoch }: RunStart, lastOffsetDelta: number): boolean {
    const { first } = this
    return bytes === first.bytes && leaderEpoch === first.leaderEpoch && isLogAppendTime === first.isLogAppendTime &&
      Number(baseOffset - first.baseOffset) + lastOffsetDelta <= widest
  }

  /** One more batch: its first record, the time that its timestamps count from, where it ends. */
  add(fromIndex: number, timestamp: number, end: number): void {
    this.bases.push({ fromIndex, timestamp })
    this.end = end
  }

  toBatch(place: Place, nextOffset: bigint, numbers: Int32Array): FetchedBatch {
    const { baseOffset, bytes, isLogAppendTime, leaderEpoch, start } = this.first
    const own = numbers.length === 0 ? nothing : bytes.subarray(start, this.end)
    return new LazyBatch({
      topic: place.topic,
      partition: place.partition,
      nextOffset,
      highWatermark: place.highWatermark,
      leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
      // Decompressed records have a buffer of their own already.
      buffer: place.copy === true && bytes.buffer === place.records.buffer ? copyOf(own) : own,
      numbers,
      baseOffset,
      timestampType: isLogAppendTime ? "LogAppendTime" : "CreateTime",
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
      numbers: new Int32Array(0),
      baseOffset: nextOffset,
      timestampType: "CreateTime",
      bases: []
    })
  }
}
