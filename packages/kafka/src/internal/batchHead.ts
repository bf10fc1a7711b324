/**
 * The head of a record batch of version 2: 61 bytes, and the records after them.
 * https://kafka.apache.org/documentation/#recordbatch
 */

export const headSize = 61

/** The offset and the length, which count for no length. */
export const lengthFrom = 12

/** A batch without any records has this length. */
export const smallestLength = headSize - lengthFrom

/** Enough to see the magic byte, which has the same place in every version. */
export const magicEnd = 17

/** Where the part begins that the checksum covers. */
const checkedFrom = 21

export class BatchHead {
  private readonly view: DataView
  /** Where it begins. */
  readonly at: number
  constructor(view: DataView, at: number) {
    this.view = view
    this.at = at
  }
  get baseOffset(): bigint {
    return this.view.getBigInt64(this.at)
  }
  get length(): number {
    return this.view.getInt32(this.at + 8)
  }
  get end(): number {
    return this.at + lengthFrom + this.length
  }
  get leaderEpoch(): number {
    return this.view.getInt32(this.at + 12)
  }
  get magic(): number {
    return this.view.getInt8(this.at + 16)
  }
  get crc(): number {
    return this.view.getUint32(this.at + 17)
  }
  get checkedFrom(): number {
    return this.at + checkedFrom
  }
  private get attributes(): number {
    return this.view.getInt16(this.at + checkedFrom)
  }
  /** 0: none. */
  get compression(): number {
    return this.attributes & 7
  }
  get isCompressed(): boolean {
    return this.compression !== 0
  }
  get isLogAppendTime(): boolean {
    return (this.attributes & 8) !== 0
  }
  get isTransactional(): boolean {
    return (this.attributes & 16) !== 0
  }
  get isControl(): boolean {
    return (this.attributes & 32) !== 0
  }
  get lastOffsetDelta(): number {
    return this.view.getInt32(this.at + 23)
  }
  /** The time that deltas are added to; where the broker set the time, that of all records. */
  get timestamp(): number {
    return Number(this.view.getBigInt64(this.at + (this.isLogAppendTime ? 35 : 27)))
  }
  get producerId(): bigint {
    return this.view.getBigInt64(this.at + 43)
  }
  get count(): number {
    return this.view.getInt32(this.at + 57)
  }
  get recordsAt(): number {
    return this.at + headSize
  }
}
