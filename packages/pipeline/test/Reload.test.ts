import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ConfigRows from "@weft/config/ConfigRows"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import * as Codec from "@weft/kafka/Codec"
import { MemoryCluster } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"

const service = "reloading"
const row = { consumer_group_id: "g", max_poll_records: 5, session_timeout_ms: 30_000, heartbeat_interval_ms: 1_000 }

const advance = (ms: number) => Effect.repeat(TestClock.adjust(100), { times: ms / 100 - 1 })

const layers = Layer.mergeAll(
  MemoryCluster.layerWith({ topics: { in: 3 }, minSessionTimeoutMs: 6_000 }),
  ConfigStore.layerMemory({ [service]: row }),
  RejoinTurns.layerMemory,
  AppliedConfigs.layerMemory,
  MetricsSink.layerNone
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
