/** What a decoder made of an answer, as plain values that can be compared. */
import { ConsumerRecord } from "../src/ConsumerRecord.ts"
import type { FetchedBatch } from "../src/FetchedBatch.ts"
import type { Decoded, Options, PartitionResponse } from "../src/RecordBatch.ts"
import * as RecordBatchDecoder from "../src/RecordBatchDecoder.ts"
import { decompressors } from "./codecs.ts"

export interface PlainRecord {
  readonly offset: bigint
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: ReadonlyArray<readonly [name: string, value: string | null]>
}

export const hex = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString("hex")

export const plain = (batches: ReadonlyArray<FetchedBatch>): ReadonlyArray<PlainRecord> =>
  batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => {
      const { headers, key, offset, timestamp, value } = new ConsumerRecord(batch, i)
      return {
        offset,
        timestamp,
        key: hex(key),
        value: hex(value),
        headers: headers.map((header) => [header.name, hex(header.value)] as const)
      }
    })
  )

export const decode = (
  records: Uint8Array,
  response: Partial<PartitionResponse> = {},
  options: Partial<Options> = {}
): Decoded =>
  RecordBatchDecoder.make({ isolationLevel: "read_committed", decompressors, ...options }).decode({
    topic: "orders",
    partition: 7,
    fetchOffset: 0n,
    highWatermark: 1_000_000n,
    records,
    ...response
  })
