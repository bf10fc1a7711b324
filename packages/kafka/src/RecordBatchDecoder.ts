/**
 * The decoder of record batches that transports share: one pass notes where the parts of each record lie and checks every
 * length, and nothing is made of a record before someone reads it.
 *
 * @since 0.1.0
 */
import { nodeDecompressors as node } from "./internal/compression.ts"
import { lz4 } from "./internal/lz4.ts"
import { RecordBatchDecoder } from "./internal/recordBatchDecoder.ts"
import { snappy } from "./internal/snappy.ts"
import type { Decoder, Decompressors, Options } from "./RecordBatch.ts"

/**
 * A decoder with these options. It holds some memory to work with, so one is made for each consumer, not for each answer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Decoder => new RecordBatchDecoder(options)

/**
 * gzip and zstd, which Node itself brings.
 *
 * @category constructors
 * @since 0.1.0
 */
export const nodeDecompressors: Decompressors = node

/**
 * Node's own, and snappy and lz4 by functions of libraries, which know nothing of Kafka: how Kafka packs what is for them,
 * and how large it may become, is seen to here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const decompressorsWith = (libraries: {
  /** Decompresses one bare block of snappy. */
  readonly snappyBlock: (block: Uint8Array) => Uint8Array
  /** Decompresses one frame of lz4. */
  readonly lz4Frame: (frame: Uint8Array) => Uint8Array
}): Decompressors => ({ ...node, snappy: snappy(libraries.snappyBlock), lz4: lz4(libraries.lz4Frame) })
