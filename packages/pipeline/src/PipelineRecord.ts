/**
 * @since 0.1.0
 */
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Header, TimestampType } from "@weft/kafka/FetchedBatch"

/**
 * In place of a decoded key: it is to be the bytes. Most handlers never look at them, and not even a view is made before
 * someone does.
 *
 * @category constants
 * @since 0.1.0
 */
export const bytesOfKey = Symbol("bytesOfKey")

/**
 * A record as a handler sees it: key and value decoded, everything else a view of the fetched batch that is made when
 * it is read.
 *
 * **Gotchas**
 *
 * A record keeps the buffer of its whole fetched batch alive. What outlives the handler should hold the decoded value,
 * or a `ConsumerRecord.copy` of {@link record}.
 *
 * @category models
 * @since 0.1.0
 */
export class PipelineRecord<out K, out V> {
  /** The record as it came from Kafka, with the bytes of key and value. */
  readonly record: ConsumerRecord
  /** `null` is a tombstone; the type has it only where tombstones are processed. */
  readonly value: V
  /** Which attempt this is for this member: 1 at first, 2 after the first failure, and so on. */
  readonly attempt: number
  private readonly decodedKey: K | null | typeof bytesOfKey
  constructor(record: ConsumerRecord, key: K | null | typeof bytesOfKey, value: V, attempt: number) {
    this.record = record
    this.decodedKey = key
    this.value = value
    this.attempt = attempt
  }
  /** `null` where the record has no key. */
  get key(): K | null {
    return this.decodedKey === bytesOfKey ? this.record.key as K | null : this.decodedKey
  }
  get topic(): string {
    return this.record.topic
  }
  get partition(): number {
    return this.record.partition
  }
  get offset(): bigint {
    return this.record.offset
  }
  /** Milliseconds since 1970; -1 where the record has none. */
  get timestamp(): number {
    return this.record.timestamp
  }
  get timestampType(): TimestampType {
    return this.record.timestampType
  }
  /** All headers, in order, duplicates kept. */
  get headers(): ReadonlyArray<Header> {
    return this.record.headers
  }
  /** The last header of this name; `undefined` where there is none. */
  header(name: string): Uint8Array | null | undefined {
    return this.record.header(name)
  }
  /** The last header of this name as text; invalid UTF-8 becomes U+FFFD. */
  headerText(name: string): string | undefined {
    return this.record.headerText(name)
  }
  /** `topic-partition@offset`, for logs and errors. */
  toString(): string {
    return this.record.toString()
  }
}
