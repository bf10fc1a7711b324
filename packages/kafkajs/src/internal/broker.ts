/** A broker of kafkajs's, as the protocol's modules ask it. */
import type { Broker, ClusterMetadata, Node, TopicPartitions, TopicResults, WireRequest } from "@weft/protocol/Client"
import { type RawBroker, send } from "./inside.ts"

/** Kafka's number for consumer groups. */
const groupCoordinator = 0

/** The broker's own retention. */
const brokerDefault = -1

type Asked<Name extends keyof Broker> = Broker[Name] extends (request: infer Request) => unknown ? Request : never
type Answered<Name extends keyof Broker> = Broker[Name] extends (request: never) => infer Answer ? Answer : never

export class KafkaJsBroker implements Broker {
  readonly raw: RawBroker
  constructor(raw: RawBroker) {
    this.raw = raw
  }
  isConnected(): boolean {
    // kafkajs's own broker is none any more when its session is about to end, and the next request would renew that.
    return this.raw.connectionPool.isConnected()
  }
  knows(apiKey: number): boolean {
    return this.raw.versions?.[apiKey] !== undefined
  }
  send<A>(request: WireRequest<A>): Promise<A | undefined> {
    return send(this.raw, request)
  }
  metadata(topics: ReadonlyArray<string>): Promise<ClusterMetadata> {
    return this.raw.metadata(topics)
  }
  findGroupCoordinator(groupId: string): Promise<Node> {
    return this.raw.findGroupCoordinator({ groupId, coordinatorType: groupCoordinator })
      .then(({ coordinator }) => coordinator)
  }
  joinGroup(request: Asked<"joinGroup">): Answered<"joinGroup"> {
    return this.raw.joinGroup(request)
  }
  syncGroup({ generationId, groupAssignment, groupId, memberId }: Asked<"syncGroup">): Answered<"syncGroup"> {
    return this.raw.syncGroup({ groupId, generationId, memberId, groupAssignment })
  }
  heartbeat(request: Asked<"heartbeat">): Answered<"heartbeat"> {
    return this.raw.heartbeat(request)
  }
  leaveGroup(request: Asked<"leaveGroup">): Answered<"leaveGroup"> {
    return this.raw.leaveGroup(request)
  }
  listOffsets(request: Asked<"listOffsets">): Answered<"listOffsets"> {
    return this.raw.listOffsets(request).then(({ responses }) => ({ responses: responses.map(withNumbers) }))
  }
  offsetCommit({ topics, ...request }: Asked<"offsetCommit">): Answered<"offsetCommit"> {
    return this.raw.offsetCommit({ ...request, retentionTime: brokerDefault, topics: topics.map(withStrings) })
  }
  offsetFetch(request: Asked<"offsetFetch">): Answered<"offsetFetch"> {
    return this.raw.offsetFetch(request).then(({ errorCode = 0, responses }) => ({
      errorCode,
      responses: responses.map(withNumbers)
    }))
  }
  initProducerId(request: Asked<"initProducerId">): Answered<"initProducerId"> {
    return this.raw.initProducerId(request)
      .then(({ producerEpoch, producerId }) => ({ producerId: BigInt(producerId), producerEpoch }))
  }
}

const withStrings = <A extends { readonly offset: bigint }>({ partitions, topic }: TopicPartitions<A>) => ({
  topic,
  partitions: partitions.map((one) => ({ ...one, offset: one.offset.toString() }))
})

/** kafkajs gives offsets as strings. */
const withNumbers = <A extends { readonly offset: string }>(
  { partitions, topic }: TopicResults<A>
): TopicResults<Omit<A, "offset"> & { readonly offset: bigint }> => ({
  topic,
  partitions: partitions.map((one) => ({ ...one, offset: BigInt(one.offset) }))
})
