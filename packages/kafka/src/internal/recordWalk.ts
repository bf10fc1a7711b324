/**
 * One pass over the records of a record batch, which notes where their parts lie and checks that every length is true, so
 * that whoever reads a record later needs no check at all.
 */
import { VarintReader } from "./varint.ts"

/**
 * What is noted of a record, as numbers one after another: where its timestamp's varint lies, its offset (from that of the
 * run's first batch), where its key begins and how long it is (-1: none), the same of its value. Its headers begin where the value ends.
 */
export const stride = 6

/** A length, attributes, and five varints, in one byte each. */
const smallestRecord = 7

/** A scratch array of more numbers than this is not kept. */
const keptNumbers = 1 << 20

export interface RecordsAt {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** How many records the batch says it has. */
  readonly count: number
  /** Positions are noted from here. */
  readonly origin: number
  /** Records with a smaller offset delta are not wanted. */
  readonly fromDelta: number
  /** The batch's own: no record may have a larger one. */
  readonly lastDelta: number
  /** What to add to an offset delta. */
  readonly shift: number
}

export class RecordWalk {
  /** How many records are noted. */
  count = 0
  private numbers = new Int32Array(1024 * stride)
  private readonly reader = new VarintReader()

  /** What was noted, as an array of its own; the next note is the first again. */
  take(): Int32Array {
    const taken = this.numbers.slice(0, this.count * stride)
    this.count = 0
    if (this.numbers.length > keptNumbers) this.numbers = new Int32Array(keptNumbers)
    return taken
  }

  /** Notes the records of one more batch, all or none of them. Answers what is wrong with them, if anything. */
  note({ bytes, count, end, fromDelta, lastDelta, origin, shift, start }: RecordsAt): string | undefined {
    if (count > (end - start) / smallestRecord) return `${count} records in ${end - start} bytes`
    const { reader } = this
    const numbers = this.withRoomFor(count)
    let to = this.count * stride
    let previous = -1
    reader.at = start
    for (let i = 0; i < count; i++) {
      const size = reader.read(bytes, end)
      const body = reader.at
      const stop = body + size
      if (size < smallestRecord - 1 || stop > end) return `record ${i} of ${count} has a length of ${size} bytes`
      const timestampAt = reader.at = body + 1
      reader.skipLong(bytes, stop)
      const delta = reader.read(bytes, stop)
      const keySize = reader.read(bytes, stop)
      const keyAt = reader.at
      if (keySize > 0) reader.at += keySize
      const valueSize = reader.read(bytes, stop)
      const valueAt = reader.at
      if (valueSize > 0) reader.at += valueSize
      const headers = reader.read(bytes, stop)
      if (headers !== 0) this.skipHeaders(bytes, headers, stop)
      if (reader.at !== stop) return `record ${i} of ${count} has parts that do not fit its length of ${size} bytes`
      if (delta <= previous || delta > lastDelta) {
        return `record ${i} of ${count} has the offset delta ${delta} after ${previous}, of ${lastDelta}`
      }
      previous = delta
      if (delta < fromDelta) continue
      numbers[to] = timestampAt - origin
      numbers[to + 1] = delta + shift
      numbers[to + 2] = keyAt - origin
      numbers[to + 3] = keySize
      numbers[to + 4] = valueAt - origin
      numbers[to + 5] = valueSize
      to += stride
    }
    if (reader.at !== end) return `${end - reader.at} bytes follow the last of ${count} records`
    this.count = to / stride
    return undefined
  }

  /** A header takes two bytes at least, so what is left of the record bounds their number. */
  private skipHeaders(bytes: Uint8Array, count: number, stop: number): void {
    const { reader } = this
    if (count < 0 || count > (stop - reader.at) / 2) {
      reader.at = stop + 1
      return
    }
    for (let i = 0; i < count && reader.at <= stop; i++) {
      const nameSize = reader.read(bytes, stop)
      // Unlike a value, a name cannot be missing.
      if (nameSize < 0) reader.at = stop + 1
      else reader.at += nameSize
      const valueSize = reader.read(bytes, stop)
      if (valueSize > 0) reader.at += valueSize
    }
  }

  private withRoomFor(count: number): Int32Array {
    const needed = (this.count + count) * stride
    if (needed > this.numbers.length) {
      const larger = new Int32Array(Math.max(needed, this.numbers.length * 2))
      larger.set(this.numbers.subarray(0, this.count * stride))
      this.numbers = larger
    }
    return this.numbers
  }
}
