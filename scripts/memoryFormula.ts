/**
 * What a process with a consumer may hold above what it takes with nothing to do: the formula of
 * packages/kafka/src/ConsumerSettings.ts, and what V8 has not collected yet. Pure.
 */
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"

export interface Load {
  readonly settings: ConsumerSettings.ConsumerSettings
  readonly partitions: number
  readonly brokers: number
  /** Of each value. */
  readonly bytes: number
  /** How many records each record batch of the log has. Default: batches are small beside what a fetch brings. */
  readonly batchRecords?: number
}

export const mebibyte = 2 ** 20

/** What a record takes on the wire besides its value: lengths, deltas, a short key; at most, and at least. */
const recordOverheadBytes = 30
const smallestOverheadBytes = 8
/** The head of a record batch. */
const batchHeadBytes = 61
/** Where the parts of a record lie: six numbers, noted once for whoever reads it. */
const positionsBytes = 24
/** V8 lets freed buffers come to so much of what is alive before it collects them (`--external-memory-max-growing-factor`). */
const externalGrowth = 1.3
/** What its heap grows by between two collections, whatever is in the queues. */
const heapGrowthBytes = 128 * mebibyte

/**
 * What a fetch brings of a partition, on the wire: a record batch comes whole however large it is (KIP-74). The broker cuts off
 * the last one, and what came of it lies in memory with those before it; `perUseful`: how much is kept for each byte of those.
 * Record batches of one size fit `floor` times.
 */
const answerOf = (load: Load): { readonly size: number; readonly perUseful: number } => {
  const { batchRecords = 0, bytes, settings } = load
  const smallest = batchRecords * (bytes + smallestOverheadBytes)
  const largest = batchHeadBytes + batchRecords * (bytes + recordOverheadBytes)
  const size = Math.max(settings.maxPartitionFetchBytes, largest)
  return { size, perUseful: batchRecords === 0 ? 1 : size / (Math.floor(size / largest) * smallest) }
}

/** Alive, of records that are not compressed: in the queues and, of a pipeline in the order of the partition, in flight. */
export const aliveBytes = (load: Load): number => {
  const { brokers, bytes, partitions, settings } = load
  const limits = ConsumerSettings.queueLimits(settings)
  const answer = answerOf(load)
  const inMemory = (wireBytes: number) => wireBytes * (1 + positionsBytes / (bytes + smallestOverheadBytes))
  const fetched = inMemory(answer.size)
  const queued = Math.min(
    partitions * (limits.partitionBytes + fetched),
    limits.totalBytes + brokers * inMemory(Math.max(settings.fetchMaxBytes, answer.size))
  )
  const inFlight = 2 * settings.maxPollRecords * ((bytes + recordOverheadBytes) * answer.perUseful + positionsBytes)
  // The first of them may be the last of what was fetched with them, all of which they keep.
  return queued + partitions * (inFlight + fetched)
}

/** In all, what is not collected yet included. */
export const allowedBytes = (load: Load): number => externalGrowth * aliveBytes(load) + heapGrowthBytes
