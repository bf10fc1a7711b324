/**
 * Record batches that were damaged, and what must hold of the decoder whatever it is given. Everything is drawn from the
 * seed, so that a failure can be repeated.
 */
import { ConsumerRecord } from "../src/ConsumerRecord.ts"
import type { Decoded, Decoder, PartitionResponse } from "../src/RecordBatch.ts"
import * as RecordBatchDecoder from "../src/RecordBatchDecoder.ts"
import { decompressors } from "./codecs.ts"
import {
  batch,
  type Compression,
  encodeBatch,
  encodeRecord,
  marker,
  record,
  type TestBatch,
  varint,
  withCrc
} from "./recordBatches.ts"

/** Numbers below a bound (mulberry32). */
type Draw = (below: number) => number

const drawFrom = (seed: number): Draw => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const pick = <A>(draw: Draw, values: ReadonlyArray<A>): A => values[draw(values.length)]!

const someBytes = (draw: Draw, most: number): Buffer =>
  Buffer.from(Array.from({ length: draw(most + 1) }, () => draw(256)))

const someBatch = (draw: Draw, baseOffset: bigint): TestBatch => {
  if (draw(8) === 0) return marker(baseOffset, BigInt(draw(3)), pick(draw, ["abort", "commit"]))
  let delta = -1
  const records = Array.from({ length: draw(6) }, () =>
    record(delta += 1 + (draw(5) === 0 ? draw(300) : 0), {
      timestampDelta: BigInt(draw(10_000)) - 100n,
      key: draw(3) === 0 ? null : someBytes(draw, 10),
      value: draw(5) === 0 ? null : someBytes(draw, draw(10) === 0 ? 300 : 30),
      headers: draw(3) === 0
        ? Array.from(
          { length: draw(4) },
          () => ({ name: `h${draw(9)}`, value: draw(4) === 0 ? null : someBytes(draw, 5) })
        )
        : []
    }))
  return batch(baseOffset, records, {
    compression: pick<Compression>(draw, ["none", "none", "none", "gzip", "snappy", "lz4", "zstd"]),
    lastOffsetDelta: Math.max(0, delta) + draw(3),
    isTransactional: draw(3) === 0,
    producerId: BigInt(draw(3)),
    isLogAppendTime: draw(6) === 0,
    leaderEpoch: draw(2)
  })
}

const extremes32 = [0, 1, -1, -2, 6, 48, 49, 61, 127, 128, 255, 65_535, 0x7fffffff, -0x80000000, 0x7ffffff0]
const extremes64 = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n, 2n ** 53n]

/** Where the numbers of a batch's head begin. */
const fields32 = [8, 12, 17, 23, 53, 57]
const fields64 = [0, 27, 35, 43]

const mutate = (draw: Draw, given: Buffer): Buffer => {
  const bytes = Buffer.from(given)
  if (bytes.length === 0) return bytes
  const at = draw(bytes.length)
  switch (draw(11)) {
    case 10:
      // What the records are compressed with, and of what kind they are.
      if (bytes.length > 22) bytes[22] = draw(64)
      return bytes
    case 0:
      bytes[at] = draw(256)
      return bytes
    case 1:
      bytes[at] = bytes[at]! ^ 1 << draw(8)
      return bytes
    case 2:
      bytes[at] = pick(draw, [0, 1, 127, 128, 255])
      return bytes
    case 3:
      return bytes.subarray(0, at)
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + draw(20)))])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), someBytes(draw, 20), bytes.subarray(at)])
    case 6:
      return Buffer.concat([bytes.subarray(0, at), varint(pick(draw, extremes64)), bytes.subarray(at + 1)])
    case 7: {
      const field = pick(draw, fields32)
      if (bytes.length >= field + 4) bytes.writeInt32BE(pick(draw, extremes32), field)
      return bytes
    }
    case 8: {
      const field = pick(draw, fields64)
      if (bytes.length >= field + 8) bytes.writeBigInt64BE(pick(draw, extremes64), field)
      return bytes
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), varint(pick(draw, extremes32)), bytes.subarray(at + 1)])
  }
}

const mutations = (draw: Draw, bytes: Buffer): Buffer => {
  let mutated = bytes
  for (let i = draw(4); i >= 0; i--) mutated = mutate(draw, mutated)
  return mutated
}

/** A batch with damage where a checksum would not see it, in what is compressed or in what that is made of. */
const damagedBatch = (draw: Draw, whole: TestBatch): Buffer => {
  switch (draw(6)) {
    case 0:
      return mutations(draw, encodeBatch(whole))
    case 1: {
      const records = mutations(draw, Buffer.concat(whole.records.map(encodeRecord)))
      return whole.compression === "none"
        ? encodeBatch(whole, records)
        : encodeBatch(whole, mutations(draw, encodeBatch(whole).subarray(61)))
    }
    case 2: {
      const bytes = mutations(draw, encodeBatch(whole))
      if (bytes.length < 61) return bytes
      if (draw(2) === 0) bytes.writeInt32BE(bytes.length - 12, 8)
      return withCrc(bytes)
    }
    default:
      return encodeBatch(whole)
  }
}

const someLog = (draw: Draw): Buffer => {
  const batches: Array<Buffer> = []
  let next = BigInt(draw(50))
  for (let i = draw(4); i >= 0; i--) {
    const whole = someBatch(draw, next)
    next += BigInt(whole.lastOffsetDelta) + 1n
    batches.push(damagedBatch(draw, whole))
  }
  const bytes = Buffer.concat(batches)
  return draw(6) === 0 ? mutations(draw, bytes) : bytes
}

const must: (holds: boolean, what: string) => asserts holds = (holds, what) => {
  if (!holds) throw new Error(what)
}

const isWithin = (inner: Uint8Array, outer: Uint8Array): boolean =>
  inner.buffer !== outer.buffer ||
  (inner.byteOffset >= outer.byteOffset && inner.byteOffset + inner.length <= outer.byteOffset + outer.length)

/** More than these for one byte of an answer would be memory that an attacker could choose. */
const numbersPerByte = 4
const mostDecompressed = 1 << 20

/** What must hold whatever the bytes are. Answers what was read, to be compared. */
const check = (response: PartitionResponse, { batches, nextOffset, stop }: Decoded): string => {
  let reached = response.fetchOffset
  const said: Array<string> = []
  for (const one of batches) {
    must(one.nextOffset > reached || one === batches[0], "a batch goes back")
    let previous = reached - 1n
    let bytes = 0
    for (let i = 0; i < one.count; i++) {
      const { headers, key, offset, timestamp, value } = new ConsumerRecord(one, i)
      must(offset > previous && offset < one.nextOffset, `offset ${offset} after ${previous}`)
      must(Number.isFinite(timestamp), "a timestamp is no number")
      previous = offset
      for (const range of [one.key(i), one.value(i)]) {
        if (range === undefined) continue
        must(
          range.start >= 0 && range.start <= range.end && range.end <= range.buffer.length,
          "a range leads out of its buffer"
        )
        must(isWithin(range.buffer, response.records), "a range leads out of the answer")
      }
      bytes += (key?.length ?? 0) + (value?.length ?? 0)
      for (const header of headers) {
        must(header.value === null || isWithin(header.value, response.records), "a header leads out of the answer")
        bytes += header.value?.length ?? 0
      }
      said.push(`${offset} ${timestamp} ${key?.toString()} ${value?.toString()} ${headers.length}`)
    }
    must(one.byteLength >= bytes, "fewer bytes than it holds")
    must(one.byteLength <= 512 + (1 + numbersPerByte) * (response.records.length + mostDecompressed), "too many bytes")
    reached = one.nextOffset
  }
  must(nextOffset === reached, "the next offset is not that of the last batch")
  if (stop?._tag === "Corrupt" || stop?._tag === "Unsupported") {
    const { offset, partition, topic } = stop.error
    must(
      topic === response.topic && partition === response.partition && offset === nextOffset,
      "the error is elsewhere"
    )
    said.push(stop.error.message)
  } else if (stop !== undefined) {
    must(stop._tag !== "Incomplete" || nextOffset === response.fetchOffset, "incomplete, although it went on")
    must(stop._tag !== "MessageSet" || stop.start < response.records.length, "a message set begins after the end")
    said.push(stop._tag)
  }
  return said.join("\n")
}

/** The same bytes with others around them, which must make no difference. */
const surroundedBy = (bytes: Buffer, fill: number): Buffer => {
  const room = Buffer.alloc(bytes.length + 64, fill)
  room.set(bytes, 32)
  return room.subarray(32, 32 + bytes.length)
}

/** Two answers in turns, what is left of one of them copied each time. */
const inPieces = (decoder: Decoder, response: PartitionResponse): Decoded => {
  const decoding = decoder.open(response)
  const other = decoder.open(response)
  const batches = []
  for (let batch = decoding.next(); batch !== undefined; batch = decoding.next()) {
    batches.push(batch)
    decoding.detach()
    other.next()
  }
  return { batches, nextOffset: decoding.nextOffset, stop: decoding.stop }
}

export interface FuzzReport {
  readonly inputs: number
  /** Inputs by how they ended. */
  readonly ends: Readonly<Record<string, number>>
  readonly records: number
  readonly slowestMs: number
}

/** Throws where something does not hold, with the seed of the one input. */
export const fuzz = (options: { readonly seed: number; readonly inputs: number }): FuzzReport => {
  const decoders: ReadonlyArray<Decoder> = ([true, false] as const).flatMap((checkCrcs) =>
    (["read_committed", "read_uncommitted"] as const).map((isolationLevel) =>
      RecordBatchDecoder.make({ isolationLevel, checkCrcs, decompressors, maxDecompressedBytes: mostDecompressed })
    )
  )
  const ends: Record<string, number> = {}
  let records = 0
  let slowestMs = 0
  for (let i = 0; i < options.inputs; i++) {
    const seed = (options.seed + i) >>> 0
    const draw = drawFrom(seed)
    const bytes = someLog(draw)
    const response = {
      topic: "fuzzed",
      partition: draw(9),
      fetchOffset: BigInt(draw(80)),
      highWatermark: 1000n,
      abortedTransactions: draw(2) === 0 ? [] : [{ producerId: BigInt(draw(3)), firstOffset: BigInt(draw(60)) }],
      copy: draw(4) === 0
    }
    const decoder = pick(draw, decoders)
    try {
      const started = performance.now()
      const first = { ...response, records: surroundedBy(bytes, 0) }
      const decoded = decoder.decode(first)
      slowestMs = Math.max(slowestMs, performance.now() - started)
      const second = { ...response, records: surroundedBy(bytes, 0xff) }
      const said = check(first, decoded)
      must(said === check(second, decoder.decode(second)), "bytes outside of the answer make a difference")
      must(said === check(first, inPieces(decoder, first)), "in pieces it is something else")
      const end = decoded.stop?._tag ?? "whole"
      ends[end] = (ends[end] ?? 0) + 1
      records += decoded.batches.reduce((sum, { count }) => sum + count, 0)
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
  return { inputs: options.inputs, ends, records, slowestMs }
}
