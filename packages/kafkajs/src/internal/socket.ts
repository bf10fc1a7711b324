/**
 * Sockets that read to where their bytes belong. Node would make a buffer for each read, and kafkajs would keep them all and
 * join them.
 */
import type { ISocketFactory } from "kafkajs"
import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

/** Who knows where the next bytes of a socket belong. */
export interface Intake {
  /** Nobody waits for them any more where it is over. */
  readonly isOver: boolean
  /** `undefined`: that is not known yet, or they are few; listeners for `data` get them. */
  room(): Buffer | undefined
  /** So many bytes were read to where there was room. */
  wrote(size: number): void
}

const intakes = new WeakMap<Socket, Intake>()

export const readInto = (socket: Socket, intake: Intake): void => {
  intakes.set(socket, intake)
}

/** For the other reads of all sockets: what one of them reads is taken over before anything else happens. */
const readBuffer = Buffer.allocUnsafeSlow(131_072)

/** As kafkajs has it. */
const keepAliveMs = 60_000

/** What its listeners for `data` are given is valid for the call alone. */
export const socketFactory: ISocketFactory = ({ host, onConnect, port, ssl }) => {
  // Node asks for a buffer once before there is a socket, and then after each read.
  const opened: { socket?: Socket } = {}
  const intakeOf = () => opened.socket === undefined ? undefined : intakes.get(opened.socket)
  let isRoom = false
  const onread = {
    buffer: (): Buffer => {
      const room = intakeOf()?.room()
      isRoom = room !== undefined
      return room ?? readBuffer
    },
    callback: (size: number, bytes: Uint8Array): boolean => {
      const intake = intakeOf()
      if (isRoom) intake?.wrote(size)
      else if (intake?.isOver !== true) opened.socket?.emit("data", bytes.subarray(0, size))
      return true
    }
  }
  // kafkajs gives no object where there is to be no TLS, whatever its types say.
  const tls = ssl as typeof ssl | undefined
  const socket: Socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, onread } as never, onConnect)
    : connectTcp({ host, port, onread }, onConnect)
  opened.socket = socket
  // A request is one write, and the next one must not wait until the broker has acknowledged it; so in Kafka's own client.
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
}
