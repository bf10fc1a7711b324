/**
 * Kafka's record batch, version 2, written in two passes: sizes, then bytes.
 *
 * @since 0.1.0
 */
import type { OutgoingRecord } from "@weft/kafka/Transport"
import { crc32c } from "@weft/kafka/Crc32c"

/**
 * The records of a batch without its head, which needs to know the size after compression.
 *
 * @category models
 * @since 0.1.0
 */
export interface EncodedRecords {
  readonly bytes: Buffer
  readonly count: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
}

const zigZag = (value: number): number => value >= 0 ? value * 2 : -value * 2 - 1

/** Seven bits to a byte. By division, since a difference of times may have more than 32 bits. */
const sizeOfVarint = (value: number): number => {
  let rest = zigZag(value)
  let size = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}

const sizeOfBytes = (bytes: Uint8Array | null): number => bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length

const sizeOfRecord = ({ headers, key, value }: OutgoingRecord, timestampDelta: number, offsetDelta: number): number => {
  let size = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOfBytes(key) + sizeOfBytes(value) +
    sizeOfVarint(headers.length)
  for (const header of headers) {
    const name = Buffer.byteLength(header.name)
    size += sizeOfVarint(name) + name + sizeOfBytes(header.value)
  }
  return size
}

/**
 * What a record takes in a request at most, in bytes, for deciding how many fit.
 *
 * @category getters
 * @since 0.1.0
 */
export const sizeBound = (record: OutgoingRecord): number => sizeOfRecord(record, 2 ** 40, 2 ** 20) + 5

/**
 * `now` is the time of records that have none of their own.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeRecords = (records: ReadonlyArray<OutgoingRecord>, now: number): EncodedRecords => {
  const baseTimestamp = records[0]?.timestamp ?? now
  let maxTimestamp = baseTimestamp
  let total = 0
  const sizes = records.map((record, i) => {
    const timestamp = record.timestamp ?? now
    maxTimestamp = Math.max(maxTimestamp, timestamp)
    const size = sizeOfRecord(record, timestamp - baseTimestamp, i)
    total += sizeOfVarint(size) + size
    return size
  })
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  const varint = (value: number): void => {
    let rest = zigZag(value)
    while (rest >= 128) {
      bytes[at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    bytes[at++] = rest
  }
  const sized = (value: Uint8Array | null): void => {
    if (value === null) return varint(-1)
    varint(value.length)
    bytes.set(value, at)
    at += value.length
  }
  records.forEach((record, i) => {
    varint(sizes[i]!)
    bytes[at++] = 0
    varint((record.timestamp ?? now) - baseTimestamp)
    varint(i)
    sized(record.key)
    sized(record.value)
    varint(record.headers.length)
    for (const { name, value } of record.headers) {
      varint(Buffer.byteLength(name))
      at += bytes.write(name, at)
      sized(value)
    }
  })
  return { bytes, count: records.length, baseTimestamp, maxTimestamp }
}

/** The bytes before the records. */
const headSize = 61

/** Where the part begins that the checksum covers. */
const checkedFrom = 21

/**
 * As the broker wants it; without idempotence the producer's id, epoch and sequence are -1.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeBatch = (
  { baseTimestamp, bytes, count, maxTimestamp }: EncodedRecords,
  options: {
    readonly compression: "none" | "gzip"
    readonly producerId: bigint
    readonly producerEpoch: number
    readonly baseSequence: number
  }
): Buffer => {
  const batch = Buffer.allocUnsafe(headSize + bytes.length)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(options.compression === "gzip" ? 1 : 0, checkedFrom)
  batch.writeInt32BE(count - 1, 23)
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27)
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35)
  batch.writeBigInt64BE(options.producerId, 43)
  batch.writeInt16BE(options.producerEpoch, 51)
  batch.writeInt32BE(options.baseSequence, 53)
  batch.writeInt32BE(count, 57)
  batch.set(bytes, headSize)
  batch.writeUInt32BE(crc32c(new DataView(batch.buffer, batch.byteOffset, batch.length), checkedFrom, batch.length), 17)
  return batch
}
