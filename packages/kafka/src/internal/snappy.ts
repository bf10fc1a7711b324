/**
 * snappy as Kafka has it: the Java client packs it in blocks under a head of its library's own, others write one bare
 * block. Each block says how large it becomes, so that nothing is decompressed before that is known to be possible.
 */
import type { Decompressor } from "../RecordBatch.ts"
import { VarintReader } from "./varint.ts"

/** The head of snappy-java's streams: its name, and two numbers for versions. */
const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const streamHead = magic.length + 8

/** Three bytes say at most: repeat 64. */
const largestRatio = 64 / 3

const reader = new VarintReader()

const sizeOf = (block: Uint8Array): number => {
  reader.at = 0
  const size = reader.readUnsigned(block, block.length)
  if (reader.at > block.length || size > block.length * largestRatio) {
    throw new RangeError(`a snappy block of ${block.length} bytes cannot become ${size}`)
  }
  return size
}

const blocksOf = (bytes: Buffer): ReadonlyArray<Uint8Array> => {
  if (!bytes.subarray(0, magic.length).equals(magic)) return [bytes]
  const blocks: Array<Uint8Array> = []
  let at = streamHead
  while (at < bytes.length) {
    const size = at + 4 <= bytes.length ? bytes.readInt32BE(at) : -1
    if (size < 0 || at + 4 + size > bytes.length) throw new RangeError("a snappy stream ends within a block")
    blocks.push(bytes.subarray(at + 4, at + 4 + size))
    at += 4 + size
  }
  return blocks
}

/** From what decompresses a bare block. */
export const snappy = (decompressBlock: (block: Uint8Array) => Uint8Array): Decompressor => (given, maxBytes) => {
  const blocks = blocksOf(Buffer.from(given.buffer, given.byteOffset, given.byteLength))
  const total = blocks.reduce((sum, block) => sum + sizeOf(block), 0)
  if (total > maxBytes) throw new RangeError(`${total} bytes are more than ${maxBytes}`)
  return blocks.length === 1 ? decompressBlock(blocks[0]!) : Buffer.concat(blocks.map(decompressBlock))
}
