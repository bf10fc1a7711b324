import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Broker, Client, Dedicated, Node } from "../src/Client.ts"
import * as Cluster from "../src/Cluster.ts"
import { adminPlan } from "../src/Plan.ts"
import { advance } from "./internal/fixtures.ts"

const clusterOf = (client: Partial<Client>) =>
  Cluster.make({
    open: () => client as Client,
    addresses: [],
    plan: adminPlan,
    patienceMs: 1_000,
    security: { tls: false, sasl: false }
  })

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
        metadata: () => undefined,
        anyBroker: () => Promise.resolve({} as Broker),
        dedicated: () => new Promise((resolve) => connected = resolve)
      }
      const cluster = yield* clusterOf(client)
      const asking = yield* Effect.forkChild(cluster.dedicated({ nodeId: 1, host: "127.0.0.1", port: 1 }))
      yield* advance(20)
      yield* Fiber.interrupt(asking)
      connected({ broker: {} as Broker, close: () => closed++ })
      yield* advance(20)
      assert.strictEqual(closed, 1)
    }))

  const nodes = [1, 2, 3]

  /** Three brokers, of which some say nothing; which of them were asked, and avoided. */
  const brokers = (isSilent: (node: number) => boolean) => {
    const asked: Array<number> = []
    let order = [...nodes]
    const all = nodes.map((node) => ({
      node,
      findGroupCoordinator: () => {
        asked.push(node)
        return isSilent(node)
          ? new Promise<Node>(() => undefined)
          : Promise.resolve({ nodeId: node, host: "127.0.0.1", port: 1 })
      }
    }))
    const client: Partial<Client> = {
      name: "test",
      classify: (cause) => ({ _tag: "Other", cause }),
      close: () => undefined,
      connect: () => Promise.resolve(),
      refreshMetadata: (broker) => broker.findGroupCoordinator("").then(() => undefined),
      metadata: () => ({
        brokers: nodes.map((nodeId) => ({ nodeId, host: "127.0.0.1", port: 1 })),
        clusterId: "",
        controllerId: 1,
        topicMetadata: []
      }),
      anyBroker: () => Promise.resolve(all[order[0]! - 1] as Partial<Broker> as Broker),
      avoid: (broker) => {
        const { node } = broker as unknown as { readonly node: number }
        order = [...order.filter((one) => one !== node), node]
      }
    }
    const cluster = clusterOf(client)
    return { asked, cluster }
  }

  it.effect("asks the next broker where one is frozen, and does not begin with that one the next time", () =>
    Effect.gen(function*() {
      let isFrozen = false
      const { asked, cluster: making } = brokers((node) => isFrozen && node < 3)
      const cluster = yield* making
      yield* cluster.connect
      isFrozen = true
      asked.length = 0
      const finding = yield* Effect.forkChild(cluster.askAny((broker) => broker.findGroupCoordinator("g")))
      yield* advance(21_000)
      assert.strictEqual((yield* Fiber.join(finding)).nodeId, 3)
      const refreshing = yield* Effect.forkChild(cluster.refresh)
      yield* advance(20)
      assert.strictEqual(refreshing.pollUnsafe()?._tag, "Success")
      assert.deepStrictEqual(asked, [1, 2, 3, 3])
    }))

  it.effect("leaves the last one all its time: it may be a busy cluster of one", () =>
    Effect.gen(function*() {
      let isFrozen = false
      const { asked, cluster: making } = brokers(() => isFrozen)
      const cluster = yield* making
      yield* cluster.connect
      isFrozen = true
      asked.length = 0
      const refreshing = yield* Effect.forkChild(cluster.refresh)
      yield* advance(60_000)
      assert.isUndefined(refreshing.pollUnsafe())
      assert.deepStrictEqual(asked, [1, 2, 3])
      yield* Fiber.interrupt(refreshing)
    }))

  it.effect("a broker that has joined since the last look is found by another look", () =>
    Effect.gen(function*() {
      let known = [1]
      let looks = 0
      const client: Partial<Client> = {
        name: "test",
        classify: (cause) => ({ _tag: "Connection", cause }),
        close: () => undefined,
        connect: () => Promise.resolve(),
        refreshMetadata: () => {
          known = looks++ === 0 ? [1] : [1, 2]
          return Promise.resolve()
        },
        metadata: () => ({
          brokers: known.map((nodeId) => ({ nodeId, host: "127.0.0.1", port: nodeId })),
          clusterId: "",
          controllerId: 1,
          topicMetadata: []
        }),
        anyBroker: () => Promise.resolve({} as Broker),
        findBroker: (nodeId) =>
          known.includes(nodeId) ? Promise.resolve({} as Broker) : Promise.reject(new Error("not known"))
      }
      const cluster = yield* clusterOf(client)
      yield* cluster.connect
      yield* cluster.broker(2)
      yield* cluster.broker(1)
      assert.strictEqual(looks, 2)
    }))
})
