/**
 * How bytes come from a broker into memory. kafkajs lets Node make a buffer for each read, keeps them, and joins them anew
 * with each read until an answer is whole. Here all sockets read into one buffer, and each answer is put together as it comes:
 * in memory of its own, or as its request wants it.
 */
import type { Assembly } from "@weft/protocol/Client"
import type { ISocketFactory } from "kafkajs"
import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

/** For the reads of all sockets: what one of them reads is taken over before anything else happens. */
const readBuffer = Buffer.allocUnsafeSlow(131_072)

/** As kafkajs has it. */
const keepAliveMs = 60_000

/** Sockets that call their `data` listeners with bytes that are valid for the call alone. */
export const socketFactory: ISocketFactory = ({ host, onConnect, port, ssl }) => {
  const onread = {
    buffer: readBuffer,
    callback: (size: number, bytes: Uint8Array): boolean => {
      socket.emit("data", bytes.subarray(0, size))
      return true
    }
  }
  // kafkajs gives no object where there is to be no TLS, whatever its types say.
  const tls = ssl as typeof ssl | undefined
  const socket: Socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, onread } as never, onConnect)
    : connectTcp({ host, port, onread }, onConnect)
  // A request is one write, and the next one must not wait until the broker has acknowledged it; so in Kafka's own client.
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
}

/** The parts of kafkajs's connection that take part in receiving. */
export interface Receiver {
  readonly socket?: Socket | undefined
  readonly authHandlers: object | null
  readonly requestQueue: {
    /** By correlation id. */
    readonly inflight?: ReadonlyMap<number, { readonly entry?: { readonly apiName: string } }>
    fulfillRequest(answer: {
      readonly size: number
      readonly correlationId: number
      readonly payload: Buffer | Assembly<unknown>
    }): void
  }
  chunks: ReadonlyArray<Buffer>
  bytesBuffered: number
  bytesNeeded: number
  processData: (bytes: Buffer) => void
}

/** How to begin the answer, of so many bytes, to a request of this name; `undefined`: it is to be one buffer. */
export type Assemblies = (apiName: string) => ((size: number) => Assembly<unknown>) | undefined

const lengthSize = 4
const correlationIdSize = 4
const headSize = lengthSize + correlationIdSize

/** A larger answer is left to kafkajs: what announces it may be no broker. */
const largestAnswer = 256 * 1024 * 1024

/** An answer on its way. */
interface Incoming {
  readonly size: number
  readonly correlationId: number
  readonly payload: Buffer | Assembly<unknown>
  left: number
}

export const receiveInPlace = (connection: Receiver, assemblies: Assemblies = () => undefined): void => {
  const theirs = connection.processData
  let socket: Socket | undefined
  let incoming: Incoming | undefined
  const head = Buffer.alloc(headSize)
  let headFilled = 0

  /** What a broken connection left half-way is no part of the next one's answers; kafkajs would take it for that. */
  const forgetOldSocket = (): void => {
    if (connection.socket === socket) return
    socket = connection.socket
    incoming = undefined
    headFilled = 0
    connection.chunks = []
    connection.bytesBuffered = 0
    connection.bytesNeeded = lengthSize
  }

  /** The bytes are valid for one call alone, and kafkajs keeps them. */
  const leaveToThem = (bytes: Buffer, start: number): void => {
    const known = head.subarray(0, headFilled)
    headFilled = 0
    theirs.call(connection, Buffer.concat([known, bytes.subarray(start)]))
  }

  const begin = (size: number, correlationId: number): Incoming => {
    const length = size - correlationIdSize
    const apiName = connection.requestQueue.inflight?.get(correlationId)?.entry?.apiName
    const assemble = apiName === undefined ? undefined : assemblies(apiName)
    return { size, correlationId, payload: assemble?.(length) ?? Buffer.allocUnsafeSlow(length), left: length }
  }

  const fill = (to: Incoming, bytes: Buffer, start: number): number => {
    const end = Math.min(bytes.length, start + to.left)
    if (Buffer.isBuffer(to.payload)) bytes.copy(to.payload, to.payload.length - to.left, start, end)
    else to.payload.take(bytes, start, end)
    to.left -= end - start
    return end
  }

  connection.processData = (bytes) => {
    forgetOldSocket()
    let at = 0
    while (at < bytes.length) {
      if (incoming === undefined) {
        if (connection.authHandlers !== null || connection.bytesBuffered > 0) return leaveToThem(bytes, at)
        const taken = bytes.copy(head, headFilled, at)
        headFilled += taken
        at += taken
        if (headFilled < headSize) return
        const size = head.readInt32BE(0)
        if (size < correlationIdSize || size > largestAnswer) return leaveToThem(bytes, at)
        headFilled = 0
        incoming = begin(size, head.readInt32BE(lengthSize))
      }
      at = fill(incoming, bytes, at)
      if (incoming.left > 0) return
      const { correlationId, payload, size } = incoming
      incoming = undefined
      connection.requestQueue.fulfillRequest({ size, correlationId, payload })
    }
  }
}
