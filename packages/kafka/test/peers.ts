/** The decoders of the client libraries, to compare with. Both make all records of all batches at once. */
import { readRecordsBatches, Reader } from "@platformatic/kafka"
import { createRequire } from "node:module"
import { zstdDecompressSync } from "node:zlib"
import { decompressors } from "./codecs.ts"
import { hex, type PlainRecord } from "./decoded.ts"

type Bytes = Buffer | null

/** Of kafkajs headers of one name are gathered, so they are compared as such. */
export type PeerRecord = Omit<PlainRecord, "headers"> & {
  readonly headers: Readonly<Record<string, ReadonlyArray<string | null>>>
}

export const gathered = (headers: PlainRecord["headers"]): PeerRecord["headers"] => {
  const byName: Record<string, Array<string | null>> = {}
  for (const [name, value] of headers) (byName[name] ??= []).push(value)
  return byName
}

interface KafkaJsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Bytes
  readonly value: Bytes
  readonly headers: Readonly<Record<string, Bytes | ReadonlyArray<Bytes>>>
}

const require = createRequire(import.meta.url)
const codec = (decompress: (bytes: Buffer) => Uint8Array) => () => ({
  decompress: (bytes: Buffer) => Promise.resolve(decompress(bytes))
})
const { CompressionCodecs, CompressionTypes } = require("kafkajs") as typeof import("kafkajs")
const codecs = CompressionCodecs as Record<number, ReturnType<typeof codec>>
codecs[CompressionTypes.Snappy] = codec((bytes) => decompressors.snappy!(bytes, 2 ** 28))
codecs[CompressionTypes.LZ4] = codec((bytes) => decompressors.lz4!(bytes, 2 ** 28))
codecs[CompressionTypes.ZSTD] = codec((bytes) => zstdDecompressSync(bytes))

const Decoder = require("kafkajs/src/protocol/decoder") as new(bytes: Buffer) => { canReadBytes(size: number): boolean }
const decodeBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder") as (
  decoder: object
) => Promise<{ readonly records: ReadonlyArray<KafkaJsRecord> }>

export const kafkajs = async (bytes: Buffer): Promise<ReadonlyArray<KafkaJsRecord>> => {
  const decoder = new Decoder(bytes)
  const records: Array<KafkaJsRecord> = []
  while (decoder.canReadBytes(49)) records.push(...(await decodeBatch(decoder)).records)
  return records
}

export const plainKafkajs = (records: ReadonlyArray<KafkaJsRecord>): ReadonlyArray<PeerRecord> =>
  records.map(({ headers, key, offset, timestamp, value }) => ({
    offset: BigInt(offset),
    timestamp: Number(timestamp),
    key: hex(key),
    value: hex(value),
    headers: Object.fromEntries(
      Object.entries(headers).map((
        [name, value]
      ) => [name, Array.isArray(value) ? value.map(hex) : [hex(value as Bytes)]])
    )
  }))

export const platformatic = (bytes: Buffer): ReturnType<typeof readRecordsBatches> =>
  readRecordsBatches(Reader.from(bytes))

const isLogAppendTime = 8

export const plainPlatformatic = (batches: ReturnType<typeof platformatic>): ReadonlyArray<PlainRecord> =>
  batches.flatMap(({ attributes, firstOffset, firstTimestamp, maxTimestamp, records }) =>
    records.map(({ headers, key, offsetDelta, timestampDelta, value }) => ({
      offset: firstOffset + BigInt(offsetDelta),
      timestamp: Number((attributes & isLogAppendTime) === 0 ? firstTimestamp + timestampDelta : maxTimestamp),
      key: hex(key),
      value: hex(value),
      headers: headers.map(([name, value]) => [name?.toString() ?? "", hex(value)] as const)
    }))
  )
