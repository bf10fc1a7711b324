/**
 * When the end of a partition was where: enough of it to tell when the record at an offset was written. Bounded: where
 * there is no room the look that tells least between its neighbours is forgotten. Pure state.
 */

const looks = 32

export class EndHistory {
  private readonly times = new Float64Array(looks)
  private readonly ends = new BigInt64Array(looks)
  private size = 0

  /** The end as seen at a time; both never go back (`clear` before). */
  add(at: number, end: bigint): void {
    if (this.size === looks) this.remove(this.least())
    this.times[this.size] = at
    this.ends[this.size] = end
    this.size++
  }

  /** What is known, by other means, of before the first look: at this time the end was not beyond this offset. */
  addBefore(at: number, end: bigint): void {
    if (this.size === 0 || at >= this.times[0]! || end >= this.ends[0]!) return
    if (this.size === looks) this.remove(this.least())
    this.times.copyWithin(1, 0, this.size)
    this.ends.copyWithin(1, 0, this.size)
    this.times[0] = at
    this.ends[0] = end
    this.size++
  }

  /** Nobody will ask for what lies before this offset. */
  forgetBefore(offset: bigint): void {
    let gone = 0
    while (gone + 1 < this.size && this.ends[gone + 1]! <= offset) gone++
    if (gone === 0) return
    this.times.copyWithin(0, gone, this.size)
    this.ends.copyWithin(0, gone, this.size)
    this.size -= gone
  }

  clear(): void {
    this.size = 0
  }

  /** Whether the offset's writing lies before the first look. */
  startsAfter(offset: bigint): boolean {
    return this.size > 0 && this.ends[0]! > offset
  }

  /**
   * When the record at the offset was written: by interpolation between two looks; at the first look where it was there
   * before; `undefined` where it has not been seen.
   */
  writtenAt(offset: bigint): number | undefined {
    for (let i = 0; i < this.size; i++) {
      if (this.ends[i]! > offset) return i === 0 ? this.times[0] : this.between(i - 1, i, offset)
    }
    return undefined
  }

  private between(i: number, j: number, end: bigint): number {
    const from = this.times[i]!
    const share = Number(end - this.ends[i]!) / Number(this.ends[j]! - this.ends[i]!)
    return from + share * (this.times[j]! - from)
  }

  /** The inner look whose neighbours tell nearly the same. */
  private least(): number {
    let index = 1
    let error = Infinity
    for (let i = 1; i < this.size - 1; i++) {
      // Of a while without records its begin and its end say all.
      const isFlat = this.ends[i - 1] === this.ends[i + 1]
      const by = isFlat ? 0 : Math.abs(this.between(i - 1, i + 1, this.ends[i]!) - this.times[i]!)
      if (by < error) {
        error = by
        index = i
      }
    }
    return index
  }

  private remove(index: number): void {
    this.times.copyWithin(index, index + 1, this.size)
    this.ends.copyWithin(index, index + 1, this.size)
    this.size--
  }
}
