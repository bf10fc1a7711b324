/**
 * Measurements on their way to the sink. Bounded: while the sink is away the newest are kept, the oldest dropped and
 * counted. Pure state.
 */
import type { LagSample, Measurements, MemberMetrics, ProcessingMetrics } from "../MetricsSink.ts"
import { Fifo } from "./fifo.ts"

export class MetricsBuffer {
  private readonly max: number
  private readonly metrics = new Fifo<ProcessingMetrics>()
  private readonly members = new Fifo<MemberMetrics>()
  private readonly lag = new Fifo<LagSample>()
  /** Measurements dropped since the start. */
  dropped = 0

  /** `max`: how many of each kind are kept. */
  constructor(max: number) {
    this.max = max
  }

  get size(): number {
    return this.metrics.size + this.members.size + this.lag.size
  }

  add(measurements: Measurements): void {
    this.append(this.metrics, measurements.metrics)
    this.append(this.members, measurements.members)
    this.append(this.lag, measurements.lag)
  }

  /** Everything that is waiting; it is not waiting any more. Give it back with `restore` where it was not written. */
  takeAll(): Measurements {
    return { metrics: drain(this.metrics), members: drain(this.members), lag: drain(this.lag) }
  }

  /** Puts measurements back before the newer ones. */
  restore({ lag, members, metrics }: Measurements): void {
    const newer = this.takeAll()
    this.add({ metrics, members, lag })
    this.add(newer)
  }

  private append<A>(queue: Fifo<A>, items: ReadonlyArray<A>): void {
    for (const item of items) {
      queue.push(item)
      if (queue.size > this.max) {
        queue.shift()
        this.dropped++
      }
    }
  }
}

const drain = <A>(queue: Fifo<A>): ReadonlyArray<A> => {
  const items: Array<A> = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item)
  return items
}
