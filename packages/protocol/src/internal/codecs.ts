/**
 * Libraries with machine code, loaded when they are first needed: on a platform that they were not built for, whoever does
 * not need them does not miss them.
 */
import type { Decompressor, Decompressors } from "@weft/kafka/RecordBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import * as Result from "effect/Result"
import { createRequire } from "node:module"

const load = createRequire(import.meta.url)

/** Asked once. */
const optional = <A>(name: string): () => A | undefined => {
  let library: Result.Result<A, unknown> | undefined
  return () => {
    library ??= Result.try({ try: () => load(name) as A, catch: (cause) => cause })
    return Result.isSuccess(library) ? library.success : undefined
  }
}

const snappy = optional<typeof import("snappy")>("snappy")
const lz4 = optional<typeof import("lz4-napi")>("lz4-napi")
const crc32 = optional<typeof import("@node-rs/crc32")>("@node-rs/crc32")

const { lz4: withLz4, snappy: withSnappy } = RecordBatchDecoder.decompressorsWith({
  // Without the copy it makes an external buffer, which takes five times as long.
  snappyBlock: (block) => snappy()!.uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer,
  lz4Frame: (frame) => lz4()!.decompressFrameSync(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength))
})

export const decompressors: Decompressors = {
  ...RecordBatchDecoder.nodeDecompressors,
  get snappy(): Decompressor | undefined {
    return snappy() === undefined ? undefined : withSnappy
  },
  get lz4(): Decompressor | undefined {
    return lz4() === undefined ? undefined : withLz4
  }
}

/** `undefined`: the decoder's own has to do. */
export const crc32c = (): ((bytes: Uint8Array) => number) | undefined => crc32()?.crc32c
