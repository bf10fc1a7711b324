/** Which partition a record goes to. The same as Kafka's own default partitioner, so that keys stay where they were. */

/** Murmur2, as in Kafka's `Utils.murmur2`. */
export const murmur2 = (bytes: Uint8Array): number => {
  const length = bytes.length
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  const whole = length - (length % 4)
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - whole
  if (rest === 3) h ^= bytes[whole + 2]! << 16
  if (rest >= 2) h ^= bytes[whole + 1]! << 8
  if (rest >= 1) {
    h ^= bytes[whole]!
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

export const ofKey = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions
