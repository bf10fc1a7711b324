import { connect } from "node:net"

/**
 * The ids of the brokers that a broker knows as alive: one Metadata request (version 1, for no topic) spoken by hand, so that a
 * server can be waited for without any client's retries and log.
 */
export const liveBrokers = (port: number, timeoutMs = 1000): Promise<ReadonlyArray<number>> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port })
    let received = Buffer.alloc(0)
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer from 127.0.0.1:${port} in ${timeoutMs} ms`)))
    socket.once("error", reject)
    socket.once("close", () => reject(new Error(`127.0.0.1:${port} closed the connection`)))
    socket.once("connect", () => socket.write(metadataRequest()))
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      resolve(brokerIds(received))
      socket.destroy()
    })
  })

const metadataRequest = (): Buffer => {
  const metadata = 3
  const version = 1
  const request = Buffer.alloc(18)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(metadata, 4)
  request.writeInt16BE(version, 6)
  request.writeInt32BE(1, 8) // correlation id
  request.writeInt16BE(-1, 12) // no client id
  request.writeInt32BE(0, 14) // no topics
  return request
}

const brokerIds = (response: Buffer): ReadonlyArray<number> => {
  let at = 8 // size, correlation id
  const string = () => {
    const length = response.readInt16BE(at)
    at += 2 + Math.max(length, 0)
  }
  const count = response.readInt32BE(at)
  at += 4
  return Array.from({ length: count }, () => {
    const id = response.readInt32BE(at)
    at += 4
    string() // host
    at += 4 // port
    string() // rack
    return id
  })
}
