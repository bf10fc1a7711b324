/**
 * How bytes become answers. kafkajs joins all that it has anew with each read until an answer is whole. Here each answer is
 * put together as it comes: in memory of its own, or as its request wants it.
 */
import type { Assembly } from "@weft/protocol/Client"
import type { Socket } from "node:net"
import { type Intake, readInto } from "./socket.ts"

/** The parts of kafkajs's connection that take part in receiving. */
export interface Receiver {
  /** Another one whenever it connects. */
  socket?: Socket | undefined
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

/** An answer as one buffer. */
class Whole implements Assembly<Buffer> {
  private readonly bytes: Buffer
  private filled = 0
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }
  take(bytes: Buffer, start: number, end: number): void {
    this.filled += bytes.copy(this.bytes, this.filled, start, end)
  }
  room(): Buffer {
    return this.bytes.subarray(this.filled)
  }
  wrote(size: number): void {
    this.filled += size
  }
  answer(): Buffer {
    return this.bytes
  }
}

/** An answer on its way. */
interface Incoming {
  readonly size: number
  readonly correlationId: number
  readonly assembly: Assembly<unknown>
  left: number
}

/** Less is not worth a read of its own: what follows it comes with the same one. */
const smallestRoom = 16_384

export const receiveInPlace = (connection: Receiver, assemblies: Assemblies = () => undefined): void => {
  const theirs = connection.processData
  let { socket } = connection
  let incoming: Incoming | undefined
  const head = Buffer.alloc(headSize)
  let headFilled = 0

  /** What a broken connection left half-way is no part of the next one's answers; kafkajs would take it for that. */
  const receiveFrom = (next: Socket | undefined): void => {
    socket = next
    incoming = undefined
    headFilled = 0
    connection.chunks = []
    connection.bytesBuffered = 0
    connection.bytesNeeded = lengthSize
    if (next !== undefined) readInto(next, intakeOf(next))
  }

  const intakeOf = (own: Socket): Intake => {
    let filling: Incoming | undefined
    return {
      get isOver() {
        return own !== socket
      },
      room: () => {
        filling = own === socket ? incoming : undefined
        const room = filling?.assembly.room()
        return room !== undefined && room.length >= smallestRoom ? room : undefined
      },
      wrote: (size) => {
        if (filling === undefined || filling !== incoming) return
        filling.assembly.wrote(size)
        advance(filling, size)
      }
    }
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
    return { size, correlationId, assembly: assemble?.(length) ?? new Whole(length), left: length }
  }

  const advance = (one: Incoming, size: number): void => {
    one.left -= size
    if (one.left > 0) return
    incoming = undefined
    const { assembly, correlationId } = one
    const payload = assembly instanceof Whole ? assembly.answer() : assembly
    connection.requestQueue.fulfillRequest({ size: one.size, correlationId, payload })
  }

  Object.defineProperty(connection, "socket", {
    get: () => socket,
    set: receiveFrom,
    configurable: true,
    enumerable: true
  })
  if (socket !== undefined) receiveFrom(socket)

  connection.processData = (bytes) => {
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
      const end = Math.min(bytes.length, at + incoming.left)
      incoming.assembly.take(bytes, at, end)
      advance(incoming, end - at)
      at = end
    }
  }
}
