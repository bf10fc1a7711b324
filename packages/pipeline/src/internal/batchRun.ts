/** A worker hands one batch to the handler. */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import { PipelineRecord } from "../PipelineRecord.ts"
import { decodeRecord, Hopeless, skip } from "./decodeRecord.ts"
import { type Failure, ofBatchRecord, ofCause, ofError } from "./failure.ts"
import type { Hub, WorkLane } from "./hub.ts"
import type { Recovery } from "./recovery.ts"
import type { Spans } from "./spans.ts"
import type { BatchItem, Entry } from "./workItem.ts"

type Made = PipelineRecord<unknown, unknown>

/** All of an item's records; `undefined` where one of them must be looked at alone. */
const decodeWhole = (hub: Hub, item: BatchItem): ReadonlyArray<Made> | undefined => {
  const { whole } = item
  if (whole === undefined) return undefined
  const made: Array<Made> = []
  for (const { batch, from, to } of whole) {
    const { records } = batch
    for (let index = from; index < to; index++) {
      const decoded = decodeRecord(hub.definition, records[index]!, item.attempts + 1)
      if (!(decoded instanceof PipelineRecord)) return undefined
      made.push(decoded)
    }
  }
  return made
}

/** What is left of an item, looked at one by one. */
interface Sorted {
  readonly records: ReadonlyArray<Made>
  readonly skipped: ReadonlyArray<Entry>
  /** The first that cannot be processed. */
  readonly hopeless: { readonly entry: Entry; readonly failure: Failure } | undefined
}

const sort = (hub: Hub, item: BatchItem): Sorted => {
  const records: Array<Made> = []
  const skipped: Array<Entry> = []
  for (const entry of item.current()) {
    const decoded = decodeRecord(hub.definition, entry.batch.records[entry.index]!, item.attempts + 1)
    if (decoded instanceof Hopeless) return { records, skipped, hopeless: { entry, failure: ofError(decoded.error) } }
    if (decoded === skip) skipped.push(entry)
    else records.push(decoded)
  }
  return { records, skipped, hopeless: undefined }
}

export const runBatch = (
  hub: Hub,
  spans: Spans,
  recovery: Recovery
) =>
(lane: WorkLane): Effect.Effect<undefined, never, unknown> =>
  Effect.withFiber((fiber) => {
    const item = lane.items.first as BatchItem
    const work = lane.group.owner
    if (!item.begin()) {
      hub.cannotBegin(lane)
      return Effect.undefined
    }
    const now = hub.clock.currentTimeMillisUnsafe()
    if (item.attempts === 0) item.startedAt = now
    let records = decodeWhole(hub, item)
    if (records === undefined) {
      const sorted = sort(hub, item)
      const { hopeless, skipped } = sorted
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
      records = sorted.records
    }
    if (!isReadonlyArrayNonEmpty(records)) {
      hub.proceed(lane)
      return Effect.undefined
    }
    item.attempts++
    const { length } = records
    const end = () => hub.told(work.stats, length, hub.clock.currentTimeMillisUnsafe() - now)
    const { partition, topic } = work.handle.topicPartition
    const given = records
    hub.running.set(item, fiber)
    return Effect.matchCauseEffect(
      spans.ofRun(topic, partition, (span) => {
        if (span !== undefined) { for (const record of given) span.add(record.record) }
        return hub.definition.processBatch!(given)
      }),
      {
        onSuccess: () =>
          Effect.sync((): undefined => {
            hub.running.delete(item)
            hub.settleAll(work, item)
            end()
            hub.proceed(lane)
          }),
        onFailure: (cause) => {
          hub.running.delete(item)
          const entries = item.current()
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
