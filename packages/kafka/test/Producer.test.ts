import { assert, describe, it } from "@effect/vitest"
import { FaultPlan, MemoryCluster } from "@weft/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Admin from "../src/Admin.ts"
import { ofKey } from "../src/internal/partitioner.ts"
import * as Producer from "../src/Producer.ts"
import { make as topicPartition } from "../src/TopicPartition.ts"

const withCluster = <A, E, R>(
  test: (cluster: MemoryCluster.MemoryCluster["Service"]) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const cluster = yield* MemoryCluster.MemoryCluster
    yield* cluster.createTopic("out", { partitions: 4, configs: { "max.message.bytes": "1000" } })
    return yield* test(cluster)
  }).pipe(Effect.provide(MemoryCluster.layer), Effect.scoped)

const text = (bytes: Uint8Array | null) => bytes === null ? null : Buffer.from(bytes).toString()

/** Runs while the clock goes on. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    for (let i = 0; i < 2_000 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })

describe("Producer", () => {
  it.effect("answers where each record is, in the order given, and keeps the order within a partition", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const producer = yield* Producer.make()
        const records = Array.from({ length: 40 }, (_, i) => ({ topic: "out", key: `k${i % 9}`, value: String(i) }))
        const offsets = yield* timed(producer.sendAll(records))
        const stored = yield* cluster.records("out")
        for (const [i, { offset, partition }] of offsets.entries()) {
          const found = stored.find((record) => record.partition === partition && record.offset === offset)
          assert.strictEqual(text(found!.value), String(i))
          assert.strictEqual(partition, ofKey(Buffer.from(`k${i % 9}`), 4))
        }
      })
    ))

  it.effect("concurrent sends share requests; every one has its own answer", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const producer = yield* Producer.make()
        const offsets = yield* timed(Effect.forEach(
          Array.from({ length: 500 }, (_, i) => i),
          (i) => producer.send({ topic: "out", partition: i % 4, value: String(i) }),
          { concurrency: "unbounded" }
        ))
        assert.strictEqual(new Set(offsets.map(({ offset, partition }) => `${partition}@${offset}`)).size, 500)
        assert.strictEqual((yield* cluster.records("out")).length, 500)
      })
    ))

  it.effect("a record that the broker refuses fails alone", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const producer = yield* Producer.make()
        const results = yield* timed(Effect.forEach(
          ["a", "x".repeat(5_000), "b"],
          (value) => Effect.result(producer.send({ topic: "out", partition: 0, value })),
          { concurrency: "unbounded" }
        ))
        assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Success", "Failure", "Success"])
        const values = (yield* cluster.records("out")).map(({ value }) => text(value))
        assert.includeMembers(values, ["a", "b"])
      })
    ))

  it.effect("an unknown topic, an unknown partition and acks that contradict idempotence are typed failures", () =>
    withCluster(() =>
      Effect.gen(function*() {
        const producer = yield* Producer.make()
        const topic = yield* timed(Effect.flip(producer.send({ topic: "nowhere", value: "x" })))
        assert.strictEqual(topic._tag, "UnknownTopicError")
        const partition = yield* timed(Effect.flip(producer.send({ topic: "out", partition: 9, value: "x" })))
        assert.strictEqual(partition._tag, "UnknownTopicError")
        const acks = yield* Effect.flip(Producer.make({ acks: 1 }))
        assert.strictEqual(acks._tag, "InvalidSettingError")
      })
    ))

  it.effect("records without a key go round all partitions, in runs", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const producer = yield* Producer.make({ batchBytes: 900 })
        yield* timed(producer.sendAll(Array.from({ length: 800 }, () => ({ topic: "out", value: "v" }))))
        const counts = [0, 0, 0, 0]
        for (const { partition } of yield* cluster.records("out")) counts[partition]!++
        assert.isTrue(counts.every((count) => count >= 100 && count <= 300), String(counts))
      })
    ))

  it.effect("tombstones, 0-byte values, headers with duplicates and null values arrive as they were sent", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const producer = yield* Producer.make()
        const headers = [{ name: "a", value: Buffer.from([0xff]) }, { name: "a", value: null }]
        yield* timed(producer.sendAll([
          { topic: "out", partition: 0, key: "k", value: null, headers },
          { topic: "out", partition: 0, key: "", value: "", headers: { b: "2" } }
        ]))
        const [tombstone, empty] = yield* cluster.records("out")
        assert.isNull(tombstone!.value)
        assert.deepStrictEqual(tombstone!.headers.map(({ name, value }) => [name, value && [...value]]), [
          ["a", [0xff]],
          ["a", null]
        ])
        assert.strictEqual(empty!.value!.length, 0)
        assert.strictEqual(empty!.key!.length, 0)
        assert.strictEqual(text(empty!.headers[0]!.value), "2")
      })
    ))

  it.effect("waits for nothing when the scope closes that was interrupted, wherever it was", () =>
    withCluster(() =>
      Effect.gen(function*() {
        const record = { topic: "out", partition: 0, value: "1" }
        for (const ops of [4, 5, 6, 7]) {
          for (let steps = 0; steps < 20; steps++) {
            const scope = yield* Scope.make()
            const producer = yield* Scope.provide(Producer.make(), scope)
            yield* producer.send(record)
            const sending = yield* Effect.forkChild(
              Effect.provideService(producer.send(record), Scheduler.MaxOpsBeforeYield, ops)
            )
            for (let i = 0; i < steps; i++) yield* Effect.yieldNow
            yield* Effect.forkChild(Fiber.interrupt(sending))
            const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
            for (let i = 0; i < 50 && closing.pollUnsafe() === undefined; i++) yield* TestClock.adjust(100)
            assert.isDefined(closing.pollUnsafe(), `a fiber of ${ops} operations at once, interrupted at step ${steps}`)
          }
        }
      })
    ))

  it.effect("what waits when the scope closes is written first", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const producer = yield* Scope.provide(Producer.make(), scope)
        yield* cluster.apply(FaultPlan.delay("produce", "2 seconds", { times: 1 }))
        const sending = yield* Effect.forkChild(producer.sendAll([{ topic: "out", partition: 0, value: "1" }]))
        yield* TestClock.adjust(10)
        const behind = yield* Effect.forkChild(producer.sendAll([{ topic: "out", partition: 0, value: "2" }]))
        yield* TestClock.adjust(10)
        yield* timed(Scope.close(scope, Exit.void))
        yield* Fiber.join(sending)
        yield* Fiber.join(behind)
        assert.deepStrictEqual((yield* cluster.records("out")).map(({ value }) => text(value)), ["1", "2"])
        const closed = yield* Effect.flip(producer.send({ topic: "out", value: "3" }))
        assert.strictEqual(closed._tag, "ProduceError")
      })
    ))
})

describe("Admin", () => {
  const withAdmin = <A, E, R>(
    test: (cluster: MemoryCluster.MemoryCluster["Service"]) => Effect.Effect<A, E, R | Admin.Admin>
  ) => withCluster((cluster) => timed(Effect.provide(test(cluster), Admin.layer)))

  it.effect("lag counts from the committed offset, or from the log's beginning", () =>
    withAdmin((cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("out", Array.from({ length: 20 }, (_, i) => ({ partition: i % 2, value: "v" })))
        yield* cluster.deleteRecords("out", 1, 4n)
        const admin = yield* Admin.Admin
        yield* admin.setOffsets("g", [{ topic: "out", partition: 0, offset: 7n }])
        const lags = yield* Admin.lag("g", ["out"])
        assert.deepStrictEqual(lags.map(({ lag }) => lag), [3n, 6n, 0n, 0n])
        assert.deepStrictEqual((yield* Admin.partitionsOf(["out"])).map(String), ["out-0", "out-1", "out-2", "out-3"])
        assert.isTrue(topicPartition("out", 0).key === "out-0")
      })
    ))

  it.effect("a reset is a plan first, kept within the log, and changes nothing until it is carried out", () =>
    withAdmin((cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("out", Array.from({ length: 20 }, (_, i) => ({ partition: i % 2, value: "v" })))
        const admin = yield* Admin.Admin
        yield* admin.setOffsets("g", [{ topic: "out", partition: 0, offset: 10n }])
        const plan = yield* Admin.planReset("g", ["out"], 1_000n)
        assert.deepStrictEqual(plan.map(({ from, partition, to }) => [partition, from, to]), [
          [1, undefined, 10n],
          [2, undefined, 0n],
          [3, undefined, 0n]
        ])
        assert.strictEqual((yield* admin.committedOffsets("g")).filter(({ offset }) => offset !== undefined).length, 1)
        yield* Admin.resetOffsets("g", yield* Admin.planReset("g", ["out"], "earliest"))
        assert.deepStrictEqual((yield* Admin.lag("g", ["out"])).map(({ committed }) => committed), [0n, 0n, 0n, 0n])
      })
    ))
})
