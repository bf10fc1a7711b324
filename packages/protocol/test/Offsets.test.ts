import { assert, describe, it } from "@effect/vitest"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Broker, Node, TopicMetadata } from "../src/Client.ts"
import type { Cluster } from "../src/Cluster.ts"
import { codes } from "../src/ErrorCode.ts"
import type { Failure } from "../src/Failure.ts"
import { fetchCommitted, listOffsets } from "../src/Offsets.ts"
import { advance } from "./internal/fixtures.ts"

const backoffMs = 100

/** A cluster of one, which has settled after so long, and says this until then. */
const settlingAfter = Effect.fnUntraced(function*(ms: number, errorCode: number) {
  const clock = yield* Clock.Clock
  let asked = 0
  const code = () => {
    asked++
    return clock.currentTimeMillisUnsafe() < ms ? errorCode : 0
  }
  const part = { partition: 0, offset: 7n, metadata: "" }
  const broker: Partial<Broker> = {
    offsetFetch: () => {
      const errorCode = code()
      return Promise.resolve({ errorCode, responses: [{ topic: "in", partitions: [{ ...part, errorCode: 0 }] }] })
    },
    listOffsets: () => Promise.resolve({ responses: [{ topic: "in", partitions: [{ ...part, errorCode: code() }] }] })
  }
  const cluster: Partial<Cluster> = {
    about: { transport: "test", brokers: [] },
    attempt: (request) => Effect.tryPromise({ try: request, catch: (thrown) => thrown as Failure }),
    askAny: <A>() => Effect.succeed({ nodeId: 1, host: "127.0.0.1", port: 1 } satisfies Node as A),
    broker: () => Effect.succeed(broker as Broker),
    leaderOf: () => 1,
    refresh: Effect.void,
    topic: () => Effect.succeed({ partitionMetadata: [{ partitionId: 0 }] } as unknown as TopicMetadata),
    watch: () => undefined
  }
  const partitions = [new TopicPartition("in", 0)]
  return {
    asked: () => asked,
    committed: fetchCommitted(cluster as Cluster, "g", partitions, backoffMs),
    ends: listOffsets(cluster as Cluster, 0, partitions, "latest", backoffMs)
  }
})

describe("offsets", () => {
  it.effect("are waited for while a coordinator loads, or a leader is elected", () =>
    Effect.gen(function*() {
      const loading = yield* settlingAfter(5_000, codes.coordinatorLoadInProgress)
      const committed = yield* Effect.forkChild(loading.committed)
      const electing = yield* settlingAfter(5_000, codes.notLeader)
      const ends = yield* Effect.forkChild(electing.ends)
      yield* advance(6_000)
      assert.strictEqual(committed.pollUnsafe()?._tag, "Success")
      assert.strictEqual((yield* Fiber.join(ends))[0]?.offset, 7n)
    }))

  it.effect("are not waited for without end", () =>
    Effect.gen(function*() {
      const never = yield* settlingAfter(Infinity, codes.notCoordinator)
      const committed = yield* Effect.forkChild(Effect.flip(never.committed))
      yield* advance(20_000)
      assert.strictEqual(committed.pollUnsafe()?._tag, "Success")
    }))

  it.effect("of a topic that is unknown are asked for a few times alone", () =>
    Effect.gen(function*() {
      const unknown = yield* settlingAfter(Infinity, codes.unknownTopicOrPartition)
      const failing = yield* Effect.forkChild(Effect.flip(unknown.ends))
      yield* advance(1_000)
      assert.strictEqual((yield* Fiber.join(failing))._tag, "UnknownTopicError")
      assert.strictEqual(unknown.asked(), 6)
    }))

  it.effect("of a failure that the broker did not expect, too", () =>
    Effect.gen(function*() {
      const odd = yield* settlingAfter(Infinity, codes.unknownServerError)
      const failing = yield* Effect.forkChild(Effect.flip(odd.committed))
      yield* advance(1_000)
      assert.strictEqual(failing.pollUnsafe()?._tag, "Success")
      assert.strictEqual(odd.asked(), 6)
    }))
})
