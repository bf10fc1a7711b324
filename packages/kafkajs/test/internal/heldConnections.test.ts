import { assert, describe, it } from "@effect/vitest"
import { type AddressInfo, createServer } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { openCluster } from "../../src/internal/inside.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

interface Pool {
  readonly pool: ReadonlyArray<object>
}

interface Inside {
  readonly connectionPoolBuilder: { build: (address?: object) => Promise<Pool> }
  readonly brokerPool: { readonly connect: () => Promise<void> }
}

const closedPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe("a cluster that nobody answers for", () => {
  it("keeps nothing of the connections that came to nothing", async () => {
    const { close, cluster } = openCluster({
      brokers: [`127.0.0.1:${await closedPort()}`],
      connectionTimeout: 500,
      requestTimeout: 1000,
      metadataMaxAge: 1000,
      retry: { retries: 2, initialRetryTime: 1, maxRetryTime: 1 },
      logCreator: () => () => undefined
    })
    const inside = cluster as unknown as Inside
    const made: Array<WeakRef<object>> = []
    const builder = inside.connectionPoolBuilder
    const build = builder.build
    builder.build = (address) =>
      build(address).then((pool) => {
        made.push(...pool.pool.map((connection) => new WeakRef(connection)))
        return pool
      })
    for (let i = 0; i < 10; i++) await inside.brokerPool.connect().catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 50))
    collectGarbage()
    const kept = made.filter((one) => one.deref() !== undefined).length
    close()
    assert.isAbove(made.length, 40)
    // Those of the address that is tried next.
    assert.isAtMost(kept, 4)
  })
})
