/**
 * A queue whose slots are used again and again, each emptied when its item is taken. An array that is cut or grown leaves
 * another behind that still points at the items of that moment; where it has lived for long, only a collection of the whole
 * heap finds it dead, and until then each such pointer keeps an answer's megabytes alive. State without effects.
 */

/** A power of two, as every number of slots is. */
const fewest = 16

/** An empty ring with more slots gives them up. */
const kept = 1024

export class Ring<A> {
  private slots: Array<A | undefined> = []
  private head = 0
  private length = 0

  get size(): number {
    return this.length
  }

  /** The item at an index below `size`, counted from the oldest. */
  at(index: number): A | undefined {
    return index < this.length ? this.slots[this.slotOf(index)] : undefined
  }

  push(item: A): void {
    if (this.length === this.slots.length) this.grow()
    this.slots[this.slotOf(this.length++)] = item
  }

  shift(): A | undefined {
    if (this.length === 0) return undefined
    const item = this.slots[this.head]
    this.slots[this.head] = undefined
    this.head = this.slotOf(1)
    this.length--
    if (this.length === 0 && this.slots.length > kept) this.clear()
    return item
  }

  /** Puts an item in the place of `count` of them. */
  replace(index: number, count: number, item: A): void {
    this.slots[this.slotOf(index)] = item
    this.remove(index + 1, count - 1)
  }

  /** Those after them move up. */
  remove(index: number, count: number): void {
    if (count === 0) return
    const left = this.length - count
    for (let i = index; i < left; i++) this.slots[this.slotOf(i)] = this.slots[this.slotOf(i + count)]
    for (let i = left; i < this.length; i++) this.slots[this.slotOf(i)] = undefined
    this.length = left
  }

  clear(): void {
    this.slots.fill(undefined)
    this.slots = []
    this.head = 0
    this.length = 0
  }

  private slotOf(index: number): number {
    return (this.head + index) & (this.slots.length - 1)
  }

  private grow(): void {
    const { length, slots } = this
    const larger = new Array<A | undefined>(Math.max(fewest, 2 * length)).fill(undefined)
    for (let i = 0; i < length; i++) larger[i] = this.at(i)
    slots.fill(undefined)
    this.slots = larger
    this.head = 0
  }
}
