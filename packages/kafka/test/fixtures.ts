/** A consumer on a cluster in memory, under virtual time. */
import { assert } from "@effect/vitest"
import { MemoryCluster } from "@weft/testing"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Codec from "../src/Codec.ts"
import * as Consumer from "../src/Consumer.ts"
import type { ConsumerEvent } from "../src/ConsumerEvent.ts"
import * as ConsumerSettings from "../src/ConsumerSettings.ts"
import * as Subscription from "../src/Subscription.ts"

export const codecs = { key: Codec.string, value: Codec.string }

export const settings = (overrides: Partial<ConsumerSettings.ConsumerSettings> = {}) =>
  ConsumerSettings.make({ groupId: "group", heartbeatIntervalMs: 3_000, fetchMaxWaitMs: 100, ...overrides })

export const numbered = (count: number, partitions: number) =>
  Array.from({ length: count }, (_, i) => ({ partition: i % partitions, key: `k${i % 7}`, value: String(i) }))

export const valueOf = <V>(record: Consumer.CommittableRecord<unknown, V>): V =>
  record.value._tag === "Success" ? record.value.success as V : assert.fail("not decoded")

/** A cluster of its own for each test, with a topic of records. */
export const withCluster = <A, E, R>(
  options: {
    readonly partitions?: number
    readonly records?: number
    readonly cluster?: MemoryCluster.Options
  },
  test: (cluster: MemoryCluster.MemoryCluster["Service"]) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const cluster = yield* MemoryCluster.MemoryCluster
    const partitions = options.partitions ?? 1
    yield* cluster.createTopic("in", { partitions })
    yield* cluster.append("in", numbered(options.records ?? 0, partitions))
    return yield* test(cluster)
  }).pipe(Effect.provide(MemoryCluster.layerWith(options.cluster ?? {})), Effect.scoped)

export const committedOf = (cluster: MemoryCluster.MemoryCluster["Service"], group = "group") =>
  Effect.map(
    cluster.committed(group),
    (offsets) => Object.fromEntries(offsets.map(({ offset, partition }) => [partition, Number(offset)]))
  )

/** Moves the clock in small steps, so that what happens in between happens in its order. */
export const advance = (ms: number, step = 50) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms; at += step) yield* TestClock.adjust(step)
  })

export const untilDone = <A, E>(fiber: Fiber.Fiber<A, E>, ms = 120_000) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms; at += 50) {
      if (fiber.pollUnsafe() !== undefined) break
      yield* TestClock.adjust(50)
    }
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return assert.fail("it did not end")
    return yield* exit
  })

export const member = (
  overrides: Partial<ConsumerSettings.ConsumerSettings> = {},
  subscription = Subscription.topics("in")
) => Consumer.make({ subscription, settings: settings(overrides) })

export const collectEvents = (consumer: Consumer.Consumer["Service"]) =>
  Effect.gen(function*() {
    const events = yield* Ref.make<ReadonlyArray<ConsumerEvent>>([])
    yield* Effect.forkChild(Stream.runForEach(consumer.events, (event) => Ref.update(events, (all) => [...all, event])))
    yield* Effect.yieldNow
    return events
  })
