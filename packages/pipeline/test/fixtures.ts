/** A cluster of its own for each test, handlers of uneven latency, and what was seen. */
import { assert } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import type { Columns, ConfigRows } from "@weft/config/ConfigRows"
import * as Codec from "@weft/kafka/Codec"
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import type { Transport } from "@weft/kafka/Transport"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import type { PipelineRecord } from "../src/PipelineRecord.ts"

export type Cluster = MemoryCluster.MemoryCluster["Service"]

/** Fast enough for tests that move the clock by hand. */
export const overrides: Partial<ConsumerSettings> = {
  groupId: "group",
  heartbeatIntervalMs: 1_000,
  fetchMaxWaitMs: 50
}

export const common = {
  service: "s",
  topics: ["in"],
  key: Codec.string,
  value: Codec.string,
  overrides
} as const

export interface Seen {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly attempt: number
  readonly member: string
}

/** What handlers did, in the order in which they ended. */
export class Log {
  readonly begun: Array<Seen> = []
  readonly done: Array<Seen> = []
  running = 0
  runningMax = 0

  private readonly seen = (record: PipelineRecord<string, unknown>, member: string): Seen => ({
    partition: record.partition,
    offset: Number(record.offset),
    key: record.key,
    attempt: record.attempt,
    member
  })

  /** A handler that takes as long as `latency` says and then does `then`. */
  readonly handler = <E>(
    latency: (record: PipelineRecord<string, unknown>) => number,
    then: (record: PipelineRecord<string, unknown>) => Effect.Effect<unknown, E> = () => Effect.void,
    member = "m"
  ) =>
  (record: PipelineRecord<string, unknown>): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      this.begun.push(this.seen(record, member))
      this.running++
      this.runningMax = Math.max(this.runningMax, this.running)
      return Effect.sleep(latency(record)).pipe(
        Effect.andThen(Effect.suspend(() => then(record))),
        Effect.map(() => {
          this.done.push(this.seen(record, member))
        }),
        Effect.ensuring(Effect.sync(() => {
          this.running--
        }))
      )
    })

  offsetsOf(partition: number): ReadonlyArray<number> {
    return this.done.filter((seen) => seen.partition === partition).map(({ offset }) => offset)
  }
}

/** Uneven: by far the most are quick, some take long. Depends on the record alone. */
export const uneven = (record: { readonly partition: number; readonly offset: bigint }): number => {
  const mixed = (Number(record.offset) * 7919 + record.partition * 104729) % 97
  return mixed % 11 === 0 ? 300 + mixed : mixed % 3 === 0 ? mixed : 1
}

export const numbered = (count: number, partitions: number, keys = 7) =>
  Array.from({ length: count }, (_, i) => ({ partition: i % partitions, key: `k${i % keys}`, value: String(i) }))

export const withCluster = <A, E>(
  options: {
    readonly partitions?: number
    readonly records?: number
    readonly keys?: number
    readonly row?: Columns
    readonly sink?: Layer.Layer<MetricsSink.MetricsSink>
  },
  test: (
    cluster: Cluster
  ) => Effect.Effect<
    A,
    E,
    | Transport
    | MemoryCluster.MemoryCluster
    | MetricsSink.MetricsSink
    | ConfigStore.ConfigStore
    | Scope.Scope
    | ConfigRows
  >
) =>
  Effect.gen(function*() {
    const cluster = yield* MemoryCluster.MemoryCluster
    const partitions = options.partitions ?? 1
    yield* cluster.createTopic("in", { partitions })
    yield* cluster.append("in", numbered(options.records ?? 0, partitions, options.keys))
    return yield* test(cluster)
  }).pipe(
    Effect.scoped,
    Effect.provide([
      MemoryCluster.layer,
      ConfigStore.layerMemory(options.row === undefined ? {} : { s: options.row }),
      options.sink ?? MetricsSink.layerNone
    ])
  )

/** Moves the clock in small steps, so that what happens in between happens in its order. */
export const advance = (ms: number, step = 10) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms; at += step) yield* TestClock.adjust(step)
  })

export const until = (done: () => boolean, what: string, ms = 120_000, step = 10) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms && !done(); at += step) yield* TestClock.adjust(step)
    if (!done()) assert.fail(`not within ${ms} ms: ${what}`)
  })

export const committedOf = (cluster: Cluster, group = "group") =>
  Effect.map(
    cluster.committed(group),
    (offsets): Record<string, number> =>
      Object.fromEntries(
        offsets.flatMap(({ offset, partition, topic }) => topic === "in" ? [[partition, Number(offset)]] : [])
      )
  )

/** A pipeline in a scope of its own, which `stop` closes while the clock moves on. */
export const start = <R>(pipeline: Pipeline.Pipeline<R>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const running = yield* Effect.provideService(Pipeline.startWithin(pipeline), Scope.Scope, scope)
    const stop = Effect.gen(function*() {
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(() => closing.pollUnsafe() !== undefined, "it has stopped", 600_000, 50)
    })
    return { running, stop }
  })

export const dlqOf = (cluster: Cluster, topic = "in.dlq") => Effect.orDie(cluster.records(topic))
