/** Metadata from one broker. kafkajs would ask whichever it has a connection to, also one that is frozen. */
import type { ClusterMetadata } from "@weft/protocol/Client"

interface PooledBroker {
  readonly metadata: (topics: ReadonlyArray<string>) => Promise<ClusterMetadata>
  readonly connectionPool: {
    readonly host: string
    readonly port: number
    readonly pool: ReadonlyArray<{ rejectRequests(error: Error): void }>
  }
}

/** The parts of kafkajs's broker pool that take part. */
export interface RefreshingPool {
  /** By node. */
  readonly brokers: Readonly<Record<string, PooledBroker>>
  readonly metadata: ClusterMetadata | null
  findConnectedBroker: () => Promise<unknown>
  refreshMetadata: (topics: ReadonlyArray<string>) => Promise<unknown>
}

/** Named as kafkajs names what its own connections throw. */
class BrokerGone extends Error {
  override readonly name = "KafkaJSConnectionError"
  readonly retriable = false
}

/**
 * kafkajs takes leave of brokers that are gone, or elsewhere, and waits until they have answered all that they owe: one that
 * is frozen would hold up the news of the others until its requests time out.
 */
const giveUpGone = (brokers: RefreshingPool["brokers"], metadata: ClusterMetadata): void => {
  for (const [nodeId, { connectionPool }] of Object.entries(brokers)) {
    const { host, pool, port } = connectionPool
    const isThere = metadata.brokers.some((one) =>
      String(one.nodeId) === nodeId && one.host === host && one.port === port
    )
    if (isThere) continue
    for (const connection of pool) connection.rejectRequests(new BrokerGone(`broker ${nodeId} is not there any more`))
  }
}

/**
 * At most one at a time from each broker: whoever asks meanwhile gets the same answer. What a broker that was frozen says in
 * the end, after others were asked, is old: by it those would lead again who did before.
 */
export const refreshOne = <B extends PooledBroker>(
  pool: RefreshingPool,
  topics: ReadonlySet<string>
): (broker: B) => Promise<void> => {
  const underWay = new Map<B, Promise<void>>()
  let asked = 0
  let answered = 0
  return (broker) => {
    const begun = underWay.get(broker)
    if (begun !== undefined) return begun
    const { findConnectedBroker } = pool
    const turn = ++asked
    const inTurn = {
      metadata: (names: ReadonlyArray<string>) =>
        broker.metadata(names).then((metadata) => {
          if (turn < answered && pool.metadata !== null) return pool.metadata
          answered = turn
          giveUpGone(pool.brokers, metadata)
          return metadata
        })
    }
    // The first thing that it does, before it waits for anything.
    pool.findConnectedBroker = () => Promise.resolve(inTurn)
    const refreshing = pool.refreshMetadata([...topics])
    pool.findConnectedBroker = findConnectedBroker
    const over = refreshing.then(() => undefined).finally(() => underWay.delete(broker))
    underWay.set(broker, over)
    return over
  }
}
