/**
 * The facts that alerts are judged by, from what this process measures itself: for a service without a database.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  AlertFacts,
  type Facts,
  type LagThresholds,
  memberGoneAfterMs,
  outcomesWindowMs,
  type ServiceFacts,
  troubleWindowMs
} from "./AlertFacts.ts"
import { type MemberMetrics, MetricsSink, type Measurements, type ProcessingMetrics } from "./MetricsSink.ts"
import { PartitionWindows } from "./PartitionWindows.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** By service; others have `AlertFacts.defaultThresholds`. */
  readonly thresholds?: Readonly<Record<string, LagThresholds>> | undefined
  /** The time without progress after which a partition is stuck. Default 5 minutes, as `max_poll_interval_ms`. */
  readonly maxPollIntervalMs?: number | undefined
}

const sum = <A>(all: ReadonlyArray<A>, value: (one: A) => number): number =>
  all.reduce((total, one) => total + value(one), 0)

const since = <A extends { readonly timestamp: number }>(all: ReadonlyArray<A>, from: number): ReadonlyArray<A> =>
  all.filter(({ timestamp }) => timestamp > from)

/**
 * What was measured in the last minutes, and the facts that follow from it. A service that was seen once is remembered:
 * that nobody reports any more is a fact, too.
 *
 * @category models
 * @since 0.1.0
 */
export class Measured {
  private readonly windows = new PartitionWindows()
  private readonly memberSeenAt = new Map<string, number>()
  private readonly options: Options
  private metrics: ReadonlyArray<ProcessingMetrics> = []
  private members: ReadonlyArray<MemberMetrics> = []

  constructor(options: Options = {}) {
    this.options = options
  }

  add({ lag, members, metrics }: Measurements): void {
    for (const sample of lag) this.windows.add(sample)
    this.metrics = [...this.metrics, ...metrics]
    this.members = [...this.members, ...members]
    for (const { service, timestamp } of members) {
      this.memberSeenAt.set(service, Math.max(timestamp, this.memberSeenAt.get(service) ?? 0))
    }
  }

  facts(now: number): Facts {
    this.metrics = since(this.metrics, now - outcomesWindowMs)
    this.members = since(this.members, now - troubleWindowMs)
    const inFlight = new Map(this.members.map((one) => [`${one.service}\n${one.member}`, one.oldestInFlightMs]))
    return {
      partitions: this.windows.facts(now, (service, member) => inFlight.get(`${service}\n${member}`) ?? 0),
      services: [...this.memberSeenAt].map(([service, seenAt]) => this.serviceFacts(service, seenAt, now)),
      thresholds: new Map(Object.entries(this.options.thresholds ?? {}))
    }
  }

  private serviceFacts(service: string, memberSeenAt: number, now: number): ServiceFacts {
    const metrics = this.metrics.filter((one) => one.service === service)
    const byMember = Map.groupBy(this.members.filter((one) => one.service === service), ({ member }) => member)
    const members = [...byMember.values()]
    return {
      service,
      at: now,
      processed: sum(metrics, ({ messagesProcessed }) => messagesProcessed),
      failures: sum(metrics, ({ failures }) => failures),
      deadLetters: sum(metrics, ({ deadLetters }) => deadLetters),
      crashes: sum(members.flat(), ({ crashes }) => crashes),
      commitFailures: sum(members.flat(), ({ commitFailures }) => commitFailures),
      rebalances: Math.max(0, ...members.map((one) => sum(one, ({ rebalances }) => rebalances))),
      members: members.filter((one) => since(one, now - memberGoneAfterMs).length > 0).length,
      memberSeenAt,
      hasLeft: false,
      maxPollIntervalMs: this.options.maxPollIntervalMs ?? 300_000
    }
  }
}

/**
 * Remembers what is written to the sink below, and passes it on. For a process whose pipelines run as long as it does: one
 * that is stopped while the process goes on counts as gone.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<AlertFacts | MetricsSink, never, MetricsSink> =>
  Layer.effectContext(Effect.gen(function*() {
    const sink = yield* MetricsSink
    const measured = new Measured(options)
    return Context.make(MetricsSink, {
      write: (measurements) =>
        Effect.andThen(
          Effect.sync(() => measured.add(measurements)),
          sink.write(measurements)
        )
    }).pipe(Context.add(AlertFacts, { look: Effect.map(Clock.currentTimeMillis, (now) => measured.facts(now)) }))
  }))
