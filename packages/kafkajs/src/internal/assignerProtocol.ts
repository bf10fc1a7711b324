/**
 * What members tell each other through the coordinator: Kafka's consumer protocol, version 0, and the user data of its
 * sticky assignor. What another client wrote must not stop the leader: unreadable user data counts as none.
 */
import type { TopicPartition } from "@weft/kafka/TopicPartition"
import { AssignerProtocol } from "kafkajs"
import type { Member } from "./assigners.ts"
import type { EagerStrategy } from "./settingsMap.ts"
import { Reader, Writer } from "./wire.ts"

const version = 0
const noBytes = Buffer.alloc(0)

/** Named as Kafka's own assignors are, so that groups may be shared with other clients. */
const strategies: ReadonlyArray<EagerStrategy> = ["range", "roundrobin", "sticky"]

export const strategyOf = (protocol: string): EagerStrategy | undefined =>
  protocol === kafkajsRoundRobin ? "roundrobin" : strategies.find((strategy) => strategy === protocol)

/** What kafkajs calls its own assignor, the only one that it has: so that its consumers can be replaced one by one. */
const kafkajsRoundRobin = "RoundRobinAssigner"

const byTopic = (partitions: ReadonlyArray<TopicPartition>): ReadonlyMap<string, ReadonlyArray<number>> => {
  const topics = new Map<string, Array<number>>()
  for (const { partition, topic } of partitions) {
    const ofTopic = topics.get(topic)
    if (ofTopic === undefined) topics.set(topic, [partition])
    else ofTopic.push(partition)
  }
  return topics
}

const stickyUserData = (owned: ReadonlyMap<string, ReadonlyArray<number>>, generation: number): Buffer => {
  const writer = new Writer()
  return writer
    .array([...owned], ([topic, partitions]) => writer.string(topic).array(partitions, (p) => writer.int32(p)))
    .int32(generation)
    .buffer
}

/**
 * What this member sends when it joins. The other strategies stand behind the configured one, so that the members of a
 * group can change theirs one after the other: the group uses one that all of them know.
 */
export const joinProtocols = (options: {
  readonly strategy: EagerStrategy
  readonly topics: ReadonlyArray<string>
  readonly owned: ReadonlyArray<TopicPartition>
  readonly generation: number
}): ReadonlyArray<{ readonly name: string; readonly metadata: Buffer }> => {
  const others = strategies.filter((strategy) => strategy !== options.strategy)
  return [options.strategy, ...others, kafkajsRoundRobin].map((name) => ({
    name,
    metadata: AssignerProtocol.MemberMetadata.encode({
      version,
      topics: options.topics.toSorted(),
      userData: name === "sticky" ? stickyUserData(byTopic(options.owned), options.generation) : noBytes
    })
  }))
}

export const decodeMember = (memberId: string, metadata: Buffer): Member => {
  const decoded = AssignerProtocol.MemberMetadata.decode(metadata)
  const { generation, owned } = decodeUserData(decoded?.userData ?? noBytes)
  return { memberId, topics: decoded?.topics ?? [], owned, ownedGeneration: generation }
}

const decodeUserData = (
  userData: Buffer
): { readonly owned: ReadonlyMap<string, ReadonlyArray<number>>; readonly generation: number } => {
  const owned = new Map<string, ReadonlyArray<number>>()
  if (userData.length === 0) return { owned, generation: -1 }
  const reader = new Reader(userData)
  try {
    reader.array(() => owned.set(reader.string() ?? "", reader.array(() => reader.int32())))
    return { owned, generation: reader.int32() }
  } catch {
    return { owned: new Map(), generation: -1 }
  }
}

export const encodeAssignment = (assignment: ReadonlyMap<string, ReadonlyArray<number>>): Buffer =>
  AssignerProtocol.MemberAssignment.encode({
    version,
    assignment: Object.fromEntries([...assignment].map(([topic, partitions]) => [topic, [...partitions]])),
    userData: noBytes
  })

/** Empty bytes are an empty assignment: the leader had nothing for this member, or does not know it. */
export const decodeAssignment = (
  bytes: Buffer
): ReadonlyArray<{ readonly topic: string; readonly partition: number }> => {
  if (bytes.length === 0) return []
  const decoded = AssignerProtocol.MemberAssignment.decode(bytes)
  return Object.entries(decoded?.assignment ?? {}).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition }))
  )
}
