import { assert, describe, it } from "@effect/vitest"
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

describe("a cluster that nobody answers for", () => {
  it("keeps nothing of the connections that came to nothing", async () => {
    const { close, cluster } = openCluster({
      brokers: [`127.0.0.1:${closedPort}`],
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
    const left = await kept(made, 4)
    close()
    assert.isAbove(made.length, 40)
    // Those of the address that is tried next.
    assert.isAtMost(left, 4)
  })
})
