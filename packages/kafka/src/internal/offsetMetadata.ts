/**
 * Offsets that are settled beyond the committed one travel in the commit's metadata, so that a restart does not repeat
 * them. The format: `weft1` + `r` (run lengths) or `b` (a bitset), whichever is shorter, + base64 of a checksum over the
 * committed offset and the rest. Anything else in the metadata is somebody else's and is left alone, and so is what was
 * written for another offset: tools that copy a group, or move it, may keep the metadata that no longer fits. (The idea of
 * such metadata is Confluent's Parallel Consumer's.)
 */
import { crc32c } from "../Crc32c.ts"
import type { OffsetRange } from "./offsetRanges.ts"

/** The broker's default `offset.metadata.max.bytes`. */
export const maxBytes = 4096

/** With less room than this nothing of use can be said. */
const leastBytes = 16

/** The limit to go by once a broker has refused metadata of so many bytes; 0: none at all. */
export const lowerLimit = (refusedBytes: number): number => {
  const half = Math.floor(refusedBytes / 2)
  return half < leastBytes ? 0 : half
}

/** The limit to try after one that has held for a while. */
export const higherLimit = (limit: number): number => Math.min(maxBytes, Math.max(2 * limit, 2 * leastBytes))

const prefix = "weft1"
const checksumBytes = 4
/** What base64 leaves of a limit once the prefix, the kind and the checksum are written. */
const payloadBytes = (limit: number): number => Math.floor((limit - prefix.length - 1) / 4) * 3 - checksumBytes

/**
 * The metadata for a commit at `watermark`, of at most `limit` bytes. What does not fit is left out from the far end: it
 * costs repeats after a restart, never a loss. `complete` says whether all of it fitted.
 */
export const encode = (
  watermark: bigint,
  ranges: ReadonlyArray<OffsetRange>,
  limit = maxBytes
): { readonly metadata: string; readonly complete: boolean } => {
  if (ranges.length === 0) return { metadata: "", complete: true }
  const most = payloadBytes(limit)
  const runs = encodeRuns(watermark, ranges, most)
  const bits = encodeBits(watermark, ranges, most)
  const best = bits !== undefined && (!runs.complete || bits.length < runs.bytes.length)
    ? { kind: "b", bytes: bits, complete: true }
    : { kind: "r", ...runs }
  return best.bytes.length === 0
    ? { metadata: "", complete: best.complete }
    : { metadata: `${prefix}${best.kind}${sealed(best.kind, watermark, best.bytes)}`, complete: best.complete }
}

/** What `encode` wrote, or nothing where the metadata is foreign or damaged. */
export const decode = (watermark: bigint, metadata: string): ReadonlyArray<OffsetRange> => {
  if (!/^weft1[rb][A-Za-z0-9+/]+={0,2}$/.test(metadata)) return []
  const kind = metadata[prefix.length]!
  const bytes = unsealed(kind, watermark, metadata.slice(prefix.length + 1))
  if (bytes === undefined) return []
  return kind === "r" ? decodeRuns(watermark, bytes) : decodeBits(watermark, bytes)
}

const checksum = (kind: string, watermark: bigint, payload: Uint8Array): number => {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.write(kind, "latin1")
  bytes.writeBigInt64BE(watermark, 1)
  bytes.set(payload, 9)
  return crc32c(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
}

const sealed = (kind: string, watermark: bigint, payload: ArrayLike<number>): string => {
  const bytes = Buffer.alloc(checksumBytes + payload.length)
  bytes.set(payload, checksumBytes)
  bytes.writeUInt32BE(checksum(kind, watermark, bytes.subarray(checksumBytes)))
  return bytes.toString("base64")
}

/** `undefined` where it is not what was written for this offset. */
const unsealed = (kind: string, watermark: bigint, text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, "base64")
  if (bytes.length <= checksumBytes) return undefined
  const payload = bytes.subarray(checksumBytes)
  return bytes.readUInt32BE() === checksum(kind, watermark, payload) ? payload : undefined
}

/** Alternating lengths, as varints: unsettled, settled, unsettled, settled ... from the watermark on. */
const encodeRuns = (
  watermark: bigint,
  ranges: ReadonlyArray<OffsetRange>,
  most: number
): { readonly bytes: ReadonlyArray<number>; readonly complete: boolean } => {
  const bytes: Array<number> = []
  let at = watermark
  for (const range of ranges) {
    const before = bytes.length
    writeVarint(bytes, range.start - at)
    writeVarint(bytes, range.end - range.start)
    if (bytes.length > most) return { bytes: bytes.slice(0, before), complete: false }
    at = range.end
  }
  return { bytes, complete: true }
}

const decodeRuns = (watermark: bigint, bytes: Uint8Array): ReadonlyArray<OffsetRange> => {
  const ranges: Array<OffsetRange> = []
  let at = watermark
  let position = 0
  while (position < bytes.length) {
    const gap = readVarint(bytes, position)
    const run = gap === undefined ? undefined : readVarint(bytes, gap.next)
    if (gap === undefined || run === undefined || run.value === 0n) return []
    const start = at + gap.value
    at = start + run.value
    ranges.push({ start, end: at })
    position = run.next
  }
  return ranges
}

/** A bit for each offset from the watermark on, lowest bit first; `undefined` where it would be too long. */
const encodeBits = (watermark: bigint, ranges: ReadonlyArray<OffsetRange>, most: number): Uint8Array | undefined => {
  const length = ranges[ranges.length - 1]!.end - watermark
  if (length > BigInt(Math.max(0, most)) * 8n) return undefined
  const bytes = new Uint8Array(Math.ceil(Number(length) / 8))
  for (const range of ranges) {
    const end = Number(range.end - watermark)
    for (let bit = Number(range.start - watermark); bit < end; bit++) bytes[bit >> 3]! |= 1 << (bit & 7)
  }
  return bytes
}

const decodeBits = (watermark: bigint, bytes: Uint8Array): ReadonlyArray<OffsetRange> => {
  const ranges: Array<OffsetRange> = []
  const bits = bytes.length * 8
  const settled = (bit: number): boolean => (bytes[bit >> 3]! & (1 << (bit & 7))) !== 0
  let bit = 0
  while (bit < bits) {
    if (!settled(bit)) {
      bit++
      continue
    }
    const start = bit
    while (bit < bits && settled(bit)) bit++
    ranges.push({ start: watermark + BigInt(start), end: watermark + BigInt(bit) })
  }
  return ranges
}

const writeVarint = (bytes: Array<number>, value: bigint): void => {
  let rest = value
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
}

const readVarint = (
  bytes: Uint8Array,
  start: number
): { readonly value: bigint; readonly next: number } | undefined => {
  let value = 0n
  let shift = 0n
  for (let position = start; position < bytes.length && shift < 63n; position++) {
    const byte = bytes[position]!
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return { value, next: position + 1 }
    shift += 7n
  }
  return undefined
}
