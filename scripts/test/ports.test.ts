import { once } from "node:events"
import { type AddressInfo, createServer, type Server } from "node:net"
import { describe, expect, it } from "vitest"
import { onPorts } from "../servers/ports.ts"

const listen = async (port: number): Promise<Server> => {
  const server = createServer().listen(port, "127.0.0.1")
  await once(server, "listening")
  return server
}

describe("a server on free ports", () => {
  it("starts on others where somebody else was faster", async () => {
    const others: Array<Server> = []
    const server = await onPorts(undefined, 1, 0, async ([port]) => {
      if (others.length === 0) others.push(await listen(port!))
      return listen(port!)
    })
    expect((server.address() as AddressInfo).port).not.toBe((others[0]!.address() as AddressInfo).port)
    for (const one of [server, ...others]) one.close()
  })

  it("does not start again where it failed by itself, or where the port was given", async () => {
    let starts = 0
    const failing = (message: string) => () => {
      starts++
      return Promise.reject(new Error(message))
    }
    await expect(onPorts(undefined, 1, 0, failing("no memory"))).rejects.toThrow("no memory")
    const given = await onPorts(undefined, 1, 0, ([port]) => Promise.resolve(port!))
    await expect(onPorts(given, 1, 0, failing("Address already in use"))).rejects.toThrow("in use")
    expect(starts).toBe(2)
  })
})
