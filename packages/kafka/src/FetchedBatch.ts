/**
 * What a transport hands over: records of one partition, in the order of their offsets, that are decoded only when
 * someone reads them. Queues, back-pressure and offset tracking work on batches, so the cost of a record is an index.
 *
 * @since 0.1.0
 */

/**
 * A record header. Kafka allows the same name more than once and keeps their order, and so do we. `value` is `null`
 * where the producer sent no value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Header {
  readonly name: string
  readonly value: Uint8Array | null
}

/**
 * Who set a record's timestamp: the producer (`CreateTime`) or the broker on append (`LogAppendTime`).
 *
 * @category models
 * @since 0.1.0
 */
export type TimestampType = "CreateTime" | "LogAppendTime"

/**
 * Where the bytes of a key or of a value lie. A codec reads them in place, without a copy or a view.
 *
 * @category models
 * @since 0.1.0
 */
export interface ByteRange {
  readonly buffer: Uint8Array
  readonly start: number
  readonly end: number
}

/**
 * Records of one partition, lazily decoded. Offsets rise strictly but may have gaps (compaction, transactions).
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchedBatch {
  readonly topic: string
  readonly partition: number
  /** How many records it holds; may be 0 where the log had only control records or compacted ones. */
  readonly count: number
  /** The bytes that stay in memory while the batch is referenced: what back-pressure counts. */
  readonly byteLength: number
  /** The offset from which the fetch after this one goes on; above the last record's offset, also over gaps. */
  readonly nextOffset: bigint
  /** The end of the partition (high watermark, or last stable offset) as the broker told with this fetch. */
  readonly highWatermark: bigint
  readonly leaderEpoch: number | undefined
  offset(index: number): bigint
  /** Milliseconds since 1970; -1 where the record has none. */
  timestamp(index: number): number
  timestampType(index: number): TimestampType
  /** `undefined` is a null key. */
  key(index: number): ByteRange | undefined
  /** `undefined` is a null value: a tombstone. */
  value(index: number): ByteRange | undefined
  headers(index: number): ReadonlyArray<Header>
}

/**
 * A record that is decoded already: what `fromRecords` makes a batch of.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecodedRecord {
  readonly offset: bigint
  readonly timestamp: number
  readonly timestampType?: TimestampType
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
}

const wholeRange = (bytes: Uint8Array | null): ByteRange | undefined =>
  bytes === null ? undefined : { buffer: bytes, start: 0, end: bytes.length }

/** Bytes that a decoded record costs beyond key and value: the objects themselves. Rounded up, measured on V8. */
const recordOverhead = 160

class RecordsBatch implements FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly records: ReadonlyArray<DecodedRecord>
  readonly byteLength: number
  readonly nextOffset: bigint
  readonly highWatermark: bigint
  readonly leaderEpoch: number | undefined
  constructor(options: {
    readonly topic: string
    readonly partition: number
    readonly records: ReadonlyArray<DecodedRecord>
    readonly highWatermark: bigint
    readonly nextOffset?: bigint | undefined
    readonly leaderEpoch?: number | undefined
  }) {
    this.topic = options.topic
    this.partition = options.partition
    this.records = options.records
    this.highWatermark = options.highWatermark
    this.leaderEpoch = options.leaderEpoch
    const last = options.records[options.records.length - 1]
    this.nextOffset = options.nextOffset ?? (last === undefined ? 0n : last.offset + 1n)
    let bytes = 0
    for (const record of options.records) {
      bytes += recordOverhead + (record.key?.length ?? 0) + (record.value?.length ?? 0)
      for (const header of record.headers) bytes += header.name.length + (header.value?.length ?? 0)
    }
    this.byteLength = bytes
  }
  get count(): number {
    return this.records.length
  }
  offset(index: number): bigint {
    return this.records[index]!.offset
  }
  timestamp(index: number): number {
    return this.records[index]!.timestamp
  }
  timestampType(index: number): TimestampType {
    return this.records[index]!.timestampType ?? "CreateTime"
  }
  key(index: number): ByteRange | undefined {
    return wholeRange(this.records[index]!.key)
  }
  value(index: number): ByteRange | undefined {
    return wholeRange(this.records[index]!.value)
  }
  headers(index: number): ReadonlyArray<Header> {
    return this.records[index]!.headers
  }
}

/**
 * A batch over records that are decoded already, for transports that have no bytes of a record batch to offer (the
 * in-memory cluster; a client library with a decoder of its own).
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromRecords = (options: {
  readonly topic: string
  readonly partition: number
  readonly records: ReadonlyArray<DecodedRecord>
  readonly highWatermark: bigint
  /** Default: the last record's offset plus one. */
  readonly nextOffset?: bigint | undefined
  readonly leaderEpoch?: number | undefined
}): FetchedBatch => new RecordsBatch(options)
