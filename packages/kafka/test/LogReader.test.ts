import { assert, describe, it } from "@effect/vitest"
import * as Admin from "@weft/kafka/Admin"
import * as LogReader from "@weft/kafka/LogReader"
import { Transport } from "@weft/kafka/Transport"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const layer = Layer.provideMerge(
  Layer.provideMerge(Admin.layer, Layer.effect(Transport, Effect.map(MemoryCluster.MemoryCluster, (c) => c.transport))),
  MemoryCluster.layerWith()
)

const collect = (ranges: ReadonlyArray<LogReader.LogRange>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(LogReader.read(ranges)))
    for (let i = 0; i < 200 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("50 millis")
    return (yield* Fiber.join(fiber)).map((record) => `${record.partition}@${record.offset}`).sort()
  })

const places = (partition: number, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${partition}@${from + i}`)

const filled = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic("log", { partitions: 3 })
  const records = (n: number, partition: number) => Array.from({ length: n }, () => ({ partition, value: "v" }))
  yield* cluster.append("log", [...records(30, 0), ...records(7, 1)])
  return cluster
})

describe("LogReader", () => {
  it.effect("reads all that is there, once, and ends; no group comes to be", () =>
    Effect.gen(function*() {
      const cluster = yield* filled
      const ranges = yield* LogReader.ranges(["log"])
      assert.deepStrictEqual(ranges.map(({ from, partition, to }) => [partition, from, to]), [[0, 0n, 30n], [
        1,
        0n,
        7n
      ]])
      assert.deepStrictEqual(yield* collect(ranges), [...places(0, 0, 30), ...places(1, 0, 7)].sort())
      assert.deepStrictEqual(yield* cluster.committed("weft-log-reader"), [])
    }).pipe(Effect.provide(layer)))

  it.effect("reads the youngest of each partition, or nothing", () =>
    Effect.gen(function*() {
      yield* filled
      assert.deepStrictEqual(
        yield* collect(yield* LogReader.ranges(["log"], { last: 3 })),
        [...places(0, 27, 30), ...places(1, 4, 7)].sort()
      )
      assert.deepStrictEqual(yield* collect([]), [])
    }).pipe(Effect.provide(layer)))

  it.effect("passes over what retention took away after the ranges were drawn", () =>
    Effect.gen(function*() {
      yield* filled
      const ranges = yield* LogReader.ranges(["log"])
      const admin = yield* Admin.Admin
      yield* admin.deleteRecords([{ topic: "log", partition: 0, offset: 20n }, {
        topic: "log",
        partition: 1,
        offset: 7n
      }])
      assert.deepStrictEqual(yield* collect(ranges), places(0, 20, 30).sort())
    }).pipe(Effect.provide(layer)))

  it.effect("ends where the log ends before the range begins: it was made anew", () =>
    Effect.gen(function*() {
      yield* filled
      assert.deepStrictEqual(yield* collect([{ topic: "log", partition: 1, from: 20n, to: 25n }]), [])
    }).pipe(Effect.provide(layer)))

  it.effect("a partition that does not exist is the failure of the stream", () =>
    Effect.gen(function*() {
      yield* filled
      const failure = yield* Effect.flip(collect([{ topic: "log", partition: 9, from: 0n, to: 1n }]))
      assert.strictEqual(failure._tag, "UnknownTopicError")
    }).pipe(Effect.provide(layer)))

  it.effect("fails where the client library does in a way that it does not tell", () =>
    Effect.gen(function*() {
      yield* filled
      const transport = yield* Transport
      const broken: Transport["Service"] = {
        ...transport,
        consumer: (options) =>
          Effect.map(transport.consumer(options), (consumer) => ({ ...consumer, run: Effect.die("a bug") }))
      }
      const reading = Effect.flip(collect(yield* LogReader.ranges(["log"])))
      const failure = yield* Effect.provideService(reading, Transport, broken)
      assert.deepStrictEqual(failure._tag === "TransportError" && [failure.reason, failure.cause], ["defect", "a bug"])
    }).pipe(Effect.provide(layer)))
})
