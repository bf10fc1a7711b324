/**
 * The one place that relies on kafkajs's inside. Its cluster (connections, TLS, SASL, metadata, the encoding of requests)
 * is what this transport is built on; its consumer and producer are not, for what they do to offsets, retries and
 * rebalances. kafkajs has had no release since 2.2.4, and any other version is refused.
 */
import type {
  Assembly,
  ClusterMetadata,
  GroupMember,
  Node,
  PartitionResult,
  TopicResults,
  WireRequest
} from "@weft/protocol/Client"
import { isTlsRecord, TlsExpected } from "@weft/protocol/Handshake"
import { Reader } from "@weft/protocol/Wire"
import { type Admin, Kafka, type KafkaConfig, logLevel } from "kafkajs"
import { createRequire } from "node:module"
import { type Connecting, ConnectionGone, oneSocket } from "./oneSocket.ts"
import { receiveInPlace, type Receiver } from "./receiving.ts"
import { refreshOne, type RefreshingPool } from "./refreshing.ts"
import { socketFactory } from "./socket.ts"

/** The only version whose inside is known. */
export const kafkajsVersion = "2.2.4"

export const installedVersion = (): string => {
  const { version } = createRequire(import.meta.url)("kafkajs/package.json") as { readonly version: string }
  return version
}

/** What each record of a record batch shares with the others. */
export interface BatchContext {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly partitionLeaderEpoch: number
  readonly producerId: string
  readonly inTransaction: boolean
  /** 0 create time, 1 log append time. */
  readonly timestampType: number
}

/** A record as kafkajs decodes it. */
export interface Message {
  readonly offset: string
  /** Absent in the message format 0. */
  readonly timestamp?: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, Buffer | null | ReadonlyArray<Buffer | null>>>
  readonly isControlRecord?: boolean
  /** Absent in the message formats before 2. */
  readonly batchContext?: BatchContext
}

export interface FetchedPartition extends PartitionResult {
  readonly highWatermark: string
  readonly lastStableOffset?: string
  readonly abortedTransactions?: ReadonlyArray<{ readonly producerId: string; readonly firstOffset: string }>
  readonly messages: ReadonlyArray<Message>
}

interface Connection extends Receiver, Connecting {
  readonly authHandlers: Connecting["authHandlers"]
  readonly requestQueue: Receiver["requestQueue"] & {
    readonly pending: ReadonlyArray<unknown>
    scheduleCheckPendingRequests: () => void
  }
  readonly ssl: object | null
  /** How long an authentication holds, in milliseconds; 0: for as long as the connection. */
  readonly sessionLifetime: { readonly toNumber: () => number }
  /** How long before its end it is renewed, in milliseconds. */
  reauthenticationThreshold: number
}

interface ConnectionPool {
  readonly host: string
  readonly port: number
  readonly pool: ReadonlyArray<Connection>
  isConnected(): boolean
  send(request: unknown): Promise<unknown>
}

/** One broker, as kafkajs has it. Parts that failed are in the answers, each with its error code. */
export interface RawBroker {
  readonly nodeId: number | string | null
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null
  readonly connectionPool: ConnectionPool
  isConnected(): boolean
  connect(): Promise<void>
  disconnect(): Promise<void>
  metadata(topics: ReadonlyArray<string>): Promise<ClusterMetadata>
  findGroupCoordinator(request: { readonly groupId: string; readonly coordinatorType: number }): Promise<{
    readonly coordinator: Node
  }>
  joinGroup(request: {
    readonly groupId: string
    readonly sessionTimeout: number
    readonly rebalanceTimeout: number
    readonly memberId: string
    readonly groupProtocols: ReadonlyArray<{ readonly name: string; readonly metadata: Buffer }>
  }): Promise<{
    readonly errorCode: number
    readonly generationId: number
    readonly leaderId: string
    readonly memberId: string
    readonly groupProtocol: string
    readonly members: ReadonlyArray<GroupMember>
  }>
  syncGroup(request: {
    readonly groupId: string
    readonly generationId: number
    readonly memberId: string
    readonly groupAssignment: ReadonlyArray<{ readonly memberId: string; readonly memberAssignment: Buffer }>
  }): Promise<{ readonly memberAssignment: Buffer }>
  heartbeat(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
  }): Promise<unknown>
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>
  fetch(request: {
    readonly isolationLevel: number
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly topics: ReadonlyArray<{
      readonly topic: string
      readonly partitions: ReadonlyArray<{
        readonly partition: number
        readonly fetchOffset: string
        readonly maxBytes: number
      }>
    }>
  }): Promise<{
    readonly errorCode?: number
    readonly responses: ReadonlyArray<{
      readonly topicName: string
      readonly partitions: ReadonlyArray<FetchedPartition>
    }>
  }>
  listOffsets(request: {
    readonly isolationLevel: number
    readonly topics: ReadonlyArray<{
      readonly topic: string
      readonly partitions: ReadonlyArray<{ readonly partition: number; readonly timestamp: number }>
    }>
  }): Promise<{ readonly responses: ReadonlyArray<TopicResults<{ readonly offset: string }>> }>
  offsetCommit(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
    readonly retentionTime: number
    readonly topics: ReadonlyArray<{
      readonly topic: string
      readonly partitions: ReadonlyArray<
        { readonly partition: number; readonly offset: string; readonly metadata: string }
      >
    }>
  }): Promise<{ readonly responses: ReadonlyArray<TopicResults<unknown>> }>
  /** No topics: all that the group has offsets of. */
  offsetFetch(request: {
    readonly groupId: string
    readonly topics: ReadonlyArray<{
      readonly topic: string
      readonly partitions: ReadonlyArray<{ readonly partition: number }>
    }>
  }): Promise<{
    readonly errorCode?: number
    readonly responses: ReadonlyArray<TopicResults<{ readonly offset: string; readonly metadata: string | null }>>
  }>
  initProducerId(request: { readonly transactionTimeout: number }): Promise<{
    readonly producerId: string
    readonly producerEpoch: number
  }>
}

export interface Cluster {
  readonly targetTopics: Set<string>
  readonly brokerPool: {
    readonly metadata: ClusterMetadata | null
    /** By node. */
    readonly brokers: Readonly<Record<string, RawBroker>>
    /** Any broker that answers; one of the bootstrap addresses where none is known yet. */
    findConnectedBroker(): Promise<RawBroker>
  }
  connect(): Promise<void>
  findBroker(node: { readonly nodeId: string }): Promise<RawBroker>
}

/** A cluster, and what kafkajs does not offer for it. */
export interface OpenCluster {
  readonly cluster: Cluster
  /** A connection of its own: what waits there (a join) holds up nothing else. */
  readonly dedicated: (
    node: Node
  ) => Promise<Dedicated>
  /** Asks this broker for metadata; kafkajs would ask whichever it has a connection to, also one that is frozen. */
  readonly refreshOn: (broker: RawBroker) => Promise<void>
  /** Closes every connection now; what waits for an answer fails. */
  readonly close: () => void
}

export interface Dedicated {
  readonly broker: RawBroker
  /** Now; what waits for an answer fails. */
  readonly close: () => void
}

export interface ClusterOptions extends KafkaConfig {
  readonly metadataMaxAge: number
}

interface PoolBuilder {
  build: (destination?: { readonly host: string; readonly port: number }) => Promise<ConnectionPool>
}

interface InnerCluster extends Cluster {
  readonly rootLogger: unknown
  readonly connectionPoolBuilder: PoolBuilder
  readonly brokerPool: Cluster["brokerPool"] & RefreshingPool & {
    readonly versions: unknown
    createBroker: (options: object) => RawBroker
  }
}

type Lookup = (
  apiKey: number,
  definition: unknown
) => (args: object) => { readonly response: { readonly parse: unknown } }

const configOf = (options: ClusterOptions): KafkaConfig => ({
  ...options,
  // The lines of the level below are many for each request; they are not made at all.
  logLevel: logLevel.INFO
})

const innerOf = (kafka: Kafka): Record<symbol, (options: object) => InnerCluster> & { readonly create: symbol } => {
  const create = Object.getOwnPropertySymbols(kafka).find((symbol) =>
    symbol.description === "private:Kafka:createCluster"
  )
  if (create === undefined) throw new Error(`kafkajs ${installedVersion()} has no cluster where 2.2.4 has it`)
  return Object.assign(kafka as unknown as Record<symbol, (options: object) => InnerCluster>, { create })
}

export const openCluster = (options: ClusterOptions): OpenCluster => {
  const inner = innerOf(new Kafka({ ...configOf(options), socketFactory }))
  const cluster = inner[inner.create]!({ metadataMaxAge: options.metadataMaxAge, allowAutoTopicCreation: false })
  const connections = trackConnections(cluster, true)
  const createBroker = cluster.brokerPool.createBroker
  cluster.brokerPool.createBroker = (brokerOptions) => keepPartErrors(createBroker(brokerOptions))
  return {
    cluster,
    refreshOn: refreshOne(cluster.brokerPool, cluster.targetTopics),
    dedicated: ({ host, nodeId, port }) =>
      cluster.connectionPoolBuilder.build({ host, port }).then((connectionPool) => {
        const broker = cluster.brokerPool.createBroker({
          connectionPool,
          logger: cluster.rootLogger,
          versions: cluster.brokerPool.versions,
          nodeId
        })
        const close = () => {
          for (const connection of connectionPool.pool) {
            connections.all.delete(connection)
            closeConnection(connection)
          }
        }
        return broker.connect().then(() => ({ broker, close }), (error: unknown) => {
          close()
          throw error
        })
      }),
    close: connections.close
  }
}

/** kafkajs's own admin client, for the requests that it makes well. */
export const openAdmin = (options: ClusterOptions): { readonly admin: Admin; readonly close: () => void } => {
  const kafka = new Kafka(configOf(options))
  const inner = innerOf(kafka)
  const create = inner[inner.create]!
  let close = () => {}
  inner[inner.create] = (clusterOptions) => {
    const cluster = create(clusterOptions)
    close = trackConnections(cluster, false).close
    return cluster
  }
  const admin = kafka.admin(options.retry === undefined ? {} : { retry: options.retry })
  return { admin, close }
}

const closed = () => new ConnectionGone("the connection was closed")

const closeConnection = (connection: Connection): void => {
  const { socket } = connection
  // What kafkajs still tries in the background must not open it again: that would keep the process alive.
  connection.connect = () => Promise.reject(closed())
  connection.rejectRequests(closed())
  void connection.disconnect().finally(() => socket?.destroy())
}

/** The connections of a cluster that have a socket, or may have one soon; those made after its end included. */
interface Connections {
  readonly all: Set<Connection>
  readonly close: () => void
}

const trackConnections = (cluster: InnerCluster, receivesInPlace: boolean): Connections => {
  const all = new Set<Connection>()
  let isClosed = false
  const builder = cluster.connectionPoolBuilder
  const build = builder.build
  builder.build = (destination) =>
    build(destination).then((pool) => {
      // While no broker answers, kafkajs makes others with each attempt.
      for (const one of all) if (one.socket === undefined) all.delete(one)
      for (const connection of pool.pool) {
        all.add(connection)
        restQueue(connection)
        noticeTls(connection)
        oneSocket(connection)
        renewInTime(connection)
        if (receivesInPlace) receiveInPlace(connection, (apiName) => assemblies.get(apiName))
        const { connect } = connection
        connection.connect = () => {
          if (isClosed) return Promise.reject(closed())
          all.add(connection)
          return connect()
        }
      }
      return pool
    })
  return {
    all,
    close: () => {
      isClosed = true
      all.forEach(closeConnection)
    }
  }
}

/** kafkajs re-arms a timer of one millisecond for as long as a connection lives, with nothing to wait for. */
const restQueue = ({ requestQueue }: Connection): void => {
  const schedule = requestQueue.scheduleCheckPendingRequests
  requestQueue.scheduleCheckPendingRequests = () => {
    if (requestQueue.pending.length > 0) schedule.call(requestQueue)
  }
}

/** A broker that speaks TLS, where kafkajs does not, answers what kafkajs takes for the length of a long answer. */
const noticeTls = (connection: Connection): void => {
  if (connection.ssl !== null && connection.ssl !== undefined) return
  const connect = connection.connect
  connection.connect = () => {
    const before = connection.socket
    const connecting = connect.call(connection)
    const { socket } = connection
    if (socket !== before) {
      socket?.prependOnceListener("data", (bytes: Buffer) => {
        if (isTlsRecord(bytes)) connection.rejectRequests(new TlsExpected())
      })
    }
    return connecting
  }
}

/** kafkajs renews a session ten seconds before its end: one that is no longer than that, before each request. */
const renewInTime = (connection: Connection): void => {
  Object.defineProperty(connection, "reauthenticationThreshold", {
    get: () => Math.min(10_000, Math.floor(connection.sessionLifetime.toNumber() / 4))
  })
}

/**
 * Fetch, ListOffsets, Metadata, OffsetCommit, OffsetFetch: kafkajs throws the first part's error and the rest away.
 * JoinGroup: it joins a second time by itself, and nobody learns as whom until that has ended.
 */
const inParts: ReadonlySet<number> = new Set([1, 2, 3, 8, 9, 11])

const keepParts = (lookup: Lookup): Lookup => (apiKey, definition) => {
  const make = lookup(apiKey, definition)
  if (!inParts.has(apiKey)) return make
  return (args) => {
    const request = make(args)
    return { ...request, response: { ...request.response, parse: (data: unknown) => Promise.resolve(data) } }
  }
}

/** A broker looks its requests up anew each time it connects, hence an accessor. */
const keepPartErrors = (broker: RawBroker): RawBroker => {
  let lookup = keepParts((broker as unknown as { readonly lookupRequest: Lookup }).lookupRequest)
  return Object.defineProperty(broker, "lookupRequest", {
    get: () => lookup,
    set: (value: Lookup) => {
      lookup = keepParts(value)
    }
  })
}

/** Whether a request of this version can be sent by `send`, as far as can be seen. */
export const canSend = (broker: RawBroker, apiKey: number, version: number): boolean =>
  typeof broker.connectionPool?.send === "function" && (broker.versions?.[apiKey]?.maxVersion ?? 0) >= version

/** The message formats before version 2, by kafkajs's decoder. It stops where it meets that one. */
export const decodeMessageSet = (bytes: Buffer): Promise<ReadonlyArray<Message>> => {
  const inner = createRequire(import.meta.url)
  const Decoder = inner("kafkajs/src/protocol/decoder") as new(bytes: Buffer) => object
  const decode = inner("kafkajs/src/protocol/messageSet/decoder") as (
    decoder: object,
    size: number
  ) => Promise<ReadonlyArray<Message>>
  return decode(new Decoder(bytes), bytes.length)
}

/** Of the requests whose answers are read while they come. All that kafkajs keeps of a request is its name. */
const assemblies = new Map<string, (size: number) => Assembly<unknown>>()

/** A request of our own, on kafkajs's connection. */
export const send = <A>(broker: RawBroker, request: WireRequest<A>): Promise<A | undefined> => {
  if (request.assemble !== undefined) assemblies.set(request.apiName, request.assemble)
  const version = Math.min(request.maxVersion, broker.versions?.[request.apiKey]?.maxVersion ?? request.maxVersion)
  const answer = broker.connectionPool.send({
    request: {
      apiKey: request.apiKey,
      apiName: request.apiName,
      apiVersion: version,
      expectResponse: () => request.expectResponse !== false,
      encode: () => {
        const { buffer } = request.encode(version)
        return Promise.resolve({ buf: buffer, buffer })
      }
    },
    response: {
      decode: (payload: Buffer | Assembly<A>) => {
        const value = Buffer.isBuffer(payload) ? request.decode(new Reader(payload), version) : payload.answer()
        return Promise.resolve({ value, clientSideThrottleTime: request.throttleMs?.(value) ?? 0 })
      },
      parse: (decoded: { readonly value: A }) => Promise.resolve(decoded.value)
    },
    requestTimeout: request.timeoutMs ?? null
  }) as Promise<A | undefined>
  return answer.catch((error: Error) => {
    const rethrow = () => Promise.reject<A | undefined>(error)
    return error.name === "KafkaJSConnectionClosedError" ? broker.disconnect().then(rethrow, rethrow) : rethrow()
  })
}
