/**
 * lz4 as Kafka has it: its frame format. A frame does not have to say how large it becomes, but its blocks bound that.
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
import type { Decompressor } from "../RecordBatch.ts"

const magic = 0x184d2204

/** A byte of a block says at most: repeat 255. */
const largestRatio = 255

const isSet = (flags: number, bit: number): boolean => (flags >>> bit & 1) === 1

/** No frame of these blocks becomes larger. */
const bound = (bytes: Buffer): number => {
  const isFrame = bytes.length >= 7 && bytes.readUInt32LE(0) === magic
  if (!isFrame) throw new RangeError("this is no lz4 frame")
  const flags = bytes[4]!
  const largestBlock = 1 << 2 * (bytes[5]! >>> 4 & 7) + 8
  const checksum = isSet(flags, 4) ? 4 : 0
  let at = 7 + (isSet(flags, 3) ? 8 : 0) + (isSet(flags, 0) ? 4 : 0)
  let total = 0
  while (at + 4 <= bytes.length) {
    const size = bytes.readInt32LE(at) & 0x7fffffff
    if (size === 0) break
    total += Math.min(largestBlock, size * largestRatio)
    at += 4 + size + checksum
  }
  return total
}

/** From what decompresses a frame. */
export const lz4 = (decompressFrame: (frame: Uint8Array) => Uint8Array): Decompressor => (given, maxBytes) => {
  const most = bound(Buffer.from(given.buffer, given.byteOffset, given.byteLength))
  if (most > maxBytes) throw new RangeError(`up to ${most} bytes are more than ${maxBytes}`)
  return decompressFrame(given)
}
