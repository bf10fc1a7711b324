/**
 * The Fetch request, version 11 (since Kafka 2.3), whose answer keeps the records of each partition as the bytes that they
 * are: see `FetchLayout`.
 *
 * @since 0.1.0
 */
import type { WireRequest } from "./Client.ts"
import * as FetchLayout from "./FetchLayout.ts"
import { Writer } from "./Wire.ts"

/**
 * A partition to fetch from.
 *
 * @category models
 * @since 0.1.0
 */
export interface WantedPartition {
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  readonly maxBytes: number
}

/**
 * What is asked of one broker. `isolationLevel` as Kafka numbers it: 0 uncommitted, 1 committed.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchOptions {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolationLevel: 0 | 1
  /** The broker fills its answer in this order. */
  readonly partitions: ReadonlyArray<WantedPartition>
}

/**
 * Kafka's number for the request.
 *
 * @category constants
 * @since 0.1.0
 */
export const fetchKey = 1

/**
 * The version that is written here.
 *
 * @category constants
 * @since 0.1.0
 */
export const fetchVersion = 11

/**
 * As which it is known to the library, which has a fetch of its own.
 *
 * @category constants
 * @since 0.1.0
 */
export const fetchName = "Fetch as bytes"

/** What the network may take besides the time that the broker waits for records. */
const networkDelayMs = 100

/**
 * One fetch, outside of any fetch session.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fetchRequest = (options: FetchOptions): WireRequest<FetchLayout.RawAnswer> => ({
  apiKey: fetchKey,
  apiName: fetchName,
  maxVersion: fetchVersion,
  timeoutMs: options.maxWaitMs + networkDelayMs,
  throttleMs: (answer) => answer.throttleMs,
  encode: () => {
    const writer = new Writer()
    // A consumer is no replica, and there is no fetch session.
    writer.int32(-1).int32(options.maxWaitMs).int32(options.minBytes).int32(options.maxBytes)
      .int8(options.isolationLevel).int32(0).int32(-1)
    return writer.array(inOrder(options.partitions), (of) => {
      writer.string(of[0]!.topic).array(of, ({ maxBytes, partition, position }) => {
        writer.int32(partition).int32(-1).int64(position).int64(-1n).int32(maxBytes)
      })
    }).int32(0).string("")
  },
  decode: (reader) => FetchLayout.read(reader.rest()),
  assemble: FetchLayout.assemble
})

/** Partitions of one topic that follow each other go together; a topic may come more than once, to keep the order. */
const inOrder = (partitions: ReadonlyArray<WantedPartition>): ReadonlyArray<ReadonlyArray<WantedPartition>> => {
  const runs: Array<Array<WantedPartition>> = []
  for (const wanted of partitions) {
    const last = runs[runs.length - 1]
    if (last?.[0]!.topic === wanted.topic) last.push(wanted)
    else runs.push([wanted])
  }
  return runs
}
