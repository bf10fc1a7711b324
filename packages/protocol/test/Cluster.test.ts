import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Broker, Client, Dedicated } from "../src/Client.ts"
import * as Cluster from "../src/Cluster.ts"
import { adminPlan } from "../src/Plan.ts"
import { advance } from "./internal/fixtures.ts"

describe("Cluster", () => {
  it.effect("closes a connection that was made when nobody waited for it any more", () =>
    Effect.gen(function*() {
      let connected = (_: Dedicated): void => undefined
      let closed = 0
      const client: Partial<Client> = {
        name: "test",
        close: () => undefined,
        connect: () => Promise.resolve(),
        refreshMetadata: () => Promise.resolve(),
        anyBroker: () => Promise.resolve({} as Broker),
        dedicated: () => new Promise((resolve) => connected = resolve)
      }
      const cluster = yield* Cluster.make({
        open: () => client as Client,
        addresses: [],
        plan: adminPlan,
        patienceMs: 1_000
      })
      const asking = yield* Effect.forkChild(cluster.dedicated({ nodeId: 1, host: "127.0.0.1", port: 1 }))
      yield* advance(20)
      yield* Fiber.interrupt(asking)
      connected({ broker: {} as Broker, close: () => closed++ })
      yield* advance(20)
      assert.strictEqual(closed, 1)
    }))
})
