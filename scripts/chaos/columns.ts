/** Columns of numbers and bits that grow with the offsets: a few bytes for each record, whatever the length of the run. */
export class NumberColumn {
  private values = new Uint32Array(1024)
  /** 0 where nothing was set. */
  get(index: number): number {
    return index < this.values.length ? this.values[index]! : 0
  }
  set(index: number, value: number): void {
    if (index >= this.values.length) {
      const grown = new Uint32Array(Math.max(index + 1, this.values.length * 2))
      grown.set(this.values)
      this.values = grown
    }
    this.values[index] = value
  }
  add(index: number, amount: number): void {
    this.set(index, this.get(index) + amount)
  }
}

/** A set of offsets that knows up to where it has no hole. */
export class OffsetSet {
  private bits = new Uint8Array(1024)
  /** Every offset below this is in the set; this one is not. */
  contiguous = 0
  /** The highest offset in the set; -1 where it is empty. */
  highest = -1
  size = 0

  has(offset: number): boolean {
    const at = offset >>> 3
    return at < this.bits.length && (this.bits[at]! & (1 << (offset & 7))) !== 0
  }

  /** `false`: it was in already. */
  add(offset: number): boolean {
    if (this.has(offset)) return false
    const at = offset >>> 3
    if (at >= this.bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, this.bits.length * 2))
      grown.set(this.bits)
      this.bits = grown
    }
    this.bits[at]! |= 1 << (offset & 7)
    this.size++
    this.highest = Math.max(this.highest, offset)
    while (this.has(this.contiguous)) this.contiguous++
    return true
  }

  /** Offsets from `start` to below `end` that are not in the set; the first few of them. */
  missing(start: number, end: number, limit = 10): ReadonlyArray<number> {
    const found: Array<number> = []
    for (let offset = Math.max(start, this.contiguous); offset < end && found.length < limit; offset++) {
      if (!this.has(offset)) found.push(offset)
    }
    return found
  }
}
