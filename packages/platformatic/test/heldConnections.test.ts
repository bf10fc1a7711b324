import { assert, describe, it, vi } from "@effect/vitest"
import { type AddressInfo, createServer } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Connection } from "../src/internal/connection.ts"
import { clientOf } from "./support/clientOf.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const closedPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe("a client that nobody answers", () => {
  it("keeps nothing of the connections that came to nothing", async () => {
    const made: Array<WeakRef<Connection>> = []
    const open = Connection.open
    const watched = vi.spyOn(Connection, "open").mockImplementation((address, plan, opened) =>
      open.call(Connection, address, plan, (connection) => {
        made.push(new WeakRef(connection))
        opened(connection)
      })
    )
    const client = clientOf([`127.0.0.1:${await closedPort()}`])
    for (let i = 0; i < 20; i++) await client.connect().catch(() => undefined)
    watched.mockRestore()
    await new Promise((resolve) => setTimeout(resolve, 100))
    collectGarbage()
    const kept = made.filter((one) => one.deref() !== undefined).length
    client.close()
    assert.strictEqual(made.length, 20)
    assert.isAtMost(kept, 2)
  })
})
