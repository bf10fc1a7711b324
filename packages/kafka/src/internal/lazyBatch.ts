/** A `FetchedBatch` over the bytes as they came: what is read of a record is made when it is read. */
import type { ByteRange, FetchedBatch, Header, TimestampType } from "../FetchedBatch.ts"
import { part } from "./byteViews.ts"
import { stride } from "./recordWalk.ts"
import { readLong, VarintReader } from "./varint.ts"

/** The objects themselves, the two buffers' heads included. Rounded up, measured on V8. */
const batchOverhead = 512

/** Record batches of the log that follow each other in a run: from which record on which timestamp is the base. */
export interface TimestampBase {
  readonly fromIndex: number
  readonly timestamp: number
}

export class LazyBatch implements FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly byteLength: number
  readonly nextOffset: bigint
  readonly highWatermark: bigint
  readonly leaderEpoch: number | undefined
  private readonly buffer: Buffer
  private readonly numbers: Int32Array
  private readonly baseOffset: bigint
  private readonly type: TimestampType
  private readonly bases: ReadonlyArray<TimestampBase>

  constructor(options: {
    readonly topic: string
    readonly partition: number
    readonly nextOffset: bigint
    readonly highWatermark: bigint
    readonly leaderEpoch: number | undefined
    readonly buffer: Buffer
    /** What is kept in memory for it. */
    readonly heldBytes: number
    /** `stride` numbers for each record. */
    readonly numbers: Int32Array
    readonly baseOffset: bigint
    readonly timestampType: TimestampType
    /** At least one where there are records. */
    readonly bases: ReadonlyArray<TimestampBase>
  }) {
    this.topic = options.topic
    this.partition = options.partition
    this.nextOffset = options.nextOffset
    this.highWatermark = options.highWatermark
    this.leaderEpoch = options.leaderEpoch
    this.buffer = options.buffer
    this.numbers = options.numbers
    this.baseOffset = options.baseOffset
    this.type = options.timestampType
    this.bases = options.bases
    this.count = options.numbers.length / stride
    this.byteLength = this.count === 0 ? 0 : batchOverhead + options.heldBytes + this.numbers.byteLength
  }

  offset(index: number): bigint {
    return this.baseOffset + BigInt(this.numbers[index * stride + 1]!)
  }

  timestamp(index: number): number {
    const base = this.baseTimestamp(index)
    return this.type === "LogAppendTime" ? base : base + readLong(this.buffer, this.numbers[index * stride]!)
  }

  timestampType(_index: number): TimestampType {
    return this.type
  }

  key(index: number): ByteRange | undefined {
    return this.range(index * stride + 2)
  }

  value(index: number): ByteRange | undefined {
    return this.range(index * stride + 4)
  }

  headers(index: number): ReadonlyArray<Header> {
    const { buffer } = this
    const at = index * stride
    const reader = new VarintReader()
    reader.at = this.numbers[at + 4]! + Math.max(0, this.numbers[at + 5]!)
    const count = reader.read(buffer, buffer.length)
    if (count === 0) return noHeaders
    const headers = new Array<Header>(count)
    for (let i = 0; i < count; i++) {
      const nameSize = reader.read(buffer, buffer.length)
      const name = buffer.toString("utf8", reader.at, reader.at += nameSize)
      const valueSize = reader.read(buffer, buffer.length)
      headers[i] = { name, value: valueSize < 0 ? null : part(buffer, reader.at, reader.at += valueSize) }
    }
    return headers
  }

  private range(at: number): ByteRange | undefined {
    const start = this.numbers[at]!
    const size = this.numbers[at + 1]!
    return size < 0 ? undefined : { buffer: this.buffer, start, end: start + size }
  }

  /** The last base that begins at or before the record. */
  private baseTimestamp(index: number): number {
    const { bases } = this
    let low = 0
    let high = bases.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (bases[middle]!.fromIndex <= index) low = middle
      else high = middle - 1
    }
    return bases[low]!.timestamp
  }
}

const noHeaders: ReadonlyArray<Header> = []
