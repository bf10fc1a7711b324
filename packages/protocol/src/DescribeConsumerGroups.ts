/**
 * Asks about groups that speak the protocol of KIP-848: to the request for those of the classic one they are dead.
 *
 * @since 0.1.0
 */
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { GroupDescription } from "@weft/kafka/Transport"
import type { WireRequest } from "./Client.ts"
import { type Reader, Writer } from "./Wire.ts"

/**
 * Kafka's number for the request. Brokers before 4.0 do not have it.
 *
 * @category constants
 * @since 0.1.0
 */
export const apiKey = 69

/**
 * What came of the question about one group.
 *
 * @category models
 * @since 0.1.0
 */
export interface Described {
  /** 0: it is such a group, and described. */
  readonly errorCode: number
  readonly description: GroupDescription
}

/**
 * The request, for the coordinator of these groups.
 *
 * @category constructors
 * @since 0.1.0
 */
export const request = (groupIds: ReadonlyArray<string>): WireRequest<ReadonlyArray<Described>> => ({
  apiKey,
  apiName: "ConsumerGroupDescribe",
  maxVersion: 0,
  encode: () => {
    const writer = new Writer()
    // The tags of the header come first, then whether permissions are asked for, and the tags of the body.
    return writer.tags().compactArray(groupIds, (groupId) => writer.compactString(groupId)).int8(0).tags()
  },
  decode: (reader) => {
    reader.tags()
    // For how long the broker throttles.
    reader.int32()
    return reader.compactArray(() => describedGroup(reader))
  }
})

const describedGroup = (reader: Reader): Described => {
  const errorCode = reader.int16()
  reader.compactString()
  const groupId = reader.compactString() ?? ""
  const state = reader.compactString() ?? ""
  // Epochs of the group and of its assignment.
  reader.int32()
  reader.int32()
  const protocol = reader.compactString() ?? ""
  const members = reader.compactArray(() => describedMember(reader))
  reader.int32()
  reader.tags()
  return { errorCode, description: { groupId, state, protocol, members } }
}

const describedMember = (reader: Reader): GroupDescription["members"][number] => {
  const memberId = reader.compactString() ?? ""
  // Its instance and its rack.
  reader.compactString()
  reader.compactString()
  reader.int32()
  const clientId = reader.compactString() ?? ""
  const host = reader.compactString() ?? ""
  reader.compactArray(() => reader.compactString())
  reader.compactString()
  const assignment = partitionsOf(reader)
  // What it shall have in the end.
  partitionsOf(reader)
  reader.tags()
  return { memberId, clientId, host, assignment }
}

const partitionsOf = (reader: Reader): ReadonlyArray<TopicPartition> => {
  const partitions = reader.compactArray(() => {
    reader.uuid()
    const topic = reader.compactString() ?? ""
    const numbers = reader.compactArray(() => reader.int32())
    reader.tags()
    return numbers.map((partition) => new TopicPartition(topic, partition))
  })
  reader.tags()
  return partitions.flat()
}
