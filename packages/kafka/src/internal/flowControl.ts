/**
 * Back-pressure: pauses the fetching of a partition whose queue is full, and of all when the queues are full together;
 * resumes at the low water mark, half of the high one. Synchronous; it costs a comparison for each batch.
 */
import type { QueueLimits } from "../ConsumerSettings.ts"
import type { FetchStrategy } from "../FetchStrategy.ts"
import type { TopicPartition } from "../TopicPartition.ts"
import type { AssignedPartition } from "./assignedPartition.ts"

export interface FlowActions {
  readonly pause: (partitions: ReadonlyArray<TopicPartition>) => void
  readonly resume: (partitions: ReadonlyArray<TopicPartition>) => void
  readonly onChange: (partition: AssignedPartition, paused: boolean) => void
}

export class FlowControl {
  private readonly actions: FlowActions
  private readonly strategy: FetchStrategy
  private readonly held = new Map<AssignedPartition, number>()
  /** Paused because the total was reached, in wait for room. */
  private readonly waiting = new Set<AssignedPartition>()
  limits: QueueLimits
  /** What one resumed partition may bring at once. */
  fetchBytes: number
  /** What waits in the queues of partitions that are not set aside. */
  totalBytes = 0

  constructor(actions: FlowActions, strategy: FetchStrategy, limits: QueueLimits, fetchBytes: number) {
    this.actions = actions
    this.strategy = strategy
    this.limits = limits
    this.fetchBytes = fetchBytes
  }

  onAdmitted(partition: AssignedPartition, all: Iterable<AssignedPartition>): void {
    this.account(partition)
    if (this.totalBytes >= this.limits.totalBytes) {
      for (const other of all) {
        if (other.state === "ended") continue
        this.waiting.add(other)
        this.pause(other)
      }
    } else if (
      partition.queue.records >= this.limits.partitionRecords || partition.queue.bytes >= this.limits.partitionBytes
    ) {
      this.pause(partition)
    }
  }

  onTaken(partition: AssignedPartition): void {
    this.account(partition)
    if (partition.pausedByBackPressure && !this.waiting.has(partition) && this.isLow(partition)) {
      this.resume([partition])
    }
    if (this.waiting.size > 0) this.resumeWaiting()
  }

  /**
   * A partition was paused or halted, or goes on: what waits in its queue is not taken for now, and must not keep the
   * others from fetching.
   */
  onSetAside(partition: AssignedPartition): void {
    this.account(partition)
    this.takeTurns()
  }

  /** From time to time: those whose turn it was may have had nothing to bring. */
  takeTurns(): void {
    if (this.waiting.size > 0) this.resumeWaiting()
  }

  /** The queue is empty again: its records were dropped, or the partition was given up. */
  forget(partition: AssignedPartition): void {
    this.totalBytes -= this.held.get(partition) ?? 0
    this.held.delete(partition)
    this.waiting.delete(partition)
    if (partition.pausedByBackPressure && partition.state !== "ended") this.resume([partition])
    partition.pausedByBackPressure = false
    if (this.waiting.size > 0) this.resumeWaiting()
  }

  /**
   * What all of them bring at once is bounded by the size of a fetch. With empty queues everyone goes on: the ones chosen
   * before may have nothing to bring.
   */
  private resumeWaiting(): void {
    if (this.totalBytes > this.limits.totalBytes / 2) return
    const low = [...this.waiting].filter((partition) => this.isLow(partition))
    const resumed = this.totalBytes === 0 ? low : this.choose(low)
    for (const partition of resumed) this.waiting.delete(partition)
    if (resumed.length > 0) this.resume(resumed)
  }

  private choose(low: ReadonlyArray<AssignedPartition>): ReadonlyArray<AssignedPartition> {
    if (low.length === 0) return low
    const chosen = this.strategy(
      low.map(({ queue, topicPartition }) => ({ topicPartition, records: queue.records, bytes: queue.bytes })),
      { budgetBytes: this.limits.totalBytes - this.totalBytes, fetchBytes: this.fetchBytes }
    )
    const keys = new Set(chosen.map((partition) => partition.key))
    return low.filter((partition) => keys.has(partition.topicPartition.key))
  }

  private isLow({ queue }: AssignedPartition): boolean {
    return queue.records <= this.limits.partitionRecords / 2 && queue.bytes <= this.limits.partitionBytes / 2
  }

  private pause(partition: AssignedPartition): void {
    if (partition.pausedByBackPressure) return
    partition.pausedByBackPressure = true
    this.actions.pause([partition.topicPartition])
    this.actions.onChange(partition, true)
  }

  private resume(partitions: ReadonlyArray<AssignedPartition>): void {
    for (const partition of partitions) partition.pausedByBackPressure = false
    const fetchable = partitions.filter((partition) => !partition.pausedByUser && !partition.halted)
    if (fetchable.length > 0) this.actions.resume(fetchable.map((partition) => partition.topicPartition))
    for (const partition of partitions) this.actions.onChange(partition, false)
  }

  private account(partition: AssignedPartition): void {
    const bytes = partition.isSetAside ? 0 : partition.queue.bytes
    this.totalBytes += bytes - (this.held.get(partition) ?? 0)
    if (bytes === 0) this.held.delete(partition)
    else this.held.set(partition, bytes)
  }
}
