/**
 * What members tell each other through the coordinator: Kafka's consumer protocol, version 0, and the user data of its
 * sticky assignor. What another client wrote must not stop the leader: unreadable user data counts as none.
 *
 * @since 0.1.0
 */
import type { TopicPartition } from "@weft/kafka/TopicPartition"
import type { Member } from "./internal/assigners.ts"
import type { EagerStrategy } from "./Plan.ts"
import { Reader, Writer } from "./Wire.ts"

const version = 0
const noBytes = Buffer.alloc(0)

/** Named as Kafka's own assignors are, so that groups may be shared with other clients. */
const strategies: ReadonlyArray<EagerStrategy> = ["range", "roundrobin", "sticky"]

/**
 * The strategy of that name; `undefined` for one that is not known here.
 *
 * @category decoders
 * @since 0.1.0
 */
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
 *
 * @category encoding
 * @since 0.1.0
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
    metadata: encodeMember(
      options.topics.toSorted(),
      name === "sticky" ? stickyUserData(byTopic(options.owned), options.generation) : noBytes
    )
  }))
}

const encodeMember = (topics: ReadonlyArray<string>, userData: Buffer): Buffer => {
  const writer = new Writer()
  return writer.int16(version).array(topics, (topic) => writer.string(topic)).sized(userData).buffer
}

/**
 * What a member said when it joined. Later versions say more, behind what is read here.
 *
 * @category decoders
 * @since 0.1.0
 */
export const decodeMember = (memberId: string, metadata: Buffer): Member => {
  const decoded = attempt(() => {
    const reader = new Reader(metadata)
    reader.int16()
    return { topics: reader.array(() => reader.string() ?? ""), userData: reader.sized() }
  })
  const { generation, owned } = decodeUserData(decoded?.userData ?? noBytes)
  return { memberId, topics: decoded?.topics ?? [], owned, ownedGeneration: generation }
}

const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const decodeUserData = (
  userData: Buffer
): { readonly owned: ReadonlyMap<string, ReadonlyArray<number>>; readonly generation: number } => {
  if (userData.length === 0) return { owned: new Map(), generation: -1 }
  return attempt(() => {
    const reader = new Reader(userData)
    const claimed = reader.array(() => [reader.string() ?? "", reader.array(() => reader.int32())] as const)
    return { owned: new Map(claimed), generation: reader.int32() }
  }) ?? { owned: new Map(), generation: -1 }
}

/**
 * What the leader has for one member: partitions by topic.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeAssignment = (assignment: ReadonlyMap<string, ReadonlyArray<number>>): Buffer => {
  const writer = new Writer()
  return writer.int16(version).array([...assignment], ([topic, partitions]) => {
    writer.string(topic).array(partitions, (partition) => writer.int32(partition))
  }).sized(noBytes).buffer
}

/**
 * Empty bytes are an empty assignment: the leader had nothing for this member, or does not know it.
 *
 * @category decoders
 * @since 0.1.0
 */
export const decodeAssignment = (
  bytes: Buffer
): ReadonlyArray<{ readonly topic: string; readonly partition: number }> => {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  reader.int16()
  return reader.array(() => {
    const topic = reader.string() ?? ""
    return reader.array(() => ({ topic, partition: reader.int32() }))
  }).flat()
}

/**
 * The same of a member that is only looked at. What cannot be read counts as none: groups of Kafka Connect, for one, have
 * their own format.
 *
 * @category decoders
 * @since 0.1.0
 */
export const assignmentOf = (bytes: Buffer): ReturnType<typeof decodeAssignment> =>
  attempt(() => decodeAssignment(bytes)) ?? []
