/**
 * What happened to a member since the last measurement, counted from its events as they happen: a reader of the stream of
 * events may miss some. Pure state.
 */
import type { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import type { PartitionSnapshot } from "@weft/kafka/PartitionSnapshot"
import { keyOf } from "@weft/kafka/TopicPartition"
import type { MemberMetrics } from "../MetricsSink.ts"
import { Histogram } from "./histogram.ts"

/** What a member's state tells at the end of an interval. */
export interface MemberInterval {
  readonly service: string
  readonly group: string
  readonly member: string
  readonly now: number
  readonly intervalMs: number
  readonly partitions: ReadonlyArray<PartitionSnapshot>
  readonly inFlight: number
  readonly oldestInFlightMs: number
  readonly memoryUsageMb: number
  readonly heapUsedMb: number
  readonly eventLoopDelayMs: number
}

type Counted = Pick<MemberMetrics, "commitFailures" | "rebalances" | "lost" | "crashes" | "stalls" | "lateCompletions">

const zero = (): { -readonly [K in keyof Counted]: number } => ({
  commitFailures: 0,
  rebalances: 0,
  lost: 0,
  crashes: 0,
  stalls: 0,
  lateCompletions: 0
})

export class MemberStats {
  private counts = zero()
  private readonly commits = new Histogram()
  private hasJoined = false
  /** Where partitions began to be read: what their commits are counted from until there is one. */
  private readonly starts = new Map<string, bigint>()

  readonly observe = (event: ConsumerEvent): void => {
    const { counts } = this
    switch (event._tag) {
      case "Assigned":
        if (this.hasJoined) counts.rebalances++
        this.hasJoined = true
        return
      case "Started":
        this.starts.set(keyOf(event.topic, event.partition), event.offset)
        return
      case "Revoked":
        for (const { key } of event.partitions) this.starts.delete(key)
        return
      case "Committed":
        return this.commits.record(event.durationMs)
      case "CommitFailed":
        counts.commitFailures++
        return
      case "Lost":
        for (const { key } of event.partitions) this.starts.delete(key)
        counts.lost += event.partitions.length
        return
      case "Crashed":
        counts.crashes++
        return
      case "Stalled":
        counts.stalls++
        return
      case "Fenced":
        counts.lateCompletions += event.records
        return
      default:
    }
  }

  /** The measurement of the interval that ends now; the next one begins. */
  measure(interval: MemberInterval): MemberMetrics {
    const { commits, counts } = this
    const { now, partitions, ...rest } = interval
    const sum = (of: (partition: PartitionSnapshot) => number) =>
      partitions.reduce((total, partition) => total + of(partition), 0)
    const metrics: MemberMetrics = {
      ...rest,
      ...counts,
      timestamp: now,
      partitions: partitions.length,
      pausedPartitions: partitions.filter((one) => one.paused || one.halted || one.backPressured).length,
      queuedRecords: sum((one) => one.queuedRecords),
      queuedBytes: sum((one) => one.queuedBytes),
      uncommittedRecords: sum((one) => this.uncommitted(one)),
      commits: commits.count,
      commitMeanMs: commits.mean,
      commitP99Ms: commits.quantile(0.99)
    }
    this.counts = zero()
    commits.clear()
    return metrics
  }

  private uncommitted({ committed, partition, topic, watermark }: PartitionSnapshot): number {
    const from = committed ?? this.starts.get(keyOf(topic, partition)) ?? watermark
    return watermark > from ? Number(watermark - from) : 0
  }
}
