/**
 * What was written into the input, and what came out: the judge of a run. It is told of each acknowledgement and of each
 * record of the output, in the order of its partition, and holds some twenty bytes for each. Pure.
 */
import { NumberColumn, OffsetSet } from "./columns.ts"
import type { Order } from "./flags.ts"

/** A record of the output or of the dead letters, with where it comes from. */
export interface Written {
  readonly topic: "output" | "dead letters"
  readonly sourcePartition: number
  readonly sourceOffset: number
  readonly key: string | null
  /** The number that the filler gave it. */
  readonly id: number
  /** The member that wrote it; empty where it does not say, as a dead letter does not. */
  readonly member: string
  /** When the broker took it, in milliseconds since 1970. */
  readonly atMs: number
}

/** A record that was written before. */
export interface Repeat {
  readonly partition: number
  readonly offset: number
  readonly first: { readonly member: string; readonly atMs: number }
  readonly again: { readonly member: string; readonly atMs: number }
}

export interface LedgerListener {
  readonly onRepeat: (repeat: Repeat) => void
  readonly onViolation: (text: string) => void
}

class PartitionLedger {
  readonly acknowledged = new OffsetSet()
  readonly seen = new OffsetSet()
  /** By offset: the record's number plus one. */
  readonly ids = new NumberColumn()
  /** By offset: who wrote it last, plus one, and when, in milliseconds after the start. */
  readonly writers = new NumberColumn()
  readonly times = new NumberColumn()
}

/** How many records each member wrote, by tenths of a second. */
const bucketMs = 100

export class Ledger {
  private readonly startedAt: number
  private readonly order: Order
  private readonly listener: LedgerListener
  private readonly partitions: ReadonlyArray<PartitionLedger>
  /** The highest offset that was written for the first time, by partition or by key. */
  private readonly lanes = new Map<string, number>()
  private readonly members: Array<string> = []
  private readonly histories = new Map<string, { readonly index: number; readonly buckets: NumberColumn }>()
  private lastBucket = 0
  repeats = 0
  deadLetters = 0

  constructor(options: {
    readonly partitions: number
    readonly order: Order
    readonly startedAt: number
    readonly listener: LedgerListener
  }) {
    this.order = options.order
    this.startedAt = options.startedAt
    this.listener = options.listener
    this.partitions = Array.from({ length: options.partitions }, () => new PartitionLedger())
  }

  /** The input has this record at this offset. */
  acknowledge(partition: number, offset: number, id: number): void {
    const ledger = this.partitions[partition]!
    ledger.acknowledged.add(offset)
    this.identify(partition, offset, id)
  }

  /** The next record of an output partition. */
  observe(written: Written): void {
    const { atMs, id, member, sourceOffset: offset, sourcePartition: partition } = written
    const ledger = this.partitions[partition]
    if (ledger === undefined) {
      this.listener.onViolation(`${written.topic}: a record that says it comes from partition ${partition}`)
      return
    }
    this.identify(partition, offset, id)
    if (written.topic === "dead letters") this.deadLetters++
    const writer = this.count(member, atMs)
    if (ledger.seen.add(offset)) this.checkOrder(written)
    else {
      this.repeats++
      this.listener.onRepeat({
        partition,
        offset,
        first: {
          member: this.members[ledger.writers.get(offset) - 1]!,
          atMs: this.startedAt + ledger.times.get(offset)
        },
        again: { member, atMs }
      })
    }
    ledger.writers.set(offset, writer + 1)
    ledger.times.set(offset, Math.max(0, atMs - this.startedAt))
  }

  /** Records that came out, each counted once. */
  get relayed(): number {
    return this.partitions.reduce((sum, { seen }) => sum + seen.size, 0)
  }

  get acknowledgedRecords(): number {
    return this.partitions.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  }

  /** Offsets from `start` to below `end` that did not come out; the first few. */
  missing(partition: number, start: number, end: number): ReadonlyArray<number> {
    return this.partitions[partition]!.seen.missing(start, end)
  }

  /** The highest acknowledged offset plus one. */
  acknowledgedEnd(partition: number): number {
    return this.partitions[partition]!.acknowledged.highest + 1
  }

  /** How many records a member wrote from one time to another, to a tenth of a second. */
  writtenBy(member: string, fromMs: number, toMs: number): number {
    const history = this.histories.get(member)
    if (history === undefined) return 0
    const last = Math.min(this.bucket(toMs), this.lastBucket)
    let sum = 0
    for (let bucket = this.bucket(fromMs); bucket <= last; bucket++) sum += history.buckets.get(bucket)
    return sum
  }

  /** The same, of all members. */
  writtenByAll(fromMs: number, toMs: number): number {
    return this.members.reduce((sum, member) => sum + this.writtenBy(member, fromMs, toMs), 0)
  }

  private bucket(atMs: number): number {
    return Math.max(0, Math.floor((atMs - this.startedAt) / bucketMs))
  }

  private count(member: string, atMs: number): number {
    const known = this.histories.get(member)
    const history = known ?? { index: this.members.push(member) - 1, buckets: new NumberColumn() }
    if (known === undefined) this.histories.set(member, history)
    const bucket = this.bucket(atMs)
    this.lastBucket = Math.max(this.lastBucket, bucket)
    history.buckets.add(bucket, 1)
    return history.index
  }

  private identify(partition: number, offset: number, id: number): void {
    const { ids } = this.partitions[partition]!
    const before = ids.get(offset)
    if (before === 0) ids.set(offset, id + 1)
    else if (before !== id + 1) {
      this.listener.onViolation(
        `partition ${partition}, offset ${offset}: record ${id} stands for record ${before - 1}`
      )
    }
  }

  private checkOrder({ key, sourceOffset, sourcePartition, topic }: Written): void {
    // A dead letter leaves its place.
    if (topic === "dead letters" || this.order === "none" || (this.order === "key" && key === null)) return
    const lane = this.order === "partition" ? String(sourcePartition) : `${sourcePartition} ${key}`
    const before = this.lanes.get(lane) ?? -1
    if (sourceOffset < before) {
      this.listener.onViolation(
        `order: partition ${sourcePartition}${this.order === "key" ? `, key ${key}` : ""}: ` +
          `offset ${sourceOffset} came out for the first time after ${before}`
      )
    } else this.lanes.set(lane, sourceOffset)
  }
}
