/**
 * @since 0.1.0
 */
import type { ByteRange, FetchedBatch, Header, TimestampType } from "./FetchedBatch.ts"
import { part } from "./internal/byteViews.ts"

/**
 * A record as it came from Kafka: a view of one place in a {@link FetchedBatch}. What nobody reads is never made.
 *
 * **Gotchas**
 *
 * A record keeps the buffer of its whole batch alive. Keep a {@link copy} where a record outlives its processing.
 *
 * @category models
 * @since 0.1.0
 */
export class ConsumerRecord {
  readonly batch: FetchedBatch
  readonly index: number
  constructor(batch: FetchedBatch, index: number) {
    this.batch = batch
    this.index = index
  }
  get topic(): string {
    return this.batch.topic
  }
  get partition(): number {
    return this.batch.partition
  }
  get offset(): bigint {
    return this.batch.offset(this.index)
  }
  /** Milliseconds since 1970; -1 where the record has none. */
  get timestamp(): number {
    return this.batch.timestamp(this.index)
  }
  get timestampType(): TimestampType {
    return this.batch.timestampType(this.index)
  }
  get leaderEpoch(): number | undefined {
    return this.batch.leaderEpoch
  }
  /** The key's bytes, a view without a copy; `null` where the record has no key. */
  get key(): Uint8Array | null {
    return view(this.batch.key(this.index))
  }
  /** The value's bytes, a view without a copy; `null` is a tombstone. */
  get value(): Uint8Array | null {
    return view(this.batch.value(this.index))
  }
  /** All headers, in order, duplicates kept. */
  get headers(): ReadonlyArray<Header> {
    return this.batch.headers(this.index)
  }
  /** The last header of this name, as Kafka's own `lastHeader`; `undefined` where there is none. */
  header(name: string): Uint8Array | null | undefined {
    const headers = this.headers
    for (let i = headers.length - 1; i >= 0; i--) {
      if (headers[i]!.name === name) return headers[i]!.value
    }
    return undefined
  }
  /** The last header of this name as text. Invalid UTF-8 becomes U+FFFD; it never throws. */
  headerText(name: string): string | undefined {
    const bytes = this.header(name)
    return bytes === undefined || bytes === null ? undefined : text.decode(bytes)
  }
  /** `topic-partition@offset`, for logs and errors. */
  toString(): string {
    return `${this.topic}-${this.partition}@${this.offset}`
  }
}

const text = new TextDecoder()

const view = (range: ByteRange | undefined): Uint8Array | null =>
  range === undefined ? null : part(range.buffer, range.start, range.end)

/** `slice` of a Node Buffer is a view, and a small Buffer is a part of a pool; this is neither. */
const cloneBytes = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  new Uint8Array(bytes.subarray(start, end))

const own = (range: ByteRange | undefined): ByteRange | undefined =>
  range === undefined
    ? undefined
    : { buffer: cloneBytes(range.buffer, range.start, range.end), start: 0, end: range.end - range.start }

/**
 * A record that holds nothing but its own bytes, for those who keep records beyond their processing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const copy = (record: ConsumerRecord): ConsumerRecord => {
  const { batch, index } = record
  const key = own(batch.key(index))
  const value = own(batch.value(index))
  const headers = batch.headers(index).map(({ name, value }) => ({
    name,
    value: value === null ? null : cloneBytes(value, 0, value.length)
  }))
  const offset = batch.offset(index)
  const timestamp = batch.timestamp(index)
  const timestampType = batch.timestampType(index)
  return new ConsumerRecord({
    topic: batch.topic,
    partition: batch.partition,
    count: 1,
    byteLength: (key?.buffer.length ?? 0) + (value?.buffer.length ?? 0),
    nextOffset: offset + 1n,
    highWatermark: batch.highWatermark,
    leaderEpoch: batch.leaderEpoch,
    offset: () => offset,
    timestamp: () => timestamp,
    timestampType: () => timestampType,
    key: () => key,
    value: () => value,
    headers: () => headers
  }, 0)
}
