/**
 * What waits to be written to one partition: in order, one record batch under way at a time, each with the sequence by
 * which the broker knows it again. A batch that may have been written is only ever sent again as it was.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { OutgoingRecord } from "@weft/kafka/Transport"
import { sizeBound } from "../RecordBatchEncoder.ts"

/** As whom the broker counts the batches of a partition. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** Records that were sent together, and who waits for them. */
export interface Part {
  readonly records: ReadonlyArray<OutgoingRecord>
  /** In milliseconds since 1970. */
  readonly deadline: number
  readonly onWritten: (baseOffset: bigint) => void
  readonly onFailed: (error: KafkaError) => void
}

interface Progress {
  readonly part: Part
  /** Records of it in batches already. */
  taken: number
  /** Records of it that the broker has. */
  written: number
  baseOffset: bigint | undefined
  over: boolean
}

export interface Batch {
  readonly records: ReadonlyArray<OutgoingRecord>
  readonly pieces: ReadonlyArray<{ readonly progress: Progress; readonly from: number; readonly count: number }>
  readonly baseSequence: number
  /** The last deadline of its parts: the batch goes as one, so it fails as one. */
  readonly deadline: number
  /** The bytes of the first attempt, for all further ones. */
  bytes: Buffer | undefined
  /** It was sent, and nobody said that it was refused. */
  ambiguous: boolean
}

/** So many at most, since kafkajs itself cannot read batches of 125,000. */
const batchRecords = 10_000

/** Below the brokers' default for `max.message.bytes`. */
const batchBytes = 1_000_000

const sequences = 2 ** 31

export class ProduceLane {
  readonly topic: string
  readonly partition: number
  identity: ProducerIdentity | undefined
  /** Not before this time, after an error. */
  notBefore = 0
  private waiting: Array<Progress> = []
  private current: Batch | undefined
  private sequence = 0
  private underWay = false
  private maxBytes = batchBytes

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get isIdle(): boolean {
    return this.current === undefined && this.waiting.length === 0
  }

  isReady(now: number): boolean {
    return !this.underWay && !this.isIdle && this.notBefore <= now
  }

  add(part: Part): Progress {
    const progress: Progress = { part, taken: 0, written: 0, baseOffset: undefined, over: false }
    this.waiting.push(progress)
    return progress
  }

  /** Nobody waits for it any more. What is in a batch already goes out with it. */
  cancel(progress: Progress): void {
    progress.over = true
    this.waiting = this.waiting.filter((one) => one !== progress)
  }

  /** The batch to send now. The same one again until it is written or refused. */
  take(): Batch {
    this.underWay = true
    return this.current ??= this.form()
  }

  private form(): Batch {
    const records: Array<OutgoingRecord> = []
    const pieces: Array<Batch["pieces"][number]> = []
    let bytes = 0
    let deadline = 0
    let full = false
    while (this.waiting.length > 0 && !full) {
      const progress = this.waiting[0]!
      const { deadline: until, records: own } = progress.part
      const from = progress.taken
      for (; progress.taken < own.length && !full;) {
        const size = sizeBound(own[progress.taken]!)
        // One record goes however large it is: the broker is to judge.
        full = records.length > 0 && (bytes + size > this.maxBytes || records.length >= batchRecords)
        if (full) break
        bytes += size
        records.push(own[progress.taken++]!)
      }
      if (progress.taken > from) {
        pieces.push({ progress, from, count: progress.taken - from })
        deadline = Math.max(deadline, until)
      }
      if (progress.taken === own.length) this.waiting.shift()
    }
    const baseSequence = this.sequence
    this.sequence = (baseSequence + records.length) % sequences
    return { records, pieces, baseSequence, deadline, bytes: undefined, ambiguous: false }
  }

  /** `undefined`: nobody asked the broker where, or it did not say. */
  written(batch: Batch, baseOffset: bigint | undefined): void {
    this.finish()
    let at = baseOffset
    for (const { count, progress } of batch.pieces) {
      progress.baseOffset ??= at ?? -1n
      progress.written += count
      if (at !== undefined) at += BigInt(count)
      if (progress.written === progress.part.records.length && !progress.over) {
        progress.over = true
        progress.part.onWritten(progress.baseOffset)
      }
    }
  }

  /** Again, as it is. */
  again(notBefore: number): void {
    this.underWay = false
    this.notBefore = notBefore
  }

  /** Again, under a new identity; the broker refused it, so its sequence is free. */
  anew(notBefore: number): void {
    const batch = this.current!
    this.identity = undefined
    this.sequence = batch.records.length % sequences
    this.current = { ...batch, baseSequence: 0, bytes: undefined, ambiguous: false }
    this.again(notBefore)
  }

  /** In smaller batches. `false`: it is one record, and cannot be. */
  split(batch: Batch): boolean {
    if (batch.records.length === 1) return false
    const bytes = batch.records.reduce((sum, record) => sum + sizeBound(record), 0)
    this.maxBytes = Math.max(1, Math.floor(bytes / 2))
    this.sequence = batch.baseSequence
    for (const { from, progress } of batch.pieces) progress.taken = from
    const again = batch.pieces.map(({ progress }) => progress).filter((progress) => !progress.over)
    this.waiting = [...again, ...this.waiting.filter((one) => !again.includes(one))]
    this.finish()
    return true
  }

  /** Each part of it fails, with what has not been sent of it. */
  fail(batch: Batch, error: KafkaError): void {
    if (batch.ambiguous) {
      // The broker may know this sequence: another batch under it would pass for a repetition, and be dropped in silence.
      this.identity = undefined
      this.sequence = 0
    } else this.sequence = batch.baseSequence
    this.finish()
    for (const { progress } of batch.pieces) this.failPart(progress, error)
  }

  /** The end: nothing more will be sent. */
  failAll(error: KafkaError): void {
    for (const { progress } of this.current?.pieces ?? []) this.failPart(progress, error)
    for (const progress of this.waiting) this.failPart(progress, error)
    this.finish()
  }

  private failPart(progress: Progress, error: KafkaError): void {
    const isHeard = !progress.over
    this.cancel(progress)
    if (isHeard) progress.part.onFailed(error)
  }

  private finish(): void {
    this.current = undefined
    this.underWay = false
  }
}
