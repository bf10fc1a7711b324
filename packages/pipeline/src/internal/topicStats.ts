/** What happened to the records of a topic: since the start, and since the last measurement. Pure state. */
import type { ProcessingMetrics } from "../MetricsSink.ts"
import { Histogram } from "./histogram.ts"
import { HeavyHitters } from "./heavyHitters.ts"
import type { TopicInstruments } from "./instruments.ts"

export interface Counts {
  processed: number
  bytes: number
  retries: number
  failures: number
  skipped: number
  deadLetters: number
}

const zero = (): Counts => ({ processed: 0, bytes: 0, retries: 0, failures: 0, skipped: 0, deadLetters: 0 })

/** Records of one partition that were settled since the last measurement. */
export interface PartitionCount {
  records: number
}

/** So many keys are kept an eye on. */
const watchedKeys = 64

export class TopicStats {
  readonly topic: string
  readonly instruments: TopicInstruments
  /** Since the process began; `undefined` where nothing is timed. */
  private readonly processingTimes: Histogram | undefined
  readonly totals: Counts = zero()
  private reported: Counts = zero()
  private readonly durations = new Histogram()
  private readonly partitions = new Map<number, PartitionCount>()
  private readonly keys = new HeavyHitters(watchedKeys)
  private batches = 0
  private fullBatches = 0

  constructor(topic: string, instruments: TopicInstruments, processingTimes: Histogram | undefined) {
    this.topic = topic
    this.processingTimes = processingTimes
    this.instruments = instruments
  }

  /** Where whoever settles records of a partition counts them. */
  partition(partition: number): PartitionCount {
    const known = this.partitions.get(partition)
    if (known !== undefined) return known
    const count: PartitionCount = { records: 0 }
    this.partitions.set(partition, count)
    return count
  }

  /** A batch was made for the handler, or a run taken from the consumer. */
  batched(isFull: boolean): void {
    this.batches++
    if (isFull) this.fullBatches++
  }

  /** A batch that was not full became so before anybody took it. */
  filledUp(): void {
    this.fullBatches++
  }

  /** The key of a record that was taken in, where it is looked at anyway. */
  sawKey(key: string): void {
    if (this.processingTimes !== undefined) this.keys.add(key)
  }

  /** Records that were settled, and how long each took from the begin of its first attempt. */
  settled(records: number, durationMs: number): void {
    this.totals.processed += records
    if (this.processingTimes !== undefined) this.durations.record(durationMs, records)
  }

  /** The measurement of the interval that ends now; the next one begins. */
  measure(interval: {
    readonly service: string
    readonly member: string
    readonly now: number
    readonly intervalMs: number
    readonly memoryUsageMb: number
  }): ProcessingMetrics {
    const { durations, reported, totals } = this
    const messagesProcessed = totals.processed - reported.processed
    const metrics: ProcessingMetrics = {
      service: interval.service,
      topic: this.topic,
      member: interval.member,
      timestamp: interval.now,
      intervalMs: interval.intervalMs,
      messagesProcessed,
      processingTimeMs: durations.mean,
      processingTimeP50Ms: durations.quantile(0.5),
      processingTimeP95Ms: durations.quantile(0.95),
      processingTimeP99Ms: durations.quantile(0.99),
      messagesPerSecond: interval.intervalMs > 0 ? messagesProcessed * 1_000 / interval.intervalMs : 0,
      bytes: totals.bytes - reported.bytes,
      retries: totals.retries - reported.retries,
      failures: totals.failures - reported.failures,
      skipped: totals.skipped - reported.skipped,
      deadLetters: totals.deadLetters - reported.deadLetters,
      durations: durations.buckets(),
      batches: this.batches,
      fullBatches: this.fullBatches,
      ...this.spread(),
      busiestKeyRecords: this.keys.isEmpty ? undefined : this.keys.most,
      memoryUsageMb: interval.memoryUsageMb
    }
    this.reported = { ...totals }
    this.processingTimes?.add(durations)
    durations.clear()
    this.keys.clear()
    this.batches = 0
    this.fullBatches = 0
    return metrics
  }

  private spread(): Pick<ProcessingMetrics, "partitions" | "busiestPartitionRecords"> {
    let partitions = 0
    let busiestPartitionRecords = 0
    for (const count of this.partitions.values()) {
      if (count.records > 0) partitions++
      busiestPartitionRecords = Math.max(busiestPartitionRecords, count.records)
      count.records = 0
    }
    return { partitions, busiestPartitionRecords }
  }
}
