import type { ClusterMetadata } from "@weft/protocol/Client"
import { assert, describe, it } from "@effect/vitest"
import { createRequire } from "node:module"
import { refreshOne, type RefreshingPool } from "../../src/internal/refreshing.ts"

type Pooled = RefreshingPool["brokers"][string]

interface KafkaJsPool extends RefreshingPool {
  brokers: Record<string, Pooled>
  seedBroker: unknown
  metadata: ClusterMetadata | null
}

const nothing = () => undefined
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, namespace: (): object => logger }

/** kafkajs's own, with these brokers. */
const poolOf = (brokers: Record<string, Pooled>): KafkaJsPool => {
  const BrokerPool = createRequire(import.meta.url)("kafkajs/src/cluster/brokerPool") as new(
    options: object
  ) => KafkaJsPool
  const pool = new BrokerPool({ connectionPoolBuilder: undefined, logger, metadataMaxAge: 1000 })
  pool.brokers = brokers
  pool.seedBroker = brokers["1"]
  return pool
}

const metadataOf = (...nodeIds: ReadonlyArray<number>): ClusterMetadata => ({
  brokers: nodeIds.map((nodeId) => ({ nodeId, host: "localhost", port: nodeId })),
  clusterId: "",
  controllerId: 1,
  topicMetadata: []
})

/** Owes an answer, and takes leave once it owes none, as kafkajs's connections do. */
class Owing {
  readonly rejected: Array<Error> = []
  private readonly free = Promise.withResolvers<void>()
  readonly connectionPool: Pooled["connectionPool"]
  readonly metadata: Pooled["metadata"]
  constructor(port: number, answer: ClusterMetadata, host = "localhost") {
    this.metadata = () => Promise.resolve(answer)
    this.connectionPool = {
      host,
      port,
      pool: [{
        rejectRequests: (error) => {
          this.rejected.push(error)
          this.free.resolve()
        }
      }]
    }
  }
  disconnect(): Promise<void> {
    return this.free.promise
  }
}

describe("a look at who leads", () => {
  it("waits for nothing that a broker owes who is gone, and leaves what the others owe alone", async () => {
    const metadata = metadataOf(1, 2)
    const [one, two, frozen] = [new Owing(1, metadata), new Owing(2, metadata), new Owing(3, metadata)]
    const pool = poolOf({ 1: one, 2: two, 3: frozen })
    await refreshOne(pool, new Set(["a"]))(one)
    assert.deepStrictEqual([one, two, frozen].map(({ rejected }) => rejected.length), [0, 0, 1])
    assert.strictEqual(frozen.rejected[0]!.name, "KafkaJSConnectionError")
    assert.deepStrictEqual(Object.keys(pool.brokers), ["1", "2"])
    assert.strictEqual(pool.metadata, metadata)
  })

  it("is not undone by what another broker says late, who was asked before", async () => {
    const thawed = Promise.withResolvers<ClusterMetadata>()
    const [before, after] = [metadataOf(1, 2), { ...metadataOf(1, 2), controllerId: 2 }]
    const [one, two] = [new Owing(1, after), new Owing(2, before)]
    const pool = poolOf({ 1: one, 2: { connectionPool: two.connectionPool, metadata: () => thawed.promise } })
    const refresh = refreshOne(pool, new Set(["a"]))
    const late = refresh(pool.brokers["2"]!)
    await refresh(one)
    thawed.resolve(before)
    await late
    assert.strictEqual(pool.metadata, after)
  })
})
