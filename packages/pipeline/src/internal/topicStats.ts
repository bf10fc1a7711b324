/** What happened to the records of a topic: since the start, and since the last measurement. Pure state. */
import type { ProcessingMetrics } from "../MetricsSink.ts"
import { Histogram } from "./histogram.ts"
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

export class TopicStats {
  readonly topic: string
  readonly instruments: TopicInstruments
  readonly totals: Counts = zero()
  private reported: Counts = zero()
  private readonly durations = new Histogram()

  constructor(topic: string, instruments: TopicInstruments) {
    this.topic = topic
    this.instruments = instruments
  }

  /** Records that were settled, and how long each took from the begin of its first attempt. */
  settled(records: number, durationMs: number): void {
    this.totals.processed += records
    this.durations.record(durationMs, records)
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
      memoryUsageMb: interval.memoryUsageMb
    }
    this.reported = { ...totals }
    durations.clear()
    return metrics
  }
}
