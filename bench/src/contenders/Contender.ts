/** What a contender is given, and what it tells of its run. */
import type { Run } from "../Comparison.ts"

export interface Task {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly group: string
  readonly records: number
  /** Of each value. */
  readonly bytes: number
  readonly partitions: number
  /** Of a database with Weft's tables, and nothing else, where the workload needs one. */
  readonly postgres?: string | undefined
}

/**
 * Consumes the whole topic; calls `seen` for what it was handed, and ends when the progress says so. One that is another
 * program answers what that told instead.
 */
export type Contender = (task: Task, progress: Progress) => Promise<Result | void>

/** The same fetch settings for all, Kafka's own where there is one. */
export const fetchSettings = {
  minBytes: 1,
  maxWaitMs: 500,
  maxBytes: 52_428_800,
  maxBytesPerPartition: 1_048_576
}

/**
 * Counts from the first batch on: its records start the clock and are not counted, so that connecting and joining the
 * group are left out. Ends with so many records, and, where it is told how long, not sooner than that after the first batch.
 */
export class Progress {
  readonly done: Promise<void>
  private readonly expected: number
  private readonly lastsMs: number
  private isLongEnough: boolean
  private resolve: () => void = () => {}
  private records = 0
  private bytes = 0
  private first: { readonly records: number; readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
  private last: { readonly records: number; readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
  constructor(expected: number, lastsMs = 0) {
    this.expected = expected
    this.lastsMs = lastsMs
    this.isLongEnough = lastsMs === 0
    this.done = new Promise((resolve) => {
      this.resolve = resolve
    })
  }
  /** For every batch, or for every record. */
  seen(records: number, bytes: number): void {
    if (this.first === undefined) {
      this.first = { records, at: performance.now(), cpu: process.cpuUsage() }
      if (!this.isLongEnough) setTimeout(() => this.onLongEnough(), this.lastsMs)
    }
    this.records += records
    this.bytes += bytes
    if (this.records >= this.expected && this.isLongEnough) this.end()
  }
  private onLongEnough(): void {
    this.isLongEnough = true
    if (this.records >= this.expected) this.end()
  }
  private end(): void {
    if (this.last !== undefined) return
    this.last = { records: this.records, at: performance.now(), cpu: process.cpuUsage(this.first?.cpu) }
    this.resolve()
  }
  result(): Result {
    if (this.first === undefined || this.last === undefined) throw new Error("the run has not ended")
    const counted = this.last.records - this.first.records
    const cpuSeconds = (this.last.cpu.user + this.last.cpu.system) / 1e6
    return {
      records: this.records,
      bytes: this.bytes,
      recordsPerSecond: counted / ((this.last.at - this.first.at) / 1000),
      cpuSecondsPerMillion: cpuSeconds / (counted / 1e6),
      peakRssMb: process.resourceUsage().maxRSS / 1024
    }
  }
}

export interface Result extends Run {
  readonly records: number
  readonly bytes?: number | undefined
}
