import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DeadLetter from "../src/DeadLetter.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, dlqOf, start, withCluster } from "./fixtures.ts"

const day = 86_400_000

/** Every record fails with this error at once. */
const failing = (message: string) =>
  Pipeline.make({
    ...common,
    process: () => Effect.fail(Object.assign(new Error(message), { _tag: "Bad" as const })),
    onFailure: { Bad: FailurePolicy.deadLetter }
  })

describe("a dead letter", () => {
  it.effect("of an old record is kept as long as the dead-letter topic keeps what comes to it", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in.dlq", { configs: { "retention.ms": String(7 * day) } })
        yield* advance(30 * day, day)
        yield* advance(1_000)
        yield* cluster.append("in", [{ key: "k", value: "old", timestamp: 1 }])
        const { stop } = yield* start(failing("bad"))
        yield* advance(5_000)
        yield* stop
        assert.lengthOf(yield* dlqOf(cluster), 1)
        yield* cluster.enforceRetention("in.dlq")
        assert.lengthOf(yield* dlqOf(cluster), 1)
      })))

  it.effect("whose reason is too long for the topic is written with less of it; its partition does not wait for ever", () =>
    withCluster({ records: 2 }, (cluster) =>
      Effect.gen(function*() {
        const { stop } = yield* start(failing("x".repeat(3_000_000)))
        yield* advance(60_000, 500)
        assert.lengthOf(yield* dlqOf(cluster), 2)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 2 })
        yield* stop
      })))

  it.effect("is written whatever time the record claims to be of; its partition does not wait for ever", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        // A producer's Long.MAX_VALUE, which brokers before 3.6 take, is no number that JavaScript has.
        const times = [Number(2n ** 63n - 1n), Number(-(2n ** 63n)), -1, 1.5]
        yield* cluster.append("in", times.map((timestamp) => ({ key: "k", value: "v", timestamp })))
        const { stop } = yield* start(failing("bad"))
        yield* advance(60_000, 500)
        const claimed = (yield* dlqOf(cluster)).map(({ headers }) =>
          Buffer.from(headers.find(({ name }) => name === DeadLetter.headerNames.originalTimestamp)!.value!)
            .readBigInt64BE()
        )
        assert.deepStrictEqual(claimed, [2n ** 63n - 1n, -(2n ** 63n), -1n, 1n])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 4 })
        yield* stop
      })))

  it.effect("whose topic cannot be told (its function throws) ends the pipeline; its partition does not wait in silence", () =>
    withCluster({ records: 2 }, (cluster) =>
      Effect.gen(function*() {
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          process: () => Effect.fail({ _tag: "Bad" as const }),
          onFailure: { Bad: FailurePolicy.deadLetter },
          deadLetter: {
            topic: () => {
              throw new Error("no such rule")
            }
          }
        }))
        const failure = yield* Effect.forkChild(running.failure)
        yield* advance(5_000)
        const exit = failure.pollUnsafe()
        assert.strictEqual(exit?._tag, "Failure")
        assert.isFalse((yield* running.health).live)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        yield* stop
      })))

  it.effect("of a record that fills its topic's limit is written without the reason's text", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", [{ key: "k", value: "x".repeat(1_048_588 - 2_000) }])
        const { stop } = yield* start(failing("y".repeat(5_000)))
        yield* advance(60_000, 500)
        const [letter] = yield* dlqOf(cluster)
        assert.isDefined(letter)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 1 })
        yield* stop
      })))
})
