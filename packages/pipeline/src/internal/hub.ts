/**
 * What a running pipeline holds and who is told what: partitions at work, lanes, counts. Synchronous: called by the
 * fibers that take records in and by the workers.
 */
import type { ConsumerConfig } from "@weft/config/ConsumerConfig"
import type * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"
import type * as Random from "effect/Random"
import type { SchedulerDispatcher } from "effect/Scheduler"
import { HaltedError, type PipelineError } from "../PipelineError.ts"
import type { Definition, Order } from "../PipelineOptions.ts"
import { ofTopic } from "./instruments.ts"
import { KeyLanes, type Lane } from "./keyLanes.ts"
import type { Lanes, PartitionWork } from "./partitionWork.ts"
import * as ProcessingTimes from "./processingTimes.ts"
import { type Counts, TopicStats } from "./topicStats.ts"
import type { Wake } from "./wake.ts"
import { type BatchItem, countByBatch, type Entry, type WorkItem } from "./workItem.ts"

export type WorkLane = Lane<WorkItem, PartitionWork>

/** Something at work, when its first attempt began, and what it is about. */
export interface Running {
  readonly startedAt: number | undefined
  readonly current: () => ReadonlyArray<Entry>
}

/** What a configuration says of the processing, beside what it says of the consumer. */
export type WorkSettings = Pick<ConsumerConfig, "processingOrder" | "concurrency" | "maxInFlight">

/** What holds whatever the configuration says. */
export interface Tuning {
  readonly concurrency?: number | undefined
  readonly maxInFlight?: number | undefined
}

const defaultConcurrency = 16
/** Records of other keys to choose from, for each worker. */
const inFlightPerWorker = 16

export class Hub {
  readonly definition: Definition<unknown>
  readonly service: string
  readonly lanes: Lanes
  readonly clock: Clock.Clock
  readonly random: Random.Random
  readonly dispatcher: SchedulerDispatcher
  /** For metrics that are updated without a fiber. */
  readonly context: Context.Context<never>
  readonly partitions = new Set<PartitionWork>()
  readonly stats = new Map<string, TopicStats>()
  readonly fatal: Deferred.Deferred<never, PipelineError>
  /** Starts a worker; set by the pool. */
  startWorker: () => void = () => undefined
  readonly idle: Array<Wake> = []
  /** What workers are busy with. */
  readonly running = new Map<Running, Fiber<unknown, unknown>>()
  workers = 0
  /** Workers that were started or woken and have not looked for a lane yet: those in line are theirs. */
  private coming = 0
  settings: ConsumerSettings.ConsumerSettings
  private work: WorkSettings
  private tuning: Tuning = {}

  constructor(options: {
    readonly definition: Definition<unknown>
    readonly settings: ConsumerSettings.ConsumerSettings
    readonly work: WorkSettings
    readonly clock: Clock.Clock
    readonly random: Random.Random
    readonly dispatcher: SchedulerDispatcher
    readonly context: Context.Context<never>
    readonly fatal: Deferred.Deferred<never, PipelineError>
  }) {
    const { definition } = options
    this.definition = definition
    this.service = definition.service
    this.settings = options.settings
    this.work = options.work
    this.clock = options.clock
    this.random = options.random
    this.dispatcher = options.dispatcher
    this.context = options.context
    this.fatal = options.fatal
    this.lanes = new KeyLanes<WorkItem, PartitionWork>({
      maxInFlight: () => this.maxInFlight,
      groupMax: () => this.groupMax,
      onRoom: (group) => group.owner.room.signal()
    })
  }

  /** Batches have many keys: where those wait for each other, batches do. */
  get order(): Order {
    const { processingOrder } = this.work
    return this.isBatched && processingOrder === "key" ? "partition" : processingOrder
  }

  /** How many workers there are at most. */
  get concurrency(): number {
    const concurrency = this.tuning.concurrency ?? this.work.concurrency
    return concurrency > 0 ? concurrency : this.order === "partition" ? Infinity : defaultConcurrency
  }

  get batchSize(): number {
    return this.definition.batch?.size ?? this.settings.maxPollRecords
  }

  get isBatched(): boolean {
    return this.definition.processBatch !== undefined
  }

  get isMeasured(): boolean {
    return this.definition.metrics !== "none"
  }

  /** The most records that were taken in and are not settled. */
  get maxInFlight(): number {
    const maxInFlight = this.tuning.maxInFlight ?? this.work.maxInFlight
    if (maxInFlight > 0) return maxInFlight
    return this.order === "partition" || this.isBatched ? Infinity : inFlightPerWorker * this.concurrency
  }

  /** The same for one partition: the batch at work, and the next one. */
  private get groupMax(): number {
    if (this.isBatched) return (this.order === "none" ? this.concurrency + 1 : 2) * this.batchSize
    return this.order === "partition" ? 2 * this.settings.maxPollRecords : Infinity
  }

  apply(settings: ConsumerSettings.ConsumerSettings, work: WorkSettings): void {
    this.settings = settings
    this.work = work
    this.reconsider()
  }

  tune(tuning: Tuning): void {
    this.tuning = { ...this.tuning, ...tuning }
    this.reconsider()
  }

  private reconsider(): void {
    this.lanes.reconsider()
    this.wakeWorkers()
    // Workers that are one too many end when they wake.
    for (const worker of this.idle.splice(0)) this.wake(worker)
  }

  statsOf(topic: string): TopicStats {
    const known = this.stats.get(topic)
    if (known !== undefined) return known
    const { groupId } = this.settings
    const stats = new TopicStats(
      topic,
      ofTopic(topic, groupId),
      this.isMeasured ? ProcessingTimes.ofTopic(topic, groupId, this.context) : undefined
    )
    this.stats.set(topic, stats)
    return stats
  }

  /** More workers than there may be: some must end. */
  get hasTooManyWorkers(): boolean {
    return this.workers > this.concurrency
  }

  /** When the first attempt of the oldest that is at work, or waits for its next attempt, began. */
  get oldestStart(): number | undefined {
    let oldest: number | undefined
    const look = (startedAt: number | undefined) => {
      if (startedAt !== undefined && (oldest === undefined || startedAt < oldest)) oldest = startedAt
    }
    for (const run of this.running.keys()) look(run.startedAt)
    for (const { group } of this.partitions) for (const lane of group.parked) look(lane.items.first?.startedAt)
    return oldest
  }

  /** Who works on a record now. */
  readonly workerOf = (record: PartitionOffset): Fiber<unknown, unknown> | undefined => {
    for (const [run, fiber] of this.running) {
      const works = run.current().some(({ batch, index }) =>
        batch.topic === record.topic && batch.partition === record.partition &&
        batch.fetched.offset(batch.from + index) === record.offset
      )
      if (works) return fiber
    }
    return undefined
  }

  /** The next lane for a worker; none for one that is too many. */
  nextLane(): WorkLane | undefined {
    return this.hasTooManyWorkers ? undefined : this.lanes.next()
  }

  /** A worker for each lane in line, as far as there are any. */
  wakeWorkers(): void {
    for (let lanes = this.lanes.ready - this.coming; lanes > 0; lanes--) {
      const worker = this.idle.pop()
      if (worker !== undefined) this.wake(worker)
      else if (this.workers < this.concurrency) {
        this.workers++
        this.coming++
        this.startWorker()
      } else return
    }
  }

  private wake(worker: Wake): void {
    this.coming++
    worker.signal()
  }

  /** A worker that was started or woken looks for a lane now. */
  came(): void {
    this.coming--
  }

  /** Nothing of the lane's first item can be begun: forget what is nobody's any more, or wait for the drain's end. */
  cannotBegin(lane: WorkLane): void {
    const item = lane.items.first!
    const work = lane.group.owner
    const before = item.size
    const live = item.prune()
    this.lanes.settled(lane.group, live ? before - item.size : before)
    if (!live) return this.lanes.finish(lane)
    this.lanes.requeue(lane)
    if (work.watched) return
    work.watched = true
    this.lanes.suspend(work.group)
    work.fork(Effect.map(work.handle.gate(item.current()[0]!.batch), () => {
      work.watched = false
      work.prune()
      this.lanes.resume(work.group)
      this.wakeWorkers()
    }))
  }

  /** Entries of an item are done for good. */
  settle(work: PartitionWork, item: WorkItem, entries: ReadonlyArray<Entry>): void {
    const durationMs = this.clock.currentTimeMillisUnsafe() - item.startedAt
    let settled = 0
    for (const [batch, records] of countByBatch(entries)) {
      if (records === batch.size) {
        if (batch.settleAll()) settled += records
      } else {
        for (const entry of entries) if (entry.batch === batch && batch.settle(entry.index)) settled++
      }
    }
    for (const entry of entries) item.remove(entry)
    work.settled(settled, durationMs)
    this.lanes.settled(work.group, entries.length)
  }

  /** All that is left of an item is done for good. */
  settleAll(work: PartitionWork, item: BatchItem): void {
    const { size, whole } = item
    if (whole === undefined) return this.settle(work, item, item.current())
    const durationMs = this.clock.currentTimeMillisUnsafe() - item.startedAt
    let settled = 0
    for (const { batch, from, to } of whole) {
      if (to - from === batch.size) {
        if (batch.settleAll()) settled += to - from
      } else {
        for (let index = from; index < to; index++) if (batch.settle(index)) settled++
      }
    }
    item.clear()
    work.settled(settled, durationMs)
    this.lanes.settled(work.group, size)
  }

  /** Goes on with the lane after what was first in its item is done. */
  proceed(lane: WorkLane): void {
    if (lane.items.first?.size === 0) this.lanes.finish(lane)
    else this.lanes.requeue(lane)
  }

  halt(entry: Entry, attempts: number, cause: unknown): Effect.Effect<void> {
    const { batch, index } = entry
    return Effect.asVoid(Deferred.fail(
      this.fatal,
      new HaltedError({
        service: this.service,
        topic: batch.topic,
        partition: batch.partition,
        offset: batch.fetched.offset(batch.from + index),
        attempts,
        cause
      })
    ))
  }

  /** A worker processed records of a topic: one operation, in the words of OpenTelemetry. */
  told(stats: TopicStats, records: number, durationMs: number): void {
    if (!this.isMeasured) return
    stats.instruments.consumed.updateUnsafe(records, this.context)
    stats.instruments.duration.updateUnsafe(durationMs / 1_000, this.context)
  }

  get totals(): Counts & { readonly inFlight: number } {
    const sum = { processed: 0, bytes: 0, retries: 0, failures: 0, skipped: 0, deadLetters: 0 }
    for (const { totals } of this.stats.values()) {
      for (const name of Object.keys(sum) as Array<keyof Counts>) sum[name] += totals[name]
    }
    return { ...sum, inFlight: this.lanes.total }
  }
}
