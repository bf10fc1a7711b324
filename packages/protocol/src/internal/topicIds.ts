/**
 * A topic that was deleted and made anew has the name of the old one and none of its records: an offset of the old one must
 * neither be read from nor committed under that name. Brokers tell the two apart by an id (since 2.8). Pure.
 */
import type { TopicPartition } from "@weft/kafka/TopicPartition"
import type { ClusterMetadata } from "../Client.ts"

/** By name, of the topics that are there and whose id is told. */
export type TopicIds = ReadonlyMap<string, string>

export const noIds: TopicIds = new Map()

export const topicIds = (metadata: ClusterMetadata | undefined): TopicIds =>
  new Map(
    (metadata?.topicMetadata ?? []).flatMap(({ topic, topicErrorCode, topicId }) =>
      topicErrorCode === 0 && topicId !== undefined ? [[topic, topicId] as const] : []
    )
  )

/** Those whose topic is another one now. Of a topic that is only gone nothing can be mistaken. */
export const remade = (
  partitions: ReadonlyArray<TopicPartition>,
  before: TopicIds,
  now: TopicIds
): ReadonlyArray<TopicPartition> =>
  partitions.filter(({ topic }) => {
    const [was, is] = [before.get(topic), now.get(topic)]
    return was !== undefined && is !== undefined && was !== is
  })
