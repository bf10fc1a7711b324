/** Carries out what policies decide for records that failed. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import { decide, type FinalAction } from "../FailurePolicy.ts"
import type { DeadLetters } from "./deadLetters.ts"
import { describe, type Failure, policyOf } from "./failure.ts"
import type { Hub, WorkLane } from "./hub.ts"
import type { PartitionWork } from "./partitionWork.ts"
import type { Entry, NextDelay, WorkItem } from "./workItem.ts"

export interface Recovery {
  /**
   * The lane's first item failed with these of its entries: retries all of it later, or ends these by the policy and
   * goes on with the rest. The worker is free at once; the lane waits as long as it must.
   */
  readonly failed: (lane: WorkLane, entries: ReadonlyArray<Entry>, failure: Failure) => Effect.Effect<void>
  /** The same for what no attempt can heal. */
  readonly hopeless: (lane: WorkLane, entries: ReadonlyArray<Entry>, failure: Failure) => Effect.Effect<void>
}

/** Dead letters of one batch that are on their way at the same time. */
const lettersAtOnce = 64
const longestBackoffMs = 30_000

export const make = (hub: Hub, deadLetters: DeadLetters): Recovery => {
  const failed: Recovery["failed"] = (lane, entries, failure) =>
    Effect.suspend(() => {
      const item = lane.items.first!
      lane.group.owner.stats.totals.failures += entries.length
      const decision = decide(policyOf(hub.definition, failure), {
        attempt: item.attempts,
        retryBackoffMs: hub.settings.retryBackoffMs,
        random: hub.random.nextDoubleUnsafe()
      })
      switch (decision._tag) {
        case "Final":
          return end(lane, entries, failure, decision.action)
        case "Retry":
          return retry(lane, entries, failure, decision.delayMs)
        case "Scheduled":
          return Effect.flatMap(scheduled(item, decision.schedule, failure), (delayMs) =>
            delayMs === undefined
              ? end(lane, entries, failure, policyOf(hub.definition, failure).finally)
              : retry(lane, entries, failure, delayMs))
      }
    })

  const hopeless: Recovery["hopeless"] = (lane, entries, failure) =>
    Effect.suspend(() => {
      lane.group.owner.stats.totals.failures += entries.length
      return end(lane, entries, failure, policyOf(hub.definition, failure).finally)
    })

  const retry = (lane: WorkLane, entries: ReadonlyArray<Entry>, failure: Failure, delayMs: number) =>
    Effect.suspend(() => {
      const item = lane.items.first!
      const work = lane.group.owner
      work.stats.totals.retries += entries.length
      item.release()
      const parking = hub.lanes.park(lane)
      work.fork(Effect.map(Effect.sleep(delayMs), () => {
        if (hub.lanes.unpark(lane, parking)) hub.wakeWorkers()
      }))
      return Effect.logInfo(
        `attempt ${item.attempts} failed, the next one is in ${Math.round(delayMs)} ms: ${describe(failure)}`
      ).pipe(Effect.annotateLogs(placeOf(entries[0]!)))
    })

  const end = (
    lane: WorkLane,
    entries: ReadonlyArray<Entry>,
    failure: Failure,
    action: FinalAction
  ): Effect.Effect<void> =>
    Effect.suspend(() => {
      const item = lane.items.first!
      const { attempts } = item
      const work = lane.group.owner
      switch (action) {
        case "skip": {
          work.stats.totals.skipped += entries.length
          item.releaseOthers(new Set(entries))
          hub.settle(work, item, entries)
          hub.proceed(lane)
          return Effect.forEach(
            entries,
            (entry) =>
              Effect.logWarning(`skipped after attempt ${attempts}: ${describe(failure)}`).pipe(
                Effect.annotateLogs(placeOf(entry))
              ),
            { discard: true }
          )
        }
        case "halt": {
          item.release()
          // For good: nothing behind it may overtake it.
          hub.lanes.park(lane)
          return Effect.andThen(
            Effect.logError(`halting after attempt ${attempts}: ${describe(failure)}`).pipe(
              Effect.annotateLogs(placeOf(entries[0]!))
            ),
            hub.halt(entries[0]!, attempts, failure.error)
          )
        }
        case "dead-letter": {
          item.releaseOthers(new Set(entries))
          const parking = hub.lanes.park(lane)
          work.fork(Effect.map(
            Effect.forEach(entries, (entry) => bury(work, item, entry, failure, attempts), {
              concurrency: lettersAtOnce,
              discard: true
            }),
            () => {
              if (item.size === 0 && lane.items.first === item) lane.items.shift()
              if (hub.lanes.unpark(lane, parking)) hub.wakeWorkers()
            }
          ))
          return Effect.void
        }
      }
    })

  /** Until the dead letter is acknowledged, or the partition is given up: then its next owner sees to the record. */
  const bury = Effect.fnUntraced(function*(
    work: PartitionWork,
    item: WorkItem,
    entry: Entry,
    failure: Failure,
    attempts: number
  ) {
    const record = entry.batch.records[entry.index]!
    const topic = deadLetters.topicOf(record.topic)
    for (
      let backoffMs = Math.max(1, hub.settings.retryBackoffMs);;
      backoffMs = Math.min(longestBackoffMs, backoffMs * 2)
    ) {
      const sent = yield* Effect.exit(deadLetters.send(record, failure, attempts))
      if (sent._tag === "Success") break
      item.handle.release(entry.batch, 1)
      const delayMs = backoffMs * (0.8 + 0.4 * hub.random.nextDoubleUnsafe())
      yield* Effect.logWarning(
        `no dead letter in ${topic} yet, the next attempt is in ${Math.round(delayMs)} ms; its partition waits`,
        sent.cause
      ).pipe(Effect.annotateLogs(placeOf(entry)))
      yield* Effect.sleep(delayMs)
      while (!item.handle.begin(entry.batch, 1)) {
        if (!(yield* item.handle.gate(entry.batch))) return
      }
    }
    work.stats.totals.deadLetters++
    hub.settle(work, item, [entry])
    yield* Effect.logWarning(`dead letter in ${topic} after attempt ${attempts}: ${describe(failure)}`).pipe(
      Effect.annotateLogs(placeOf(entry))
    )
  })

  return { failed, hopeless }
}

/** The next delay of a policy's own schedule; `undefined` at its end. */
const scheduled = (
  item: WorkItem,
  schedule: Schedule.Schedule<unknown, unknown>,
  { error }: Failure
): Effect.Effect<number | undefined> =>
  item.nextDelay !== undefined
    ? item.nextDelay(error)
    : Effect.flatMap(Schedule.toStep(schedule), (step) => {
      const next: NextDelay = (input) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => step(now, input)).pipe(
          Effect.map(([, delay]): number | undefined => Duration.toMillis(delay)),
          Pull.catchDone(() => Effect.undefined)
        )
      item.nextDelay = next
      return next(error)
    })

const placeOf = ({ batch, index }: Entry): Record<string, string | number> => ({
  topic: batch.topic,
  partition: batch.partition,
  offset: String(batch.fetched.offset(batch.from + index))
})
