/**
 * How bytes come from a broker into memory. kafkajs lets Node make a buffer for each read, keeps them, and joins them anew
 * with each read until an answer is whole. Here a socket reads into one buffer, and each answer is put together as it comes,
 * in memory of its own.
 */
import type { ISocketFactory } from "kafkajs"
import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

/** Between two reads of a socket nothing stays in its buffer. */
const readBytes = 131_072

/** As kafkajs has it. */
const keepAliveMs = 60_000

/** Sockets that call their `data` listeners with bytes that are valid for the call alone. */
export const socketFactory: ISocketFactory = ({ host, onConnect, port, ssl }) => {
  const onread = {
    buffer: Buffer.allocUnsafeSlow(readBytes),
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
  return socket.setKeepAlive(true, keepAliveMs)
}

/** The parts of kafkajs's connection that take part in receiving. */
export interface Receiver {
  readonly socket?: Socket | undefined
  readonly authHandlers: object | null
  readonly requestQueue: {
    fulfillRequest(answer: { readonly size: number; readonly correlationId: number; readonly payload: Buffer }): void
  }
  chunks: ReadonlyArray<Buffer>
  bytesBuffered: number
  bytesNeeded: number
  processData: (bytes: Buffer) => void
}

/** The length and the correlation id. */
const headSize = 8
const lengthSize = 4

/** A larger answer is left to kafkajs: what announces it may be no broker. */
const largestAnswer = 256 * 1024 * 1024

export const receiveInPlace = (connection: Receiver): void => {
  const theirs = connection.processData
  let socket: Socket | undefined
  /** From the correlation id on. */
  let answer: Buffer | undefined
  let filled = 0

  /** What a broken connection left half-way is no part of the next one's answers; kafkajs would take it for that. */
  const forgetOldSocket = (): void => {
    if (connection.socket === socket) return
    socket = connection.socket
    answer = undefined
    connection.chunks = []
    connection.bytesBuffered = 0
    connection.bytesNeeded = lengthSize
  }

  connection.processData = (bytes) => {
    forgetOldSocket()
    let at = 0
    while (at < bytes.length) {
      if (answer === undefined) {
        const left = bytes.length - at
        const size = left < headSize ? 0 : bytes.readInt32BE(at)
        // The bytes are valid for this call alone, and kafkajs keeps them.
        const isTheirs = connection.authHandlers !== null || connection.bytesBuffered > 0 || size < lengthSize ||
          size > largestAnswer
        if (isTheirs) return theirs.call(connection, Buffer.from(bytes.subarray(at)))
        answer = Buffer.allocUnsafeSlow(size)
        filled = 0
        at += lengthSize
      }
      const end = Math.min(bytes.length, at + answer.length - filled)
      answer.set(bytes.subarray(at, end), filled)
      filled += end - at
      at = end
      if (filled < answer.length) return
      const whole = answer
      answer = undefined
      connection.requestQueue.fulfillRequest({
        size: whole.length,
        correlationId: whole.readInt32BE(0),
        payload: whole.subarray(lengthSize)
      })
    }
  }
}
