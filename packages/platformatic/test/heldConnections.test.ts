import { assert, describe, it, vi } from "@effect/vitest"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Connection } from "../src/internal/connection.ts"
import { clientOf } from "./support/clientOf.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Nothing listens there: one that was found free may be somebody else's by now. */
const closedPort = 1

/** How many are left, once so few are, or after that time. */
const kept = async (made: ReadonlyArray<WeakRef<object>>, atMost: number): Promise<number> => {
  const deadline = performance.now() + 30_000
  while (true) {
    // What the sockets of this turn still hold goes with the next ones.
    await new Promise((resolve) => setTimeout(resolve, 50))
    collectGarbage()
    const left = made.filter((one) => one.deref() !== undefined).length
    if (left <= atMost || performance.now() > deadline) return left
  }
}

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
    const client = clientOf([`127.0.0.1:${closedPort}`])
    for (let i = 0; i < 20; i++) await client.connect().catch(() => undefined)
    watched.mockRestore()
    const left = await kept(made, 2)
    client.close()
    assert.strictEqual(made.length, 20)
    assert.isAtMost(left, 2)
  })
})
