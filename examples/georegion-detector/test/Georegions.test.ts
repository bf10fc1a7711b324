import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Producer from "@weft/kafka/Producer"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import { RunningPipeline } from "@weft/pipeline/RunningPipeline"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import type { GeocodedLocation } from "../src/GeocodedLocation.ts"
import { GeoregionDetection } from "../src/GeoregionDetection.ts"
import * as GeoregionDetector from "../src/GeoregionDetector.ts"
import { detected, georegions, locations, service } from "../src/Georegions.ts"

const regions = [
  { id: "city", name: "City", type: "city", latitude: 52.52, longitude: 13.405, radiusMeters: 20_000 },
  { id: "square", name: "Square", type: "square", latitude: 52.5219, longitude: 13.4132, radiusMeters: 400 }
]

const location = (device: string, latitude: number, longitude: number): GeocodedLocation => ({
  trace_id: `trace-${device}`,
  device_id: device,
  timestamp: "2026-03-01T12:00:00Z",
  schema_version: "v1",
  data: { latitude, longitude }
})

const message = (partition: number, value: GeocodedLocation) => ({
  partition,
  key: value.device_id,
  value: JSON.stringify(value)
})

/** What the sink was given. */
class Written extends Context.Service<Written, Array<MetricsSink.Measurements>>()("test/Written") {}

const sink = Layer.effect(
  MetricsSink.MetricsSink,
  Effect.map(Written, (written) => ({ write: (measurements) => Effect.sync(() => void written.push(measurements)) }))
)

/** The very pipeline that runs in production, on layers of memory. */
const world = Layer.mergeAll(
  Producer.layer(),
  GeoregionDetector.layerMemory(regions),
  ConfigStore.layerMemory({
    [service]: { consumer_group_id: "loom-georegion", max_poll_records: 200, session_timeout_ms: 30_000 }
  }),
  sink
).pipe(
  Layer.provideMerge(MemoryCluster.layerWith({ topics: { [locations]: 4, [detected]: 2 } })),
  Layer.provideMerge(Layer.sync(Written, () => []))
)

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(GeoregionDetection))

const detections = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  const records = yield* cluster.records(detected)
  return records.map(({ key, value }) => ({
    key: Buffer.from(key!).toString(),
    value: decode(Buffer.from(value!).toString())
  }))
})

const committed = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  const offsets = yield* cluster.committed("loom-georegion")
  return Object.fromEntries(offsets.map(({ offset, partition }) => [partition, Number(offset)]))
})

describe("the georegion detector", () => {
  it.effect("sends each region of each location, keyed by device, and commits what it processed", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.append(locations, [
        message(0, location("in-both", 52.5219, 13.4132)),
        message(0, location("in-the-city", 52.50, 13.30)),
        message(1, location("nowhere", 48.14, 11.58))
      ])
      yield* Layer.build(Pipeline.layer(georegions))
      yield* TestClock.adjust("5 seconds")

      const found = yield* detections
      assert.sameDeepMembers(found.map(({ key, value }) => [key, value.data.georegion_id]), [
        ["in-both", "square"],
        ["in-both", "city"],
        ["in-the-city", "city"]
      ])
      const square = found.find(({ value }) => value.data.georegion_id === "square")!.value
      assert.strictEqual(square.data.confidence_score, 1)
      assert.strictEqual(square.trace_id, "trace-in-both")
      assert.strictEqual(square.data.entry_time, "2026-03-01T12:00:00Z")
      assert.deepStrictEqual(yield* committed, { 0: 2, 1: 1 })
    }).pipe(Effect.provide(world)))

  it.effect("keeps what it cannot decode in the dead-letter topic, passes over tombstones, and goes on", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.append(locations, [
        { partition: 0, key: "a", value: "{ no JSON" },
        { partition: 0, key: "b", value: JSON.stringify({ ...location("b", 0, 0), schema_version: "v2" }) },
        { partition: 0, key: "c", value: "" },
        { partition: 0, key: "d", value: null },
        message(0, location("e", 52.52, 13.405))
      ])
      yield* Layer.build(Pipeline.layer(georegions))
      yield* TestClock.adjust("5 seconds")

      const dead = yield* cluster.records(`${locations}.dlq`)
      assert.sameMembers(dead.map(({ key }) => Buffer.from(key!).toString()), ["a", "b", "c"])
      assert.deepStrictEqual((yield* detections).map(({ key }) => key), ["e"])
      assert.deepStrictEqual(yield* committed, { 0: 5 })
    }).pipe(Effect.provide(world)))

  it.effect("takes its settings from its row, and says where each comes from", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Pipeline.layer(georegions))
      yield* TestClock.adjust("5 seconds")
      const { config, provenance } = yield* Context.get(context, RunningPipeline).configuration
      assert.strictEqual(config.consumerGroupId, "loom-georegion")
      assert.deepStrictEqual(provenance.maxPollRecords, { value: 200, source: "row" })
      assert.deepStrictEqual(provenance.heartbeatIntervalMs, { value: 10_000, source: "derived" })
    }).pipe(Effect.provide(world)))

  it.effect("tells what it did and how far behind it is, once in ten seconds", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.append(
        locations,
        Array.from({ length: 1_000 }, (_, i) => message(i % 4, location(`device-${i % 10}`, 52.52, 13.405)))
      )
      yield* Layer.build(Pipeline.layer(georegions))
      yield* TestClock.adjust("35 seconds")

      const written = yield* Written
      assert.isAtLeast(written.length, 3)
      assert.isAtMost(written.length, 4)
      const processed = written.flatMap(({ metrics }) => metrics.map(({ messagesProcessed }) => messagesProcessed))
      assert.strictEqual(processed.reduce((sum, count) => sum + count, 0), 1_000)
      const { lag } = written.at(-1)!
      assert.sameMembers(lag.map(({ partition }) => partition), [0, 1, 2, 3])
      assert.isTrue(lag.every(({ lag, service: of }) => lag === 0n && of === service))
    }).pipe(Effect.provide(world)))

  it.effect("leaves the group when its layer is closed, with everything committed", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      const scope = yield* Scope.make()
      yield* cluster.append(locations, [message(2, location("a", 52.52, 13.405))])
      yield* Layer.buildWithScope(Pipeline.layer(georegions), scope)
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(yield* cluster.members, 1)
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(yield* cluster.members, 0)
      assert.deepStrictEqual(yield* committed, { 2: 1 })
    }).pipe(Effect.provide(world)))
})
