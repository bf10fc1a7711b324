import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import { Transport } from "@weft/kafka/Transport"
import * as FailurePolicy from "@weft/pipeline/FailurePolicy"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { memory, type Said, weft } from "./support/weft.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

/** A pipeline that dead-letters what is no JSON and every record of the key `bad`, run until it has read everything. */
const deadLettered = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic("orders", { partitions: 2 })
  yield* cluster.append("orders", [
    { partition: 0, key: "good", value: "{}" },
    { partition: 0, key: "bad", value: "{\"n\":1}", headers: [{ name: "trace", value: Buffer.from("abc") }] },
    { partition: 1, key: "bad", value: "{\"n\":2}" },
    { partition: 1, key: "worse", value: "{" }
  ])
  const pipeline = Pipeline.make({
    service: "orders",
    topics: ["orders"],
    key: Codec.string,
    value: Codec.unknownJson,
    onFailure: { Refused: FailurePolicy.retry({ attempts: 2 }) },
    process: ({ key }) => key === "bad" ? Effect.fail(new Refused({ message: "not this one" })) : Effect.void
  })
  const fiber = yield* Pipeline.run(pipeline).pipe(
    Effect.provide(Layer.mergeAll(
      Layer.succeed(Transport, cluster.transport),
      ConfigStore.layerStatic({ consumerGroupId: "orders" }),
      MetricsSink.layerNone
    )),
    Effect.forkChild
  )
  yield* turn(100)
  yield* Effect.forkChild(Fiber.interrupt(fiber))
  yield* turn(100)
})

const turn = Effect.fnUntraced(function*(times: number) {
  for (let i = 0; i < times; i++) yield* TestClock.adjust("50 millis")
})

/** A command that waits for the cluster. */
const said = Effect.fnUntraced(function*(line: string) {
  const fiber = yield* Effect.forkChild(weft(line))
  for (let i = 0; i < 200 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("50 millis")
  return yield* Fiber.join(fiber)
})

const parsed = ({ code, err, out }: Said): unknown => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out)
}

interface Shown {
  readonly original: { readonly partition: number; readonly offset: number }
  readonly failure: { readonly exception: string; readonly attempts: number }
}

interface Counted {
  readonly counted: number
  readonly complete: boolean
  readonly causes: ReadonlyArray<{ readonly exception: string; readonly topic: string; readonly count: number }>
}

describe("weft dlq", () => {
  it.effect("list: the dead-letter topics and how much lies in them", () =>
    Effect.gen(function*() {
      assert.include((yield* said("dlq list")).out, "no dead-letter topics")
      yield* deadLettered
      assert.deepStrictEqual(parsed(yield* said("dlq list --json")), [{ topic: "orders.dlq", records: 3 }])
    }).pipe(Effect.provide(memory())))

  it.effect("show: where each came from and why it failed; --at: all of one", () =>
    Effect.gen(function*() {
      yield* deadLettered
      const shown = parsed(yield* said("dlq show orders.dlq --json")) as ReadonlyArray<Shown>
      assert.sameDeepMembers(
        shown.map((
          { failure, original }
        ) => [original.partition, original.offset, failure.exception, failure.attempts]),
        [[0, 1, "Refused", 2], [1, 0, "Refused", 2], [1, 1, "DecodeError", 1]]
      )
      const text = yield* said("dlq show orders.dlq --last 1")
      assert.strictEqual(text.out.split("\n").length, 4)
      const one = yield* said("dlq show orders.dlq --at 0@0")
      for (const part of ["orders-0@1", "not this one", "header trace", "abc", "{\"n\":1}"]) {
        assert.include(one.out, part)
      }
    }).pipe(Effect.provide(memory())))

  it.effect("count: by exception and by the topic that they came from", () =>
    Effect.gen(function*() {
      yield* deadLettered
      const counted = parsed(yield* said("dlq count orders.dlq --json")) as Counted
      assert.deepStrictEqual(
        counted.causes.map((one) => [one.exception, one.topic, one.count]),
        [["Refused", "orders", 2], ["DecodeError", "orders", 1]]
      )
      assert.isTrue(counted.complete)
      const partly = parsed(yield* said("dlq count orders.dlq --last 1 --json")) as Counted
      assert.deepStrictEqual([partly.complete, partly.counted], [false, 2])
    }).pipe(Effect.provide(memory())))

  it.effect("what is not there: the near topic, the place, the flag", () =>
    Effect.gen(function*() {
      yield* deadLettered
      const near = yield* said("dlq show order.dlq")
      assert.strictEqual(near.code, 3)
      assert.include(near.err, "did you mean orders.dlq")
      assert.strictEqual((yield* said("dlq show orders.dlq --at 0@999")).code, 3)
      assert.strictEqual((yield* said("dlq show orders.dlq --at first")).code, 2)
      assert.strictEqual((yield* said("dlq show orders.dlq --last 0")).code, 2)
    }).pipe(Effect.provide(memory())))
})
