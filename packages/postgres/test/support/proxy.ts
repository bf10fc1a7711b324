/** A TCP proxy in front of a real server, whose line can be cut, silenced and restored. */
import * as Effect from "effect/Effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

export interface Proxy {
  readonly url: string
  /** Connections break, new ones are refused. */
  readonly cut: Effect.Effect<void>
  /** Connections stay, and no byte comes through. */
  readonly silence: Effect.Effect<void>
  readonly restore: Effect.Effect<void>
}

const listen = (server: Server, port: number) =>
  Effect.callback<number>((resume) => {
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })

/** In front of the server of a database's URL; `isOpen` tells whether it starts with the line up. */
export const proxy = Effect.fnUntraced(function*(databaseUrl: string, isOpen = true) {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let silent = false
  const accept = (client: Socket) => {
    const server = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      sockets.add(socket)
      socket.on("data", (bytes) => {
        if (!silent) other.write(bytes)
      })
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  }
  let server = createServer(accept)
  const port = yield* listen(server, 0)
  const cut = Effect.callback<void>((resume) => {
    for (const socket of sockets) socket.destroy()
    server.close(() => resume(Effect.void))
  })
  const restore = Effect.suspend(() => {
    silent = false
    if (server.listening) return Effect.void
    server = createServer(accept)
    return Effect.asVoid(listen(server, port))
  })
  yield* Effect.addFinalizer(() => cut)
  if (!isOpen) yield* cut
  const url = new URL(databaseUrl)
  url.hostname = "127.0.0.1"
  url.port = String(port)
  return {
    url: url.href,
    cut,
    silence: Effect.sync(() => {
      silent = true
    }),
    restore
  } satisfies Proxy
})
