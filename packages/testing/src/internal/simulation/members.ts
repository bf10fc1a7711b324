/** Who works in a simulation: bare consumers with streams, or pipelines. Both tell what they did. */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as Consumer from "@weft/kafka/Consumer"
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Subscription from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import { BatchRecordError } from "@weft/pipeline/BatchRecordError"
import * as FailurePolicy from "@weft/pipeline/FailurePolicy"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import type { PipelineRecord } from "@weft/pipeline/PipelineRecord"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Processing } from "../../Invariants.ts"
import { between } from "./draws.ts"

/** An attempt, or the end, of a record. */
export interface Attempt extends Processing {
  readonly key: string | undefined
}

export interface Member {
  readonly name: string
  readonly consumer: Consumer.Consumer["Service"]
  readonly scope: Scope.Closeable
  /** Records taken in and not settled, and how many there may be. */
  readonly held: Effect.Effect<{ readonly records: number; readonly atMost: number }>
  /** Changes how much it does at the same time. */
  readonly tune: (concurrency: number) => Effect.Effect<void>
}

export interface Crew {
  /** In words, for the story. */
  readonly description: string
  /** Which records wait for each other. */
  readonly order: "partition" | "key" | "none"
  readonly start: (
    name: string,
    settings: ConsumerSettings,
    rejoinTurn: Effect.Effect<void, never, Scope.Scope>
  ) => Effect.Effect<Member, never, Transport>
}

interface CrewOptions {
  readonly topic: string
  /** The longest that a record takes, in milliseconds. */
  readonly slowest: number
  /** Some take longer than `max_poll_interval_ms`. */
  readonly getStuck: boolean
  readonly report: (attempt: Attempt) => void
}

/** Uneven latency: even one hides what a position committed too early would lose. */
const takeTime = Effect.fnUntraced(function*({ getStuck, slowest }: CrewOptions) {
  const isStuck = getStuck && (yield* between(0, stuckEvery)) === 0
  yield* Effect.sleep(isStuck ? stuckMs : yield* between(0, slowest))
})

const stuckEvery = 500
const stuckMs = 100_000

/** Consumers whose records are processed in a stream. */
export const streams = Effect.fnUntraced(function*(options: CrewOptions): Effect.fn.Return<Crew> {
  const { report, topic } = options
  const reading = yield* Random.choice(["merged", "partitions", "unordered"] as const)

  const process = (member: string) => ({ offset: permission, record }: Consumer.CommittableRecord<unknown, unknown>) =>
    Effect.gen(function*() {
      const { offset, partition } = record
      const startedAt = yield* Clock.currentTimeMillis
      yield* takeTime(options)
      const endedAt = yield* Clock.currentTimeMillis
      report({ member, topic, partition, offset, startedAt, endedAt, settled: permission.settle(), key: undefined })
    })

  const read = (name: string, consumer: Consumer.Consumer["Service"]): Stream.Stream<void, KafkaError> =>
    reading === "partitions"
      ? Stream.flatMap(
        consumer.partitionedStream(),
        ([, records]) => Stream.mapEffect(records, process(name)),
        { concurrency: "unbounded" }
      )
      : Stream.mapEffect(
        consumer.stream(),
        process(name),
        reading === "unordered" ? { concurrency: 8, unordered: true } : undefined
      )

  return {
    description: reading,
    order: reading === "unordered" ? "none" : "partition",
    start: Effect.fnUntraced(function*(
      name,
      settings,
      rejoinTurn
    ): Effect.fn.Return<Member, never, Transport> {
      const scope = yield* Scope.make()
      const consumer = yield* Consumer.make({ subscription: Subscription.topics(topic), settings, rejoinTurn }).pipe(
        Scope.provide(scope)
      )
      yield* Effect.forkIn(Effect.ignore(Stream.runDrain(read(name, consumer))), scope)
      return {
        name,
        scope,
        consumer,
        held: Effect.succeed({ records: 0, atMost: 0 }),
        tune: () => Effect.void
      }
    })
  }
})

class Flaky extends Data.TaggedError("Flaky")<{}> {}
class Poison extends Data.TaggedError("Poison")<{}> {}

/** Every so many-th record fails at first, or always. It depends on the record alone, so that all members agree. */
const flakyEvery = 11
const poisonEvery = 37

const failureOf = (record: PipelineRecord<string, string | null>): Flaky | Poison | undefined => {
  const number = Number(record.value)
  if (number % poisonEvery === 1) return new Poison()
  return number % flakyEvery === 1 && record.attempt <= number % 3 ? new Flaky() : undefined
}

/** Pipelines with handlers that fail, and dead letters. */
export const pipelines = Effect.fnUntraced(function*(options: CrewOptions): Effect.fn.Return<Crew> {
  const { report, topic } = options
  const order = yield* Random.choice(["partition", "key", "none"] as const)
  const batch = order !== "key" && (yield* between(0, 3)) === 0 ? yield* between(1, 20) : undefined
  const concurrency = order === "partition" ? undefined : yield* between(1, 12)
  const maxInFlight = order === "partition" || batch !== undefined ? undefined : yield* between(4, 100)
  const attempts = yield* between(1, 4)

  const attempt = (member: string) => (record: PipelineRecord<string, string | null>) =>
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      yield* takeTime(options)
      const failure = failureOf(record)
      const endedAt = failure === undefined ? yield* Clock.currentTimeMillis : undefined
      const { offset, partition } = record
      const key = record.key ?? undefined
      report({ member, topic, partition, offset, key, startedAt, endedAt, settled: endedAt !== undefined })
      if (failure !== undefined) return yield* failure
    })

  const make = (name: string, overrides: ConsumerSettings): Pipeline.Pipeline => {
    const common = {
      service: "simulation",
      topics: [topic],
      key: Codec.string,
      value: Codec.string,
      concurrency,
      maxInFlight,
      onFailure: { Poison: FailurePolicy.retry({ attempts }), Flaky: FailurePolicy.retry() },
      overrides
    }
    if (batch === undefined) return Pipeline.make({ ...common, order, process: attempt(name) })
    return Pipeline.make({
      ...common,
      order: order === "key" ? "partition" : order,
      processBatch: Effect.fnUntraced(function*(records: ReadonlyArray<PipelineRecord<string, string | null>>) {
        for (const [index, record] of records.entries()) {
          yield* Effect.mapError(attempt(name)(record), (cause) => new BatchRecordError({ index, cause }))
        }
      }),
      batch: { size: batch, window: 50 }
    })
  }

  return {
    description: `pipelines, order ${order}` + (batch === undefined ? "" : `, batches of ${batch}`) +
      (concurrency === undefined ? "" : `, concurrency ${concurrency}`) +
      (maxInFlight === undefined ? "" : `, at most ${maxInFlight} in flight`),
    order,
    start: Effect.fnUntraced(function*(name, settings) {
      const scope = yield* Scope.make()
      const running = yield* Pipeline.startWithin(make(name, settings)).pipe(
        Scope.provide(scope),
        Effect.provide([ConfigStore.layerStatic(), MetricsSink.layerNone])
      )
      // Where it was lowered, what was taken before stays.
      let most = concurrency ?? 1
      const perPartition = () =>
        batch === undefined
          ? order === "partition" ? 2 * settings.maxPollRecords : Infinity
          : (order === "none" ? most + 1 : 2) * batch
      return {
        name,
        scope,
        consumer: running.consumer,
        held: Effect.gen(function*() {
          const { inFlight } = yield* running.totals
          const partitions = (yield* running.consumer.snapshot).length
          return { records: inFlight, atMost: Math.min(maxInFlight ?? Infinity, partitions * perPartition()) }
        }),
        tune: (to) => {
          most = Math.max(most, to)
          return order === "partition" ? Effect.void : running.tune({ concurrency: to })
        }
      }
    })
  }
})
