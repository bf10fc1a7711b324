/**
 * The hot path: a worker processes records one after the other, in one fiber and without a fork, a span or a catch for
 * each. Where one fails the run ends, and another begins.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { decodeRecord, Hopeless, skip } from "./decodeRecord.ts"
import { ofCause } from "./failure.ts"
import type { Hub, WorkLane } from "./hub.ts"
import type { Recovery } from "./recovery.ts"
import type { RunSpan, Spans } from "./spans.ts"
import type { TopicStats } from "./topicStats.ts"
import type { Entry, RecordItem } from "./workItem.ts"

/** A worker's next records, all of one topic. */
class RecordRun {
  private readonly hub: Hub
  private readonly spans: Spans
  private readonly stats: TopicStats
  private readonly begin: bigint
  private lane: WorkLane | undefined
  private item: RecordItem | undefined = undefined
  /** How many records it may still take on. */
  private left: number
  private now: number
  private records = 0
  /** Records that took less than a millisecond, which the clock is too coarse for; they share what remains. */
  private fast = 0
  private slowMs = 0
  /** The record cannot be processed at all. */
  private isHopeless = false
  span: RunSpan | undefined = undefined
  /** Taken, but of another topic: the next run begins with it. */
  next: WorkLane | undefined = undefined

  constructor(hub: Hub, spans: Spans, lane: WorkLane) {
    this.hub = hub
    this.spans = spans
    this.lane = lane
    this.stats = lane.group.owner.stats
    this.left = hub.settings.maxPollRecords
    this.now = hub.clock.currentTimeMillisUnsafe()
    this.begin = hub.clock.monotonicTimeNanosUnsafe()
  }

  /** When the first attempt of the record at work began. */
  get startedAt(): number | undefined {
    return this.item?.startedAt
  }

  /** The record at work. */
  readonly current = (): ReadonlyArray<Entry> => this.item?.current() ?? []

  readonly advance = (): boolean => {
    while (true) {
      if (this.lane === undefined) {
        const lane = this.left > 0 ? this.hub.nextLane() : undefined
        if (lane === undefined) return false
        if (lane.group.owner.stats !== this.stats) {
          this.next = lane
          return false
        }
        this.lane = lane
      }
      const item = this.lane.items.first as RecordItem
      if (item.begin()) {
        this.item = item
        return true
      }
      this.hub.cannotBegin(this.lane)
      this.lane = undefined
    }
  }

  readonly attempt = (): Effect.Effect<unknown, unknown, unknown> => {
    const { definition } = this.hub
    const item = this.item!
    if (++item.attempts === 1) item.startedAt = this.now
    const record = item.batch.records[item.next]!
    this.span?.add(record)
    const decoded = decodeRecord(definition, record, item.attempts)
    if (decoded instanceof Hopeless) return this.hopeless(decoded.error)
    if (decoded === skip) {
      this.stats.totals.skipped++
      return Effect.void
    }
    const processing = definition.process!(decoded)
    return this.spans.ofRecord === undefined ? processing : this.spans.ofRecord(processing, record)
  }

  readonly settle = (): void => {
    const { lanes } = this.hub
    const item = this.item!
    const lane = this.lane!
    this.now = this.hub.clock.currentTimeMillisUnsafe()
    const durationMs = this.now - item.startedAt
    if (item.batch.settle(item.next)) {
      lane.group.owner.count.records++
      if (durationMs < 1) this.fast++
      else {
        this.slowMs += durationMs
        this.stats.settled(1, durationMs)
      }
    }
    this.records++
    this.left--
    item.advance()
    if (item.next === item.end) {
      lanes.finish(lane)
      this.lane = undefined
      // Whoever still knows this run keeps none of its records alive.
      this.item = undefined
    }
    lanes.settled(lane.group, 1)
  }

  /** The run is over: its records are counted. */
  end(): void {
    this.hub.running.delete(this)
    if (this.records === 0) return
    const elapsedMs = Number(this.hub.clock.monotonicTimeNanosUnsafe() - this.begin) / 1e6
    if (this.fast > 0) {
      this.stats.settled(this.fast, Math.min(1, Math.max(0, elapsedMs - this.slowMs) / this.fast))
    }
    this.hub.told(this.stats, this.records, elapsedMs)
  }

  /** The record that was attempted failed. */
  failed(cause: Cause.Cause<unknown>, recovery: Recovery): Effect.Effect<void> {
    const { item, lane } = this
    this.end()
    // Not a record's failure but our own: the pipeline must not go on as if nothing had happened.
    if (item === undefined || lane === undefined) return Effect.failCause(cause as Cause.Cause<never>)
    const failure = ofCause(cause)
    return this.isHopeless
      ? recovery.hopeless(lane, item.current(), failure)
      : recovery.failed(lane, item.current(), failure)
  }

  private hopeless(error: unknown): Effect.Effect<never, unknown> {
    this.isHopeless = true
    return Effect.fail(error)
  }
}

/** Processes the lane's records, then those of the next lanes; answers a lane that the next run must begin with. */
export const runRecords = (
  hub: Hub,
  spans: Spans,
  recovery: Recovery
) =>
(lane: WorkLane): Effect.Effect<WorkLane | undefined, never, unknown> =>
  Effect.withFiber((fiber) => {
    const run = new RecordRun(hub, spans, lane)
    hub.running.set(run, fiber)
    const loop = Effect.whileLoop({ while: run.advance, body: run.attempt, step: run.settle })
    return Effect.matchCauseEffect(
      spans.ofRun(lane.group.owner.stats.topic, undefined, (span) => {
        run.span = span
        return loop
      }),
      {
        onSuccess: () =>
          Effect.sync(() => {
            run.end()
            return run.next
          }),
        onFailure: (cause) => Effect.as(run.failed(cause, recovery), run.next)
      }
    )
  })
