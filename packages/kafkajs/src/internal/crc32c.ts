/** CRC-32C (Castagnoli), by which brokers check a record batch. Node has only the other CRC-32. */

const polynomial = 0x82f63b78

/** Eight tables of 256: eight bytes at a step. */
const tables: Uint32Array = (() => {
  const all = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    all[byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let table = 1; table < 8; table++) {
      const before = all[(table - 1) * 256 + byte]!
      all[table * 256 + byte] = (before >>> 8) ^ all[before & 0xff]!
    }
  }
  return all
})()

export const crc32c = (bytes: Uint8Array, start = 0, end = bytes.length): number => {
  const t = tables
  let crc = 0xffffffff
  let i = start
  for (; i + 8 <= end; i += 8) {
    const low = crc ^ (bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24)
    crc = t[1792 + (low & 0xff)]! ^ t[1536 + (low >>> 8 & 0xff)]! ^ t[1280 + (low >>> 16 & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^ t[768 + bytes[i + 4]!]! ^ t[512 + bytes[i + 5]!]! ^ t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!
  return (crc ^ 0xffffffff) >>> 0
}
