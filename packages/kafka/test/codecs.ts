/** snappy and lz4 for tests, from the libraries that transports use. */
import { compressFrameSync, decompressFrameSync } from "lz4-napi"
import { compressSync, uncompressSync } from "snappy"
import type { Decompressors } from "../src/RecordBatch.ts"
import { decompressorsWith } from "../src/RecordBatchDecoder.ts"

export const compressSnappy = (bytes: Buffer): Buffer => compressSync(bytes)
export const compressLz4 = (bytes: Buffer): Buffer => compressFrameSync(bytes)

export const decompressors: Decompressors = decompressorsWith({
  snappyBlock: (block) => uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer,
  lz4Frame: (frame) => decompressFrameSync(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength))
})
