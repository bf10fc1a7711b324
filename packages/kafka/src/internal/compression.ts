/** The compression types of record batches by their number, and those that Node itself brings. */
import { gunzipSync, zstdDecompressSync } from "node:zlib"
import type { CompressionType, Decompressors } from "../RecordBatch.ts"

/** By the lowest three bits of a batch's attributes. */
export const compressionTypes: ReadonlyArray<CompressionType | undefined> = [undefined, "gzip", "snappy", "lz4", "zstd"]

/** Deflate makes nothing smaller than by this factor. */
const deflateRatio = 1032

/** A chunk to decompress into is no larger than this; there may be many. */
const largestChunk = 1 << 20

/**
 * How many bytes gzip says it has packed: its last four. zlib's chunk made to that measure halves the time that a small
 * batch takes; a false one costs some time and no more memory than the compressed bytes could have filled.
 */
const gzipChunk = (bytes: Uint8Array): number => {
  const { length } = bytes
  const said = length < 4
    ? 0
    : (bytes[length - 4]! | bytes[length - 3]! << 8 | bytes[length - 2]! << 16 | bytes[length - 1]! << 24) >>> 0
  return Math.max(64, Math.min(said + 1, length * deflateRatio, largestChunk))
}

export const nodeDecompressors: Decompressors = {
  gzip: (bytes, maxBytes) => gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: gzipChunk(bytes) }),
  zstd: (bytes, maxBytes) => zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
}
