import * as FetchedBatch from "../src/FetchedBatch.ts"

/** A batch with records at these offsets. */
export const batchAt = (
  offsets: ReadonlyArray<bigint>,
  options: {
    readonly topic?: string
    readonly partition?: number
    readonly nextOffset?: bigint
    readonly bytes?: number
  } = {}
): FetchedBatch.FetchedBatch =>
  FetchedBatch.fromRecords({
    topic: options.topic ?? "topic",
    partition: options.partition ?? 0,
    highWatermark: 1_000_000n,
    nextOffset: options.nextOffset ?? (offsets.at(-1) ?? -1n) + 1n,
    records: offsets.map((offset) => ({
      offset,
      timestamp: Number(offset),
      key: null,
      value: new Uint8Array(options.bytes ?? 0),
      headers: []
    }))
  })
