/** A worker hands one batch to the handler. */
import * as Codec from "@weft/kafka/Codec"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import { PipelineRecord } from "../PipelineRecord.ts"
import { type Failure, ofBatchRecord, ofCause, ofError, Tombstone } from "./failure.ts"
import type { Hub, WorkLane } from "./hub.ts"
import type { Recovery } from "./recovery.ts"
import type { Spans } from "./spans.ts"
import type { BatchItem, Entry } from "./workItem.ts"

type Made = PipelineRecord<unknown, unknown>

/** An item's records, as far as the handler can be given them. */
interface Sorted {
  readonly entries: ReadonlyArray<Entry>
  readonly records: ReadonlyArray<Made>
  readonly skipped: ReadonlyArray<Entry>
  /** The first that cannot be processed. */
  readonly hopeless: { readonly entry: Entry; readonly failure: Failure } | undefined
}

const sort = (hub: Hub, item: BatchItem): Sorted => {
  const { definition } = hub
  const { tombstones } = definition
  const entries: Array<Entry> = []
  const records: Array<Made> = []
  const skipped: Array<Entry> = []
  const hopeless = (entry: Entry, error: unknown): Sorted => ({
    entries,
    records,
    skipped,
    hopeless: { entry, failure: ofError(error) }
  })
  for (const entry of item.entries) {
    const record = entry.batch.records[entry.index]!
    const value = Codec.decodeValue(definition.value, record)
    if (value._tag === "Failure") return hopeless(entry, value.failure)
    if (record.value === null && tombstones === "dead-letter") return hopeless(entry, new Tombstone())
    if (record.value === null && tombstones === "skip") {
      skipped.push(entry)
      continue
    }
    const key = definition.key === undefined ? undefined : Codec.decodeKey(definition.key, record)
    if (key?._tag === "Failure") return hopeless(entry, key.failure)
    entries.push(entry)
    records.push(
      new PipelineRecord(record, key === undefined ? record.key : key.success, value.success, item.attempts + 1)
    )
  }
  return { entries, records, skipped, hopeless: undefined }
}

export const runBatch = (
  hub: Hub,
  spans: Spans,
  recovery: Recovery
) =>
(lane: WorkLane): Effect.Effect<undefined, never, unknown> =>
  Effect.suspend(() => {
    const item = lane.items.first as BatchItem
    const work = lane.group.owner
    if (!item.begin()) {
      hub.cannotBegin(lane)
      return Effect.undefined
    }
    const now = hub.clock.currentTimeMillisUnsafe()
    if (item.attempts === 0) item.startedAt = now
    const { entries, hopeless, records, skipped } = sort(hub, item)
    if (hopeless !== undefined) {
      item.attempts++
      return Effect.as(recovery.hopeless(lane, [hopeless.entry], hopeless.failure), undefined)
    }
    if (skipped.length > 0) {
      work.stats.totals.skipped += skipped.length
      const { attempts } = item
      hub.settle(work, item, skipped)
      item.attempts = attempts
    }
    if (!isReadonlyArrayNonEmpty(records)) {
      hub.proceed(lane)
      return Effect.undefined
    }
    item.attempts++
    const end = () => hub.told(work.stats, records.length, hub.clock.currentTimeMillisUnsafe() - now)
    const { partition, topic } = work.handle.topicPartition
    return Effect.matchCauseEffect(
      spans.ofRun(topic, partition, (span) => {
        if (span !== undefined) { for (const record of records) span.add(record.record) }
        return hub.definition.processBatch!(records)
      }),
      {
        onSuccess: () =>
          Effect.sync((): undefined => {
            hub.settle(work, item, entries)
            end()
            hub.proceed(lane)
          }),
        onFailure: (cause) => {
          const failure = ofCause(cause)
          const one = ofBatchRecord(failure)
          if (one === undefined || entries[one.index] === undefined) {
            return Effect.as(recovery.failed(lane, entries, failure), undefined)
          }
          const { attempts } = item
          hub.settle(work, item, entries.slice(0, one.index))
          // Whatever was first before is done: this one failed for the first time.
          item.attempts = one.index === 0 ? attempts : 1
          return Effect.as(recovery.failed(lane, [entries[one.index]!], one.failure), undefined)
        }
      }
    )
  })
