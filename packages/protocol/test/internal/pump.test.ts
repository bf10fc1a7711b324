import { assert, describe, it } from "@effect/vitest"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Broker } from "../../src/Client.ts"
import type { Cluster } from "../../src/Cluster.ts"
import { makePump } from "../../src/internal/pump.ts"
import { consumerPlan } from "../../src/Plan.ts"
import { advance, Answering } from "./fixtures.ts"

const plan = Result.getOrThrow(consumerPlan(ConsumerSettings.make({ groupId: "g" }), {}))

describe("a leader that is frozen", () => {
  it.effect("is left when others lead what it was asked for, long before the request times out", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const asked: Array<readonly [number, number]> = []
      let leader = 1
      const cluster: Partial<Cluster> = {
        leaderOf: () => leader,
        broker: (node) => Effect.succeed({ node } as unknown as Broker),
        refresh: Effect.sync(() => {
          if (clock.currentTimeMillisUnsafe() >= 15_000) leader = 2
        }),
        avoid: () => undefined,
        watch: () => undefined
      }
      const pump = makePump({
        cluster: cluster as Cluster,
        plan: plan.fetch,
        client: plan.client,
        fetch: (broker) => {
          asked.push([(broker as unknown as { readonly node: number }).node, clock.currentTimeMillisUnsafe()])
          return Effect.never
        },
        handler: new Answering({}).handler,
        clock,
        patienceMs: 60_000
      })
      const running = yield* Effect.forkChild(pump.run)
      pump.assign([new TopicPartition("in", 0)], () => [{ topic: "in", partition: 0, offset: 0n }])
      yield* advance(12_000)
      assert.deepStrictEqual(asked, [[1, 0]], "a leader may take its time")
      yield* advance(20_000)
      assert.deepStrictEqual(asked.map(([node]) => node), [1, 2])
      yield* Fiber.interrupt(running)
    }))
})
