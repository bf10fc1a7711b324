import { assert, describe, it } from "@effect/vitest"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { type ClusterOptions, openCluster, type RawBroker } from "../../src/internal/inside.ts"

const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Takes connections, and does with each what `serve` says; the first is number 0. */
const withServer = async (
  serve: (socket: Socket, connection: number) => void,
  use: (port: number, sockets: ReadonlyArray<Socket>) => Promise<void>
): Promise<void> => {
  const sockets: Array<Socket> = []
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined)
    serve(socket, sockets.push(socket) - 1)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    await use((server.address() as AddressInfo).port, sockets)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

interface Connection {
  readonly connect: () => Promise<unknown>
  readonly disconnect: () => Promise<unknown>
  readonly isConnected: () => boolean
  readonly send: (request: object) => Promise<Buffer>
  readonly socket: Socket | undefined
}

interface Inside {
  readonly rootLogger: unknown
  readonly connectionPoolBuilder: {
    readonly build: (address: object) => Promise<{ readonly pool: ReadonlyArray<Connection> }>
  }
  readonly brokerPool: {
    readonly brokers: Record<string, RawBroker>
    readonly createBroker: (options: object) => RawBroker
    readonly findBroker: (node: { readonly nodeId: string }) => Promise<RawBroker>
  }
}

const open = (port: number) => {
  const options: ClusterOptions = {
    brokers: [`127.0.0.1:${port}`],
    // Nothing here is to time out.
    connectionTimeout: 30_000,
    requestTimeout: 50_000,
    metadataMaxAge: 1000,
    retry: { retries: 0 },
    logCreator: () => () => undefined
  }
  const { close, cluster } = openCluster(options)
  const inside = cluster as unknown as Inside
  const build = () => inside.connectionPoolBuilder.build({ host: "127.0.0.1", port })
  return { close, inside, connection: () => build().then(({ pool }) => pool[0]!), build }
}

const noBytes = { buf: Buffer.alloc(0), buffer: Buffer.alloc(0) }
const question = {
  request: { apiKey: 18, apiName: "ApiVersions", apiVersion: 0, encode: () => Promise.resolve(noBytes) },
  response: {
    decode: (payload: Buffer) => Promise.resolve({ payload, clientSideThrottleTime: 0 }),
    parse: ({ payload }: { readonly payload: Buffer }) => Promise.resolve(payload)
  }
}

/** Says to each request that all is well, and that it knows no versions. */
const answering = (socket: Socket): void => {
  socket.on("data", (bytes: Buffer) => {
    const answer = Buffer.alloc(14)
    answer.writeInt32BE(10, 0)
    bytes.copy(answer, 4, 8, 12)
    socket.write(answer)
  })
}

describe("a connection", () => {
  it("whose last socket ends late keeps the new one, and what is asked there", () =>
    withServer((socket, number) => number === 0 ? socket.resume() : answering(socket), async (port, sockets) => {
      const cluster = open(port)
      const connection = await cluster.connection()
      await connection.connect()
      await until(() => sockets.length === 1)
      const last = connection.socket!
      await connection.disconnect()
      await connection.connect()
      await until(() => sockets.length === 2)
      let hasHeard = false
      sockets[1]!.removeAllListeners("data").on("data", () => hasHeard = true)
      const asked = connection.send(question)
      sockets[0]!.end()
      // What is asked from then on is answered, and what was asked before is not.
      await until(() => hasHeard && last.closed)
      sockets[1]!.removeAllListeners("data")
      answering(sockets[1]!)
      const again = connection.send(question)
      assert.strictEqual((await again).length, 6)
      assert.isTrue(connection.isConnected())
      cluster.close()
      assert.strictEqual(await asked.then(() => "answered", (error: Error) => error.name), "KafkaJSConnectionError")
    }))

  it("that is ended while it connects anew is connected then, with a socket", () =>
    withServer(answering, async (port) => {
      const cluster = open(port)
      const connection = await cluster.connection()
      const connecting = connection.connect()
      await connection.disconnect()
      await connecting
      assert.strictEqual((await connection.send(question)).length, 6)
      cluster.close()
    }))

  it("that breaks for one caller is made anew for the next one, who waits meanwhile", () =>
    withServer(
      (socket, number) => number === 0 ? socket.once("data", () => socket.resetAndDestroy()) : answering(socket),
      async (port) => {
        const cluster = open(port)
        const { brokerPool, rootLogger } = cluster.inside
        const connectionPool = await cluster.build()
        brokerPool.brokers["1"] = brokerPool.createBroker({ connectionPool, logger: rootLogger, nodeId: 1 })
        const find = () => brokerPool.findBroker({ nodeId: "1" }).then(() => "found", (error: Error) => error.name)
        assert.deepStrictEqual(await Promise.all([find(), find(), find()]), [
          "KafkaJSConnectionError",
          "found",
          "found"
        ])
        cluster.close()
      }
    ))

  it("that is gone gets no listeners from all those who end it", () =>
    withServer(answering, async (port, sockets) => {
      const cluster = open(port)
      const connection = await cluster.connection()
      await connection.connect()
      const { socket } = connection
      await until(() => sockets.length === 1)
      const ended = Array.from({ length: 20 }, () => connection.disconnect())
      socket!.destroy()
      await Promise.all([...ended, ...Array.from({ length: 20 }, () => connection.disconnect())])
      assert.isAtMost(socket!.listenerCount("connect"), 1)
      assert.isFalse(connection.isConnected())
      cluster.close()
    }))
})
