import { assert, describe, it } from "@effect/vitest"
import type { ClusterMetadata } from "@weft/protocol/Client"
import * as Effect from "effect/Effect"
import { type AddressInfo, createServer, type Server } from "node:net"
import type { PlatformaticBroker } from "../src/internal/broker.ts"
import { clientOf } from "./support/clientOf.ts"

const listening = (server: Server) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<number>((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
      )
    ),
    () => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
  )

describe("openClient", () => {
  it.live("goes on to the next address where the first one takes the connection and says nothing", () =>
    Effect.gen(function*() {
      const silent = yield* listening(createServer((socket) => void socket.resume().on("error", () => undefined)))
      let reached = 0
      const next = yield* listening(createServer((socket) => {
        reached++
        socket.destroy()
      }))
      const client = clientOf([`127.0.0.1:${silent}`, `127.0.0.1:${next}`], 305_000)
      yield* Effect.addFinalizer(() => Effect.sync(client.close))
      const connecting = Effect.ignore(Effect.tryPromise(() => client.connect()))
      // Long before the request timeout.
      yield* Effect.timeoutOption(connecting, 40_000)
      assert.isAbove(reached, 0)
    }))

  it.effect("what a broker says late of the cluster does not undo what another one, asked after it, has said", () =>
    Effect.gen(function*() {
      const client = clientOf(["127.0.0.1:1"])
      const thawed = Promise.withResolvers<ClusterMetadata>()
      const answering = (metadataOf: () => Promise<ClusterMetadata>) =>
        ({ metadataOf }) as unknown as PlatformaticBroker
      const late = client.refreshMetadata(answering(() => thawed.promise))
      yield* Effect.promise(() => client.refreshMetadata(answering(() => Promise.resolve(controlledBy(2)))))
      thawed.resolve(controlledBy(1))
      yield* Effect.promise(() => late)
      assert.strictEqual(client.metadata()?.controllerId, 2)
    }))
})

const controlledBy = (controllerId: number): ClusterMetadata => ({
  brokers: [],
  clusterId: "",
  controllerId,
  topicMetadata: []
})
