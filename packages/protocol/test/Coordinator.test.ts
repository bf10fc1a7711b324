import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Broker, Node } from "../src/Client.ts"
import type { Cluster } from "../src/Cluster.ts"
import * as Coordinator from "../src/Coordinator.ts"
import type { Failure } from "../src/Failure.ts"
import { advance } from "./internal/fixtures.ts"

const failure = (thrown: unknown): Failure => ({ _tag: "Connection", cause: thrown })

/** A group whose first coordinator takes requests and says nothing, until another broker is told to be it. */
const frozen = (movesAfterMs: number, options: { readonly connects: boolean } = { connects: true }) =>
  Effect.gen(function*() {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const closed: Array<number> = []
    const coordinator = (): Node => ({
      nodeId: clock.currentTimeMillisUnsafe() < movesAfterMs ? 1 : 2,
      host: "127.0.0.1",
      port: 1
    })
    const brokerOf = (nodeId: number): Broker =>
      ({
        isConnected: () => true,
        heartbeat: () => nodeId === 1 ? new Promise(() => undefined) : Promise.resolve("from 2")
      }) as Partial<Broker> as Broker
    const cluster: Partial<Cluster> = {
      attempt: (request) => Effect.tryPromise({ try: () => request(), catch: failure }),
      askAny: <A>(_: (broker: Broker) => Promise<A>) => Effect.sync(() => coordinator() as A),
      broker: (nodeId) => Effect.succeed(brokerOf(nodeId)),
      dedicated: ({ nodeId }) =>
        nodeId === 1 && !options.connects
          ? Effect.never
          : Effect.succeed({ broker: brokerOf(nodeId), close: () => void closed.push(nodeId) })
    }
    return { closed, cluster: cluster as Cluster }
  })

const beat = (broker: Broker) => broker.heartbeat({ groupId: "g", memberId: "m", groupGenerationId: 1 })

describe("a coordinator that is frozen", () => {
  it.effect("is waited for as long as it is the coordinator, and no longer", () =>
    Effect.gen(function*() {
      const { closed, cluster } = yield* frozen(25_000)
      const coordinator = yield* Coordinator.make(cluster, "g")
      const asking = yield* Effect.forkChild(Effect.result(coordinator.ask(beat)))
      yield* advance(24_000)
      assert.isUndefined(asking.pollUnsafe())
      yield* advance(8_000)
      assert.strictEqual((yield* Fiber.join(asking))._tag, "Failure")
      assert.deepStrictEqual(closed, [1])
      assert.strictEqual(yield* coordinator.ask(beat), "from 2")
    }))

  it.effect("holds up no request outside of a membership either", () =>
    Effect.gen(function*() {
      const { cluster } = yield* frozen(5_000)
      const asking = yield* Effect.forkChild(Effect.result(Coordinator.askCoordinator(cluster, "g", beat)))
      yield* advance(12_000)
      assert.strictEqual((yield* Fiber.join(asking))._tag, "Failure")
      assert.strictEqual(yield* Coordinator.askCoordinator(cluster, "g", beat), "from 2")
    }))

  it.effect("is not waited for any longer where it was frozen before there was a connection", () =>
    Effect.gen(function*() {
      const { cluster } = yield* frozen(25_000, { connects: false })
      const coordinator = yield* Coordinator.make(cluster, "g")
      const asking = yield* Effect.forkChild(Effect.result(coordinator.ask(beat)))
      yield* advance(24_000)
      assert.isUndefined(asking.pollUnsafe())
      yield* advance(8_000)
      assert.strictEqual(asking.pollUnsafe()?._tag, "Success")
      assert.strictEqual((yield* Fiber.join(asking))._tag, "Failure")
      assert.strictEqual(yield* coordinator.ask(beat), "from 2")
    }))
})
