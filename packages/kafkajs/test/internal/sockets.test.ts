import { assert, describe, it } from "@effect/vitest"
import { createRequire } from "node:module"
import * as net from "node:net"
import * as tls from "node:tls"
import { receiveInPlace, type Receiver } from "../../src/internal/receiving.ts"
import { socketFactory } from "../../src/internal/socket.ts"

/** For localhost, signed by itself, and secret to nobody. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyxVv38Gxfocda9oj
hG5e5Np/6dzN01rBePM7TcpSj1uhRANCAASpFZFfjaPBcD+xDOucWXSMz3VTs955
BW+9UZgD+dNG6ilfRPUJwV9x5gPU7hgnuOQd3ZMQ7KX67OFmv5K01Fpa
-----END PRIVATE KEY-----`
const cert = `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUcwOhtBDxXC5HcU/B/FaSHm1yJ6swCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE5MjgxMloYDzIxMjYxMDMw
MTkyODEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASpFZFfjaPBcD+xDOucWXSMz3VTs955BW+9UZgD+dNG6ilfRPUJwV9x
5gPU7hgnuOQd3ZMQ7KX67OFmv5K01Fpao2kwZzAdBgNVHQ4EFgQUVNGkiWXRilWn
Le8BFwwQpODFhIcwHwYDVR0jBBgwFoAUVNGkiWXRilWnLe8BFwwQpODFhIcwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAKJm11d0Bgs7MA13yDKUIxKBjiZfD7a7m959FaMGhMb8AiEAvJP7mCe7
RsCz3XhzsqOgD+X3QLuusSyjpN3CQIDXSbE=
-----END CERTIFICATE-----`

const answerOf = (correlationId: number, size: number): Buffer => {
  const bytes = Buffer.alloc(8 + size, correlationId)
  bytes.writeInt32BE(4 + size, 0)
  bytes.writeInt32BE(correlationId, 4)
  return bytes
}

/** Sizes around those of a socket's reads and of TLS's records. */
const sizes = [0, 1, 5, 16_383, 16_384, 16_385, 65_536, 131_072, 131_073, 700_000, 3, 2_500_000]

/** Of the correlation ids of one connection. */
const idsOf = (connection: number): ReadonlyArray<number> => sizes.map((_, i) => connection * sizes.length + i)

/** Writes all answers in pieces that end anywhere; of each connection they are others. */
const serving = () => {
  let connections = 0
  return (socket: net.Socket): void => serve(socket, connections++)
}

const serve = (socket: net.Socket, connection: number): void => {
  const all = Buffer.concat(idsOf(connection).map((id, i) => answerOf(id, sizes[i]!)))
  let at = 0
  const next = () => {
    while (at < all.length) {
      const end = Math.min(all.length, at + 1 + at * 7919 % 90_001)
      const isRoom = socket.write(all.subarray(at, end))
      at = end
      if (isRoom) continue
      socket.once("drain", next)
      return
    }
    socket.end()
  }
  next()
}

const received = (port: number, ssl: tls.ConnectionOptions | undefined) =>
  new Promise<ReadonlyArray<{ readonly correlationId: number; readonly payload: Buffer }>>((resolve, reject) => {
    const answers: Array<{ readonly correlationId: number; readonly payload: Buffer }> = []
    const socket = socketFactory({ host: "localhost", port, ssl: ssl as never, onConnect: () => {} })
    const connection: Receiver = {
      socket,
      authHandlers: null,
      requestQueue: {
        fulfillRequest: ({ correlationId, payload }) => {
          if (Buffer.isBuffer(payload)) answers.push({ correlationId, payload })
        }
      },
      chunks: [],
      bytesBuffered: 0,
      bytesNeeded: 4,
      processData: () => reject(new Error("nothing of this is left to kafkajs"))
    }
    receiveInPlace(connection)
    socket.on("data", (bytes) => connection.processData(bytes as Buffer))
    socket.on("error", reject)
    socket.on("close", () => resolve(answers))
  })

const listening = (server: net.Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "localhost", () => resolve((server.address() as net.AddressInfo).port)))

describe("a socket", () => {
  for (const [name, secured] of [["TCP", false], ["TLS", true]] as const) {
    it(`${name}: answers of all sizes come whole and in order, on several connections at once`, async () => {
      const server = secured ? tls.createServer({ key, cert }, serving()) : net.createServer(serving())
      const port = await listening(server)
      try {
        const connections = 3
        const ssl = secured ? { ca: [cert] } : undefined
        const all = await Promise.all(Array.from({ length: connections }, () => received(port, ssl)))
        const ids = all.map((answers) => answers.map(({ correlationId }) => correlationId))
        assert.deepStrictEqual(
          ids.toSorted((a, b) => a[0]! - b[0]!),
          Array.from({ length: connections }, (_, connection) => idsOf(connection))
        )
        for (const { correlationId, payload } of all.flat()) {
          const size = sizes[correlationId % sizes.length]!
          assert.isTrue(payload.equals(Buffer.alloc(size, correlationId)), `answer ${correlationId}`)
        }
      } finally {
        server.close()
      }
    })
  }

  it("TLS: a certificate that nobody signed is refused", async () => {
    const server = tls.createServer({ key, cert }, serving())
    const port = await listening(server)
    try {
      const refused = await received(port, {}).then(() => undefined, (error: NodeJS.ErrnoException) => error.code)
      assert.strictEqual(refused, "DEPTH_ZERO_SELF_SIGNED_CERT")
    } finally {
      server.close()
    }
  })

  it("what an old connection still brings is no part of the next one's answers", async () => {
    const sockets: Array<net.Socket> = []
    const requests: Array<number> = []
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket)
      socket.on("data", (bytes) => requests.push((bytes as Buffer).readInt32BE(8)))
    })
    const port = await listening(server)
    const until = async (isSo: () => boolean) => {
      while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    /** Each piece is a read of its own. */
    const written = (socket: net.Socket, piece: Buffer) =>
      new Promise((resolve) => socket.write(piece, () => setTimeout(resolve, 50)))
    const connection = kafkaJsConnection(port)
    receiveInPlace(connection)
    try {
      await connection.connect()
      const late = connection.send(request).then(() => "answered", (error: Error) => error.name)
      await until(() => requests.length === 1)
      const first = answerOf(requests[0]!, 100_000)
      sockets[0]!.write(first.subarray(0, 50_000))
      // Nobody waits for the rest of it any more, so nothing holds the end of the connection up.
      assert.strictEqual(await late, "KafkaJSRequestTimeoutError")
      await connection.disconnect()
      await connection.connect()
      const answered = connection.send({ ...request, requestTimeout: 50_000 })
      await until(() => requests.length === 2)
      const second = answerOf(requests[1]!, 100_000)
      await written(sockets[1]!, second.subarray(0, 50_000))
      await written(sockets[0]!, first.subarray(50_000, 70_000))
      await written(sockets[0]!, first.subarray(70_000))
      await written(sockets[1]!, second.subarray(50_000, 60_000))
      await written(sockets[1]!, second.subarray(60_000))
      assert.isTrue((await answered).equals(second.subarray(8)))
    } finally {
      await connection.disconnect()
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })
})

interface KafkaJsConnection extends Receiver {
  readonly connect: () => Promise<unknown>
  readonly disconnect: () => Promise<unknown>
  readonly send: (request: object) => Promise<Buffer>
}

const kafkaJsConnection = (port: number): KafkaJsConnection => {
  const inner = createRequire(import.meta.url)
  const Connection = inner("kafkajs/src/network/connection") as new(options: object) => KafkaJsConnection
  const nothing = () => undefined
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, namespace: (): object => logger }
  return new Connection({
    host: "localhost",
    port,
    logger,
    socketFactory,
    connectionTimeout: 30_000,
    requestTimeout: 200
  })
}

const request = {
  request: {
    apiKey: 18,
    apiName: "ApiVersions",
    apiVersion: 0,
    encode: () => Promise.resolve({ buf: Buffer.alloc(0), buffer: Buffer.alloc(0) })
  },
  response: {
    decode: (payload: Buffer) => Promise.resolve({ payload, clientSideThrottleTime: 0 }),
    parse: ({ payload }: { readonly payload: Buffer }) => Promise.resolve(payload)
  },
  requestTimeout: null
}
