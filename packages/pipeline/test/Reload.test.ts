import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ConfigRows from "@weft/config/ConfigRows"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import * as Codec from "@weft/kafka/Codec"
import { Transport } from "@weft/kafka/Transport"
import { MemoryCluster } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"

const service = "reloading"
const row = { consumer_group_id: "g", max_poll_records: 5, session_timeout_ms: 30_000, heartbeat_interval_ms: 1_000 }

const advance = (ms: number) => Effect.repeat(TestClock.adjust(100), { times: ms / 100 - 1 })

const layersWith = (limits: { readonly minSessionTimeoutMs?: number; readonly maxSessionTimeoutMs?: number }) =>
  Layer.mergeAll(
    MemoryCluster.layerWith({ topics: { in: 3 }, ...limits }),
    ConfigStore.layerMemory({ [service]: row }),
    RejoinTurns.layerMemory,
    AppliedConfigs.layerMemory,
    MetricsSink.layerNone
  )
const layers = layersWith({ minSessionTimeoutMs: 6_000 })

/** Brokers that do not tell their limits, as where a client may not ask: the join does. */
const secretive = Layer.effect(
  Transport,
  Effect.map(Transport, (transport) => ({
    ...transport,
    admin: Effect.map(transport.admin, (admin) => ({ ...admin, describeConfigs: () => Effect.succeed([]) }))
  }))
)

const scene = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  const seen: Array<string> = []
  const pipeline = Pipeline.make({
    service,
    topics: ["in"],
    value: Codec.string,
    process: (record) =>
      Effect.map(Effect.sleep(7), () => {
        seen.push(String(record.value))
      })
  })
  const produce = (from: number, count: number) =>
    Effect.orDie(
      cluster.append("in", Array.from({ length: count }, (_, i) => ({ partition: i % 3, value: String(from + i) })))
    )
  return { cluster, seen, pipeline, produce }
})

describe("reload", () => {
  it.effect("9 reload: members rejoin in turn; nothing is lost or repeated; what they run with is told", () =>
    Effect.gen(function*() {
      const { cluster, pipeline, produce, seen } = yield* scene
      const members = yield* Effect.forEach([1, 2, 3], () => Pipeline.startWithin(pipeline))
      yield* produce(0, 600)
      yield* advance(8_000)
      const rows = yield* ConfigRows.ConfigRows
      yield* produce(600, 300)
      yield* rows.set(service, { ...row, session_timeout_ms: 45_000, max_poll_records: 7 })
      yield* advance(40_000)
      yield* produce(900, 30)
      yield* advance(5_000)
      assert.strictEqual(seen.length, 930)
      assert.strictEqual(new Set(seen).size, 930)
      for (const { consumer } of members) {
        const settings = yield* consumer.settings
        assert.deepInclude(settings, { sessionTimeoutMs: 45_000, maxPollRecords: 7 })
      }
      assert.strictEqual((yield* cluster.group("g")).members.length, 3)
      const told = yield* (yield* AppliedConfigs.AppliedConfigs).list(service)
      assert.strictEqual(told.length, 3)
      assert.isTrue(told.every(({ applied }) => applied.settings["session_timeout_ms"]?.value === 45_000))
    }).pipe(Effect.scoped, Effect.provide(layers)))

  it.effect("9 reload: what the group refuses is taken back, and told as it is", () =>
    Effect.gen(function*() {
      const { cluster, pipeline, produce, seen } = yield* scene
      const rows = yield* ConfigRows.ConfigRows
      const { configuration, consumer } = yield* Pipeline.startWithin(pipeline)
      yield* produce(0, 300)
      yield* advance(4_000)
      yield* rows.set(service, { ...row, session_timeout_ms: 45_000, max_poll_records: 9 })
      yield* advance(30_000)
      assert.strictEqual((yield* consumer.settings).sessionTimeoutMs, 30_000)
      assert.strictEqual((yield* configuration).config.sessionTimeoutMs, 30_000)
      const [told] = yield* (yield* AppliedConfigs.AppliedConfigs).list(service)
      assert.strictEqual(told!.applied.settings["session_timeout_ms"]?.value, 30_000)
      assert.strictEqual((yield* cluster.group("g")).members.length, 1)
      yield* produce(300, 300)
      yield* advance(5_000)
      assert.deepStrictEqual([seen.length, new Set(seen).size], [600, 600])
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(secretive, layersWith({ maxSessionTimeoutMs: 40_000 })))))

  it.effect("9 reload: what needs a start stays, and is told as it is", () =>
    Effect.gen(function*() {
      const { pipeline } = yield* scene
      const { configuration, consumer } = yield* Pipeline.startWithin(pipeline)
      yield* advance(4_000)
      const rows = yield* ConfigRows.ConfigRows
      yield* rows.set(service, { ...row, consumer_group_id: "other", auto_offset_reset: "latest", max_poll_records: 6 })
      yield* advance(2_000)
      assert.deepInclude(yield* consumer.settings, { groupId: "g", autoOffsetReset: "earliest", maxPollRecords: 6 })
      assert.deepStrictEqual((yield* configuration).provenance.consumerGroupId, { value: "g", source: "row" })
      const [told] = yield* (yield* AppliedConfigs.AppliedConfigs).list(service)
      const { auto_offset_reset, consumer_group_id, max_poll_records } = told!.applied.settings
      assert.deepStrictEqual([auto_offset_reset?.value, consumer_group_id?.value, max_poll_records?.value], [
        "earliest",
        "g",
        6
      ])
    }).pipe(Effect.scoped, Effect.provide(layers)))

  it.effect("8 configuration: a session that the brokers refuse falls back before the join, and says so", () =>
    Effect.gen(function*() {
      const { pipeline, produce, seen } = yield* scene
      const rows = yield* ConfigRows.ConfigRows
      yield* rows.set(service, { ...row, session_timeout_ms: 3_000, heartbeat_interval_ms: 500 })
      const { configuration, consumer } = yield* Pipeline.startWithin(pipeline)
      yield* produce(0, 30)
      yield* advance(5_000)
      assert.strictEqual(seen.length, 30)
      assert.isAtLeast((yield* consumer.settings).sessionTimeoutMs, 6_000)
      assert.isTrue((yield* configuration).issues.some(({ _tag }) => _tag === "BrokerLimits" || _tag === "OutOfBounds"))
    }).pipe(Effect.scoped, Effect.provide(layers)))
})
