/** Measures once per interval and hands it to the sink, in the background: no record ever waits for it. */
import type { Consumer } from "@weft/kafka/Consumer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { EventLoopDelay } from "../EventLoopDelay.ts"
import type { LagMonitor, PartitionLag } from "../LagMonitor.ts"
import type { LagStatus } from "../LagStatus.ts"
import { MetricsSink } from "../MetricsSink.ts"
import * as BufferedSink from "./bufferedSink.ts"
import type { Exposed } from "./exposed.ts"
import type { Hub } from "./hub.ts"
import type { MemberStats } from "./memberStats.ts"

export interface Measuring {
  /** As last measured. */
  readonly lag: () => ReadonlyArray<PartitionLag>
  /** Measures what is left and writes everything, as far as the sink takes it within a few seconds. */
  readonly finish: Effect.Effect<void>
}

/** Nothing is measured. */
export const none: Measuring = { lag: () => [], finish: Effect.void }

const measureTimeout = Duration.seconds(5)
const mebibyte = 1_048_576

export const make = Effect.fnUntraced(function*(options: {
  readonly hub: Hub
  readonly monitor: LagMonitor
  readonly consumer: Consumer["Service"]
  readonly memberStats: MemberStats
  readonly exposed: Exposed
  /** Who this is, from its start to its end: what it runs with is told by the same name. */
  readonly name: string
  /** From one measurement to the next. */
  readonly pace: Effect.Effect<void>
}): Effect.fn.Return<Measuring, never, MetricsSink | Scope.Scope> {
  const { consumer, exposed, hub, memberStats, monitor } = options
  const eventLoopDelay = yield* (yield* EventLoopDelay)
  const sink = yield* BufferedSink.make(yield* MetricsSink)
  const statuses = new Map<string, LagStatus>()
  let lag: ReadonlyArray<PartitionLag> = []
  const { clock } = hub
  let measuredAt = clock.currentTimeMillisUnsafe()
  let measuredTick = clock.monotonicTimeNanosUnsafe()
  const member = options.name

  const measure = Effect.gen(function*() {
    lag = yield* monitor.sample
    const time = clock.currentTimeMillisUnsafe()
    // A member and a time name a measurement: two of them never have the same.
    const now = time === measuredAt ? time + 1 : time
    // The length of an interval does not depend on a clock that is put right meanwhile.
    const tick = clock.monotonicTimeNanosUnsafe()
    const memory = process.memoryUsage()
    const interval = {
      service: hub.service,
      member,
      now,
      intervalMs: Math.max(1, Math.round(Number(tick - measuredTick) / 1e6)),
      memoryUsageMb: memory.rss / mebibyte
    }
    measuredAt = now
    measuredTick = tick
    const startedAt = hub.oldestStart
    const ofMember = memberStats.measure({
      ...interval,
      group: hub.settings.groupId,
      partitions: yield* consumer.snapshot,
      inFlight: hub.lanes.total,
      oldestInFlightMs: startedAt === undefined ? 0 : Math.max(0, time - startedAt),
      heapUsedMb: memory.heapUsed / mebibyte,
      eventLoopDelayMs: yield* eventLoopDelay
    })
    const measurements = {
      metrics: [...hub.stats.values()].map((stats) => {
        const measured = stats.measure(interval)
        exposed.topic(stats, measured)
        return measured
      }),
      members: [ofMember],
      // By the name of all that this member tells of itself; the group names it anew whenever it joins.
      lag: lag.map(({ sample }) => ({ ...sample, member }))
    }
    exposed.ofMember(ofMember)
    exposed.lag(measurements.lag)
    sink.offer(measurements)
    yield* tellStatuses(lag, statuses)
  })

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(options.pace, measure)))
  return {
    lag: () => lag,
    finish: Effect.andThen(
      Effect.timeoutOption(measure, measureTimeout),
      Effect.suspend(() => {
        exposed.end()
        return sink.flush
      })
    )
  }
})

/** A line when what the lag of a partition means has changed. */
const tellStatuses = (lag: ReadonlyArray<PartitionLag>, statuses: Map<string, LagStatus>): Effect.Effect<void> =>
  Effect.forEach(lag, ({ sample, status }) => {
    const key = `${sample.topic}-${sample.partition}`
    const before = statuses.get(key) ?? "ok"
    statuses.set(key, status)
    if (before === status) return Effect.void
    const line = `lag: ${before} -> ${status}, ${sample.lag} records, ${sample.lagSeconds} s`
    return Effect.annotateLogs(status === "ok" ? Effect.logInfo(line) : Effect.logWarning(line), {
      topic: sample.topic,
      partition: sample.partition
    })
  }, { discard: true })
