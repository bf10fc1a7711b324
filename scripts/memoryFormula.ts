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
}

export const mebibyte = 2 ** 20

/** What a record takes on the wire besides its value: lengths, deltas, a short key; at most, and at least. */
const recordOverheadBytes = 30
const smallestOverheadBytes = 8
/** Where the parts of a record lie: six numbers, noted once for whoever reads it. */
const positionsBytes = 24
/** V8 lets freed buffers come to so much of what is alive before it collects them (`--external-memory-max-growing-factor`). */
const externalGrowth = 1.3
/** What its heap grows by between two collections, whatever is in the queues. */
const heapGrowthBytes = 128 * mebibyte

/** Alive: in the queues and, of a pipeline in the order of the partition, in flight. */
export const aliveBytes = ({ brokers, bytes, partitions, settings }: Load): number => {
  const limits = ConsumerSettings.queueLimits(settings)
  const inMemory = (wireBytes: number) => wireBytes * (1 + positionsBytes / (bytes + smallestOverheadBytes))
  const fetched = inMemory(settings.maxPartitionFetchBytes)
  const queued = Math.min(
    partitions * (limits.partitionBytes + fetched),
    limits.totalBytes + brokers * inMemory(settings.fetchMaxBytes)
  )
  const inFlight = 2 * settings.maxPollRecords * (bytes + recordOverheadBytes + positionsBytes)
  // The first of them may be the last of what was fetched with them, all of which they keep.
  return queued + partitions * (inFlight + fetched)
}

/** In all, what is not collected yet included. */
export const allowedBytes = (load: Load): number => externalGrowth * aliveBytes(load) + heapGrowthBytes
