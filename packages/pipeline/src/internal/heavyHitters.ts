/**
 * How often the most frequent of many things came by, in bounded memory: the counters of Misra and Gries (1982). A count
 * is never too high, and too low by n / (k + 1) at most, after n things with k counters. Pure state.
 */
export class HeavyHitters {
  private readonly counters: number
  private readonly counts = new Map<string, number>()
  private hasCome = false

  constructor(counters: number) {
    this.counters = counters
  }

  add(key: string): void {
    this.hasCome = true
    const count = this.counts.get(key)
    if (count !== undefined) this.counts.set(key, count + 1)
    else if (this.counts.size < this.counters) this.counts.set(key, 1)
    else this.decrement()
  }

  /** Nothing came by. */
  get isEmpty(): boolean {
    return !this.hasCome
  }

  /** How often the most frequent came by. */
  get most(): number {
    let most = 0
    for (const count of this.counts.values()) most = Math.max(most, count)
    return most
  }

  clear(): void {
    this.counts.clear()
    this.hasCome = false
  }

  /** Every step down was paid for by an addition: amortised constant time. */
  private decrement(): void {
    for (const [key, count] of this.counts) {
      if (count === 1) this.counts.delete(key)
      else this.counts.set(key, count - 1)
    }
  }
}
