/**
 * The log of one partition: what a broker keeps and what a fetch reads from it. No Effect in here; `now` is an argument.
 *
 * A log has one writer, the cluster, and is changed in place: a log of a million records is not copied on an append.
 */
import type { DecodedRecord, Header, TimestampType } from "@weft/kafka/FetchedBatch"

export interface LogRecord extends DecodedRecord {
  readonly timestampType: TimestampType
  /** What it takes of the byte limits. */
  readonly size: number
}

/** What is written: a record that has no offset yet. */
export interface NewRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
  readonly timestamp?: number | undefined
}

/** A batch as an idempotent producer sends it: the sequence number of its first record. */
export interface ProducerSequence {
  readonly producerId: number
  readonly sequence: number
}

interface WrittenBatch {
  readonly sequence: number
  readonly count: number
  readonly baseOffset: bigint
}

export interface PartitionLog {
  /** The first offset that may be read: moved by retention and by `deleteRecords`. */
  begin: bigint
  /** The offset that the next record gets: the high watermark. */
  end: bigint
  /** Ascending offsets, from `head` on; what lies before `head` is deleted and waits to be dropped. */
  records: Array<LogRecord>
  head: number
  /** Bytes from `head` on. */
  bytes: number
  leaderEpoch: number
  /** For each idempotent producer its last batches, the newest last. */
  readonly producers: Map<number, ReadonlyArray<WrittenBatch>>
}

export const make = (begin = 0n): PartitionLog => ({
  begin,
  end: begin,
  records: [],
  head: 0,
  bytes: 0,
  leaderEpoch: 0,
  producers: new Map()
})

/** A record batch of the wire format has a head of 61 bytes. */
export const batchOverhead = 61

/** Lengths, deltas and attributes of one record on the wire, about. */
const recordOverhead = 9

export const sizeOf = (record: NewRecord): number => {
  let size = recordOverhead + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const header of record.headers) size += 2 + header.name.length + (header.value?.length ?? 0)
  return size
}

export const batchSize = (records: ReadonlyArray<NewRecord>): number => {
  let size = batchOverhead
  for (const record of records) size += sizeOf(record)
  return size
}

/** How many batches a broker remembers of each idempotent producer. */
const rememberedBatches = 5

export type Appended =
  | { readonly _tag: "Appended"; readonly baseOffset: bigint }
  | { readonly _tag: "Duplicate"; readonly baseOffset: bigint }
  | { readonly _tag: "OutOfSequence"; readonly expected: number }

/** Writes a batch, unless it is one that this producer wrote already. */
export const append = (
  log: PartitionLog,
  batch: ReadonlyArray<NewRecord>,
  now: number,
  options?: {
    readonly timestampType?: TimestampType | undefined
    readonly producer?: ProducerSequence | undefined
  }
): Appended => {
  const producer = options?.producer
  if (producer !== undefined) {
    const written = log.producers.get(producer.producerId) ?? []
    const again = written.find((w) => w.sequence === producer.sequence && w.count === batch.length)
    if (again !== undefined) return { _tag: "Duplicate", baseOffset: again.baseOffset }
    const last = written[written.length - 1]
    // A producer that the log does not know may start anywhere: a broker forgets producers too.
    const expected = last === undefined ? producer.sequence : last.sequence + last.count
    if (producer.sequence !== expected) return { _tag: "OutOfSequence", expected }
    const next = { sequence: producer.sequence, count: batch.length, baseOffset: log.end }
    log.producers.set(producer.producerId, [...written.slice(1 - rememberedBatches), next])
  }
  const baseOffset = log.end
  const timestampType = options?.timestampType ?? "CreateTime"
  let offset = baseOffset
  for (const record of batch) {
    const size = sizeOf(record)
    log.records.push({
      offset,
      timestamp: timestampType === "LogAppendTime" ? now : record.timestamp ?? now,
      timestampType,
      key: record.key,
      value: record.value,
      headers: record.headers,
      size
    })
    log.bytes += size
    offset += 1n
  }
  log.end = offset
  return { _tag: "Appended", baseOffset }
}

/** The index of the first record at or after an offset; `records.length` where there is none. */
const indexFrom = (log: PartitionLog, offset: bigint): number => {
  let low = log.head
  let high = log.records.length
  // Without gaps the place follows from the offset: the common case of a reader that follows the log.
  const first = log.records[low]
  if (first !== undefined && offset >= first.offset) {
    const guess = low + Number(offset - first.offset)
    if (guess < high && log.records[guess]!.offset === offset) return guess
  }
  while (low < high) {
    const middle = (low + high) >>> 1
    if (log.records[middle]!.offset < offset) low = middle + 1
    else high = middle
  }
  return low
}

export type Fetched =
  | {
    readonly _tag: "Records"
    readonly records: ReadonlyArray<LogRecord>
    readonly bytes: number
    /** Above the last record, also over a gap; equal to the position where there is nothing to read. */
    readonly nextOffset: bigint
    readonly highWatermark: bigint
    readonly leaderEpoch: number
  }
  | { readonly _tag: "OutOfRange"; readonly begin: bigint; readonly end: bigint }

/**
 * Reads from an offset on, up to a number of bytes. With `atLeastOne` the first record comes whatever its size: a reader
 * with small limits must get on (KIP-74).
 */
export const fetch = (log: PartitionLog, offset: bigint, maxBytes: number, atLeastOne: boolean): Fetched => {
  if (offset < log.begin || offset > log.end) return { _tag: "OutOfRange", begin: log.begin, end: log.end }
  const { end: highWatermark, leaderEpoch } = log
  const from = indexFrom(log, offset)
  let to = from
  let bytes = 0
  while (to < log.records.length) {
    const size = log.records[to]!.size
    if (bytes + size > maxBytes && !(atLeastOne && to === from)) break
    bytes += size
    to++
  }
  const nextOffset = to === log.records.length
    // Nothing is left behind the last record read, so a gap at the log's end is read over as well.
    ? log.end
    : to === from
    ? offset
    : log.records[to - 1]!.offset + 1n
  return { _tag: "Records", records: log.records.slice(from, to), bytes, nextOffset, highWatermark, leaderEpoch }
}

/** Bytes that a fetch from here would find, counted up to a limit. */
export const available = (log: PartitionLog, offset: bigint, limit: number): number => {
  if (offset < log.begin || offset >= log.end) return 0
  let bytes = 0
  for (let i = indexFrom(log, offset); i < log.records.length && bytes < limit; i++) bytes += log.records[i]!.size
  return bytes
}

/** The offset of the first record that is not older than a time, `undefined` where there is none. */
export const offsetForTime = (log: PartitionLog, timestamp: number): bigint | undefined => {
  for (let i = log.head; i < log.records.length; i++) {
    if (log.records[i]!.timestamp >= timestamp) return log.records[i]!.offset
  }
  return undefined
}

/** All that may be read now. */
export const readAll = (log: PartitionLog): ReadonlyArray<LogRecord> => log.records.slice(log.head)

/**
 * Deletes what lies before an offset, as an admin's DeleteRecords does. An offset beyond the end is refused; one before
 * the beginning changes nothing.
 */
export const deleteBefore = (log: PartitionLog, offset: bigint): boolean => {
  if (offset > log.end) return false
  if (offset <= log.begin) return true
  const to = indexFrom(log, offset)
  for (let i = log.head; i < to; i++) log.bytes -= log.records[i]!.size
  log.head = to
  log.begin = offset
  // Dropped when half is dead, so that a deletion costs what it deletes and not what it keeps.
  if (log.head * 2 > log.records.length) {
    log.records = log.records.slice(log.head)
    log.head = 0
  }
  return true
}

/** What `retention.ms` and `retention.bytes` allow to be kept, from the oldest on. -1 is no limit. */
export const retain = (
  log: PartitionLog,
  limits: { readonly retentionMs: number; readonly retentionBytes: number },
  now: number
): void => {
  let index = log.head
  let bytes = log.bytes
  while (index < log.records.length) {
    const record = log.records[index]!
    const tooOld = limits.retentionMs >= 0 && record.timestamp >= 0 && now - record.timestamp > limits.retentionMs
    const tooMuch = limits.retentionBytes >= 0 && bytes > limits.retentionBytes
    if (!tooOld && !tooMuch) break
    bytes -= record.size
    index++
  }
  if (index > log.head) deleteBefore(log, index < log.records.length ? log.records[index]!.offset : log.end)
}

/**
 * Compaction: of each key only the newest record stays, and no tombstone. Records without a key are left alone, since
 * this log may not be one of keys alone. Leaves gaps; the beginning and the end stay.
 */
export const compact = (log: PartitionLog): void => {
  const newest = new Map<string, bigint>()
  for (let i = log.head; i < log.records.length; i++) {
    const record = log.records[i]!
    if (record.key !== null) newest.set(keyText(record.key), record.offset)
  }
  removeWhere(
    log,
    (record) => record.key !== null && (record.value === null || newest.get(keyText(record.key)) !== record.offset)
  )
}

/** Removes single records and leaves gaps, as compaction and control records do. */
export const removeWhere = (log: PartitionLog, remove: (record: LogRecord) => boolean): void => {
  const kept: Array<LogRecord> = []
  let bytes = 0
  for (let i = log.head; i < log.records.length; i++) {
    const record = log.records[i]!
    if (remove(record)) continue
    kept.push(record)
    bytes += record.size
  }
  log.records = kept
  log.head = 0
  log.bytes = bytes
}

/** An unclean election: the new leader never had what lies at or after this offset. */
export const truncate = (log: PartitionLog, end: bigint): void => {
  if (end >= log.end) return
  const from = indexFrom(log, end)
  for (let i = from; i < log.records.length; i++) log.bytes -= log.records[i]!.size
  log.records.length = from
  log.end = end
  if (log.begin > end) log.begin = end
  log.producers.clear()
}

const keyText = (key: Uint8Array): string => {
  let text = ""
  for (const byte of key) text += String.fromCharCode(byte)
  return text
}
