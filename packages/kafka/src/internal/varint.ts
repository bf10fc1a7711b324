/**
 * Varints as record batches have them: seven bits to a byte, the lowest first, zigzag for the sign.
 */

/** Where a reader stands that came to an end too early: beyond every buffer, so that whatever it reads next fails too. */
const nowhere = 0x7fffffff

/**
 * Reads between a position and an end, never beyond it. A varint that does not end in time, or has more bytes than its
 * type can have, is a failure that stays: the reader then stands `nowhere` and answers 0, and whoever compares its position
 * with the end that it should have come to sees it.
 */
export class VarintReader {
  at = 0

  /** 32 bits: at most five bytes. */
  read(bytes: Uint8Array, end: number): number {
    const value = this.readUnsigned(bytes, end)
    return (value >>> 1) ^ -(value & 1)
  }

  /** The same without a sign. */
  readUnsigned(bytes: Uint8Array, end: number): number {
    let at = this.at
    if (at >= end) return this.fail()
    let byte = bytes[at++]!
    let value = byte & 127
    if (byte >= 128) {
      let shift = 7
      do {
        if (at >= end || shift > 28) return this.fail()
        byte = bytes[at++]!
        value |= (byte & 127) << shift
        shift += 7
      } while (byte >= 128)
    }
    this.at = at
    return value >>> 0
  }

  /** Goes past a varint of 64 bits: at most ten bytes. */
  skipLong(bytes: Uint8Array, end: number): void {
    const start = this.at
    const last = Math.min(end, start + 10)
    let at = start
    while (at < last && bytes[at]! >= 128) at++
    this.at = at < last ? at + 1 : nowhere
  }

  private fail(): number {
    this.at = nowhere
    return 0
  }
}

/** A varint of 64 bits whose end is known to be there. Exact up to 2^53. */
export const readLong = (bytes: Uint8Array, start: number): number => {
  let at = start
  let byte = bytes[at++]!
  const negative = (byte & 1) === 1
  let magnitude = (byte & 127) >>> 1
  // The lowest bit is the sign, so the second byte is worth 2^6.
  let worth = 64
  while (byte >= 128) {
    byte = bytes[at++]!
    magnitude += (byte & 127) * worth
    worth *= 128
  }
  return negative ? -magnitude - 1 : magnitude
}
