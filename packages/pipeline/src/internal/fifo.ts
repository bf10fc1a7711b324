/** A queue in an array: amortised constant time at both of its ends. */
export class Fifo<A> {
  private items: Array<A> = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }
  get isEmpty(): boolean {
    return this.items.length === this.head
  }
  get first(): A | undefined {
    return this.items[this.head]
  }
  push(item: A): void {
    this.items.push(item)
  }
  shift(): A | undefined {
    if (this.head === this.items.length) return undefined
    const item = this.items[this.head]!
    this.items[this.head++] = undefined as never
    if (this.head === this.items.length) {
      this.items = []
      this.head = 0
    } else if (this.head > 64 && this.head * 2 > this.items.length) {
      // In place: an array left behind would keep what is in it alive until the whole heap is collected.
      this.items.splice(0, this.head)
      this.head = 0
    }
    return item
  }
  /** Keeps what passes, in order. */
  retain(keep: (item: A) => boolean): void {
    this.items = this.items.slice(this.head).filter(keep)
    this.head = 0
  }
}
