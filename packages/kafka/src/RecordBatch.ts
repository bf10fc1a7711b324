/**
 * What a decoder of Kafka's record batches (message format version 2) is asked, and what it answers. Transports decode so
 * what the brokers answer to a fetch; `RecordBatchDecoder` makes one.
 *
 * @since 0.1.0
 */
import type { FetchedBatch } from "./FetchedBatch.ts"
import type { CorruptRecordBatchError, UnsupportedRecordBatchError } from "./KafkaError.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type CompressionType = "gzip" | "snappy" | "lz4" | "zstd"

/**
 * Answers the bytes in a buffer of their own. Throws whatever it likes on bytes that are none of its own, and on those that
 * would become more than `maxBytes`.
 *
 * @category models
 * @since 0.1.0
 */
export type Decompressor = (bytes: Uint8Array, maxBytes: number) => Uint8Array

/**
 * How to decompress the records of a batch, for the compression types that can be.
 *
 * @category models
 * @since 0.1.0
 */
export type Decompressors = { readonly [_ in CompressionType]?: Decompressor | undefined }

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Whether control batches and the records of aborted transactions are left out, or only the former: Kafka's
   * `isolation.level`.
   */
  readonly isolationLevel: "read_uncommitted" | "read_committed"
  /** Default: gzip and zstd, which Node itself brings. */
  readonly decompressors?: Decompressors | undefined
  /**
   * `check.crcs`: whether the checksum of each batch is computed. Default true, as Kafka's own: nothing else sees a record
   * that was damaged on a disk or on the way.
   */
  readonly checkCrcs?: boolean | undefined
  /**
   * CRC-32C by a library with machine code, for batches that are not small. Default: our own, which takes 0.6 ns for each
   * byte where machine code takes 0.17.
   */
  readonly crc32c?: ((bytes: Uint8Array) => number) | undefined
  /** How large the records of one batch may be after decompression, in bytes. Default 256 MiB. */
  readonly maxDecompressedBytes?: number | undefined
}

/**
 * A transaction that was aborted, as the broker lists it with the records.
 *
 * @category models
 * @since 0.1.0
 */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/**
 * What a broker answered for one partition.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionResponse {
  readonly topic: string
  readonly partition: number
  /** The offset that was asked for. Records below it are left out: a batch comes whole. */
  readonly fetchOffset: bigint
  /** The end of the partition as the broker told it (high watermark, or last stable offset). */
  readonly highWatermark: bigint
  /** Only for `read_committed`; default: none. */
  readonly abortedTransactions?: ReadonlyArray<AbortedTransaction> | undefined
  /** The `records` field. */
  readonly records: Uint8Array
  /**
   * Uncompressed records stay where they came, and keep the whole buffer alive for as long as a batch is referenced.
   * `true` gives them a buffer of their own, for answers that hold many partitions. Default false.
   */
  readonly copy?: boolean | undefined
}

/**
 * Why the decoder did not come to the end of an answer.
 *
 * - `Corrupt`: the bytes are not what they say they are. What came before is in the batches.
 * - `Unsupported`: the records are compressed in a way that nobody can undo.
 * - `MessageSet`: the message format before version 2 (magic 0 or 1), from this byte on. The client library's own decoder
 *   has to read it.
 * - `Incomplete`: not even one batch came whole; a fetch of that many bytes would bring one.
 *
 * @category models
 * @since 0.1.0
 */
export type Stop =
  | { readonly _tag: "Corrupt"; readonly error: CorruptRecordBatchError }
  | { readonly _tag: "Unsupported"; readonly error: UnsupportedRecordBatchError }
  | { readonly _tag: "MessageSet"; readonly magic: 0 | 1; readonly start: number }
  | { readonly _tag: "Incomplete"; readonly bytes: number }

/**
 * @category models
 * @since 0.1.0
 */
export interface Decoded {
  /**
   * In the order of their offsets. Small record batches that follow each other are one `FetchedBatch`; where nothing but
   * control records or those of aborted transactions came, there is one without records, for its `nextOffset`.
   */
  readonly batches: ReadonlyArray<FetchedBatch>
  /** Where the next fetch goes on; the offset of this one where nothing could be decoded. */
  readonly nextOffset: bigint
  /** `undefined`: everything was decoded, except what was cut off at the end, which the next fetch brings again. */
  readonly stop: Stop | undefined
}

/**
 * An answer that is decoded piece by piece, for those who may have to stop in between: compressed records take no more
 * memory than before as long as nobody asks for them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoding {
  /** The next of the batches of {@link Decoded}; `undefined` after the last one. */
  readonly next: () => FetchedBatch | undefined
  /** As far as it was decoded. */
  readonly nextOffset: bigint
  /** Known once `next` answers `undefined`. */
  readonly stop: Stop | undefined
  /** Nothing is left to decode. `next` may still have a batch to hand over. */
  readonly isDone: boolean
  /**
   * What is left is to be kept for a while: it gets a buffer of its own, unless the one that it is in holds little else.
   */
  readonly detach: () => void
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Decoder {
  /** Never throws, whatever the bytes are, and never reads outside of them. */
  readonly decode: (response: PartitionResponse) => Decoded
  /** The same in pieces. Several answers may be open at a time. */
  readonly open: (response: PartitionResponse) => Decoding
}
