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

/** What a record takes on the wire besides its value, at most: lengths, deltas, a short key. */
const recordOverheadBytes = 30
/** V8 lets freed buffers come to so much of what is alive before it collects them (`--external-memory-max-growing-factor`). */
const externalGrowth = 1.3
/** What its heap grows by between two collections, whatever is in the queues. */
const heapGrowthBytes = 128 * mebibyte

/** Alive: in the queues and, of a pipeline in the order of the partition, in flight. */
export const aliveBytes = ({ brokers, bytes, partitions, settings }: Load): number => {
  const limits = ConsumerSettings.queueLimits(settings)
  const queued = Math.min(
    partitions * (limits.partitionBytes + settings.maxPartitionFetchBytes),
    limits.totalBytes + brokers * settings.fetchMaxBytes
  )
  const inFlight = partitions * 2 * settings.maxPollRecords * (bytes + recordOverheadBytes)
  return queued + inFlight
}

/** In all, what is not collected yet included. */
export const allowedBytes = (load: Load): number => externalGrowth * aliveBytes(load) + heapGrowthBytes
