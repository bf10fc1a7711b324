/**
 * One socket at a time for a connection. kafkajs's listeners speak of whichever socket the connection has by then: the end of
 * an old one would end its successor, and the requests there. And whoever hears of a failure ends the connection once more,
 * though another one may have begun to connect by then: it would pass for connected, and have no socket.
 */
import type { Socket } from "node:net"

/** The parts of kafkajs's connection that take part. */
export interface Connecting {
  /** Another one whenever it connects. */
  socket?: Socket | undefined
  readonly authHandlers: { readonly onError: () => void } | null
  connect: () => Promise<unknown>
  disconnect: () => Promise<unknown>
  rejectRequests(error: Error): void
}

/** Named as kafkajs names what its own connections throw; it retries or not by the flag. */
export class ConnectionGone extends Error {
  override readonly name = "KafkaJSConnectionError"
  readonly retriable = false
}

const nothing = () => undefined

export const oneSocket = (connection: Connecting): void => {
  const { connect, disconnect } = connection
  let connecting: Promise<unknown> | undefined
  let disconnecting: Promise<unknown> | undefined
  /** That nobody but who connects can mean. */
  let coming: Socket | undefined

  /** What still becomes of it is nobody's business. */
  const forget = (socket: Socket): void => {
    if (connection.socket === socket) connection.socket = undefined
    for (const event of ["data", "end", "timeout", "error"]) socket.removeAllListeners(event)
    socket.on("error", nothing)
    socket.destroySoon()
  }

  /** Two requests on a connection that the broker closed would open two sockets, whose answers then mix. */
  connection.connect = () => connecting ??= open()

  const open = (): Promise<unknown> => {
    const before = connection.socket
    const opening = connect.call(connection)
    const { socket } = connection
    if (socket !== before) coming = socket
    const settled = () => {
      connecting = undefined
      coming = undefined
    }
    return opening.then((connected) => {
      settled()
      return connected
    }, (error: unknown) => {
      settled()
      if (socket !== undefined && socket !== before) {
        forget(socket)
        socket.destroy()
      }
      throw error
    })
  }

  connection.disconnect = () => {
    const { socket } = connection
    const isMeant = socket !== undefined && (socket !== coming || socket.destroyed)
    return isMeant ? disconnecting ??= end(socket) : Promise.resolve(true)
  }

  const end = (socket: Socket): Promise<unknown> =>
    disconnect.call(connection).finally(() => {
      disconnecting = undefined
      forget(socket)
      // What was sent at the last moment.
      connection.authHandlers?.onError()
      connection.rejectRequests(new ConnectionGone("the connection was ended"))
    })
}
