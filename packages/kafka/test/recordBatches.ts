/** An encoder of record batches for tests: whatever a broker may send, also what no producer of ours would write. */
import { Buffer } from "node:buffer"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { crc32c } from "../src/Crc32c.ts"
import { compressLz4, compressSnappy } from "./codecs.ts"

export interface TestRecord {
  readonly offsetDelta: number
  readonly timestampDelta: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: Uint8Array | null }>
}

export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd"

export interface TestBatch {
  readonly baseOffset: bigint
  readonly lastOffsetDelta: number
  readonly leaderEpoch: number
  readonly compression: Compression
  readonly isLogAppendTime: boolean
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: bigint
  readonly records: ReadonlyArray<TestRecord>
}

export const record = (offsetDelta: number, over: Partial<TestRecord> = {}): TestRecord => ({
  offsetDelta,
  timestampDelta: 0n,
  key: null,
  value: Buffer.from(`v${offsetDelta}`),
  headers: [],
  ...over
})

export const batch = (
  baseOffset: bigint,
  records: ReadonlyArray<TestRecord>,
  over: Partial<TestBatch> = {}
): TestBatch => ({
  baseOffset,
  lastOffsetDelta: records.at(-1)?.offsetDelta ?? 0,
  leaderEpoch: 3,
  compression: "none",
  isLogAppendTime: false,
  isTransactional: false,
  isControl: false,
  baseTimestamp: 1_700_000_000_000n,
  maxTimestamp: 1_700_000_001_000n,
  producerId: -1n,
  records,
  ...over
})

/** A control batch with the marker that ends a producer's transaction. */
export const marker = (offset: bigint, producerId: bigint, type: "abort" | "commit"): TestBatch =>
  batch(offset, [record(0, { key: Buffer.from([0, 0, 0, type === "abort" ? 0 : 1]), value: Buffer.alloc(6) })], {
    isControl: true,
    isTransactional: true,
    producerId
  })

export const varint = (value: bigint | number): Buffer => {
  const given = BigInt(value)
  let rest = BigInt.asUintN(64, (given << 1n) ^ (given >> 63n))
  const bytes: Array<number> = []
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

const sized = (bytes: Uint8Array | null): Buffer =>
  bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes])

export const encodeRecord = ({ headers, key, offsetDelta, timestampDelta, value }: TestRecord): Buffer => {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampDelta),
    varint(offsetDelta),
    sized(key),
    sized(value),
    varint(headers.length),
    ...headers.flatMap((header) => [sized(Buffer.from(header.name)), sized(header.value)])
  ])
  return Buffer.concat([varint(body.length), body])
}

const compressions: ReadonlyArray<Compression> = ["none", "gzip", "snappy", "lz4", "zstd"]

const compress = (bytes: Buffer, compression: Compression): Buffer => {
  switch (compression) {
    case "none":
      return bytes
    case "gzip":
      return gzipSync(bytes)
    case "snappy":
      return compressSnappy(bytes)
    case "lz4":
      return compressLz4(bytes)
    case "zstd":
      return zstdCompressSync(bytes)
  }
}

/** `records`: bytes instead of the batch's own, compressed already. */
export const encodeBatch = (of: TestBatch, records?: Uint8Array): Buffer => {
  const body = records ?? compress(Buffer.concat(of.records.map(encodeRecord)), of.compression)
  const bytes = Buffer.alloc(61 + body.length)
  bytes.writeBigInt64BE(of.baseOffset, 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(of.leaderEpoch, 12)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE(
    compressions.indexOf(of.compression) | (of.isLogAppendTime ? 8 : 0) | (of.isTransactional ? 16 : 0) |
      (of.isControl ? 32 : 0),
    21
  )
  bytes.writeInt32BE(of.lastOffsetDelta, 23)
  bytes.writeBigInt64BE(of.baseTimestamp, 27)
  bytes.writeBigInt64BE(of.maxTimestamp, 35)
  bytes.writeBigInt64BE(of.producerId, 43)
  bytes.writeInt16BE(of.producerId < 0n ? -1 : 0, 51)
  bytes.writeInt32BE(of.producerId < 0n ? -1 : 0, 53)
  bytes.writeInt32BE(of.records.length, 57)
  bytes.set(body, 61)
  return withCrc(bytes)
}

/** The checksum made right again, after something was changed in a batch. */
export const withCrc = (bytes: Buffer): Buffer => {
  bytes.writeUInt32BE(crc32c(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 21, bytes.length), 17)
  return bytes
}

export const encode = (batches: ReadonlyArray<TestBatch>): Buffer =>
  Buffer.concat(batches.map((one) => encodeBatch(one)))
