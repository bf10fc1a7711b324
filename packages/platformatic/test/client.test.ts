import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type AddressInfo, createServer, type Server } from "node:net"
import { openClient } from "../src/internal/client.ts"

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
      const client = openClient({
        brokers: [`127.0.0.1:${silent}`, `127.0.0.1:${next}`],
        groupInstanceId: undefined,
        clientId: "weft",
        requestTimeoutMs: 305_000,
        connectionTimeoutMs: 300,
        authenticationTimeoutMs: 300,
        tls: undefined,
        sasl: undefined
      })
      yield* Effect.addFinalizer(() => Effect.sync(client.close))
      const connecting = Effect.ignore(Effect.tryPromise(() => client.connect()))
      yield* Effect.timeoutOption(connecting, 3_000)
      assert.isAbove(reached, 0)
    }))
})
