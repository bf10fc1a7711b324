/** Connections to a cluster: one to each broker for all requests, and others where a request must not hold those up. */
import { NetworkError } from "@platformatic/kafka"
import type { Client, ClusterMetadata, Node } from "@weft/protocol/Client"
import { PlatformaticBroker } from "./broker.ts"
import { classify, transportName } from "./classify.ts"
import { Connection, type ConnectionPlan } from "./connection.ts"

export interface ClientOptions extends ConnectionPlan {
  readonly brokers: ReadonlyArray<string>
  readonly groupInstanceId: string | undefined
}

type Address = Pick<Node, "host" | "port">

const addressOf = (broker: string): Address => {
  const at = broker.lastIndexOf(":")
  return { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) }
}

const keyOf = ({ host, port }: Address): string => `${host}:${port}`

export const openClient = (options: ClientOptions): Client<PlatformaticBroker> => {
  const bootstrap = options.brokers.map(addressOf)
  const all = new Set<Connection>()
  const shared = new Map<string, Promise<PlatformaticBroker>>()
  const topics = new Set<string>()
  /** Addresses that were silent, the last of them at the end. */
  const avoided = new Set<string>()
  const addresses = new WeakMap<PlatformaticBroker, string>()
  let metadata: ClusterMetadata | undefined
  /** Looks at the metadata, and the last of them that was answered. */
  let asked = 0
  let answered = 0
  let closed = false

  const connect = (address: Address): Promise<PlatformaticBroker> => {
    if (closed) return Promise.reject(new NetworkError("the transport was closed"))
    let opened: Connection | undefined
    return Connection.open(address, options, (connection) => {
      opened = connection
      all.add(connection)
    }).then((connection) => {
      const broker = new PlatformaticBroker(connection, options.groupInstanceId)
      addresses.set(broker, keyOf(address))
      return broker
    }, (error: unknown) => {
      if (opened !== undefined) all.delete(opened)
      throw error
    })
  }

  const forget = (broker: PlatformaticBroker): void => {
    broker.connection.close()
    all.delete(broker.connection)
  }

  /** The connection that all share; another one where that is gone. */
  const reach = async (address: Address): Promise<PlatformaticBroker> => {
    const key = keyOf(address)
    const known = shared.get(key)
    const broker = await known
    if (broker?.isConnected() === true) return broker
    if (broker !== undefined) forget(broker)
    // Someone else may have begun while this one waited.
    const begun = shared.get(key)
    if (begun !== undefined && begun !== known) return begun
    const connecting = connect(address)
    shared.set(key, connecting)
    connecting.catch(() => {
      if (shared.get(key) === connecting) shared.delete(key)
    })
    return connecting
  }

  const connected = async (): Promise<PlatformaticBroker | undefined> => {
    for (const [address, connecting] of shared) {
      if (avoided.has(address)) continue
      const broker = await connecting.catch(() => undefined)
      if (broker?.isConnected() === true) return broker
    }
    return undefined
  }

  /** Each address once: whoever waits decides whether to try again. */
  const firstOf = async (addresses: ReadonlyArray<Address>): Promise<PlatformaticBroker> => {
    let reason: unknown = new NetworkError("no broker is known")
    for (const address of addresses) {
      try {
        return await reach(address)
      } catch (error) {
        reason = error
      }
    }
    throw reason
  }

  const anyBroker = async (): Promise<PlatformaticBroker> => {
    const known = new Map([...metadata?.brokers ?? [], ...bootstrap].map((address) => [keyOf(address), address]))
    const last = [...avoided].flatMap((key) => known.get(key) ?? [])
    for (const key of avoided) known.delete(key)
    return await connected() ?? firstOf([...known.values(), ...last])
  }

  return {
    name: transportName,
    classify,
    connect: () => firstOf(bootstrap).then(() => undefined),
    refreshMetadata: async (broker) => {
      const turn = ++asked
      const told = await broker.metadataOf([...topics])
      // What one that was frozen says in the end, after others were asked, is old.
      if (turn < answered) return
      answered = turn
      metadata = told
    },
    metadata: () => metadata,
    topics,
    findBroker: (nodeId) => {
      const node = metadata?.brokers.find((one) => one.nodeId === nodeId)
      return node === undefined
        ? Promise.reject(new NetworkError(`broker ${nodeId} is not known`))
        : reach(node)
    },
    anyBroker,
    avoid: (broker) => {
      const address = addresses.get(broker)
      if (address === undefined) return
      avoided.delete(address)
      avoided.add(address)
    },
    dedicated: (node) => connect(node).then((broker) => ({ broker, close: () => forget(broker) })),
    close: () => {
      closed = true
      all.forEach((connection) => connection.close())
    }
  }
}
