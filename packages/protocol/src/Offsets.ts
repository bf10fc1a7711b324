/**
 * Offsets as the cluster has them now: committed ones, and the ends of logs.
 *
 * @since 0.1.0
 */
import { ConnectionError, type KafkaError, UnknownTopicError } from "@weft/kafka/KafkaError"
import { keyOf, type PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import type { CommittedOffset, OffsetSpec } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type { Cluster } from "./Cluster.ts"
import { askCoordinator } from "./Coordinator.ts"
import { codes } from "./ErrorCode.ts"
import { consumerError, type Failure, isRetriableFailure, protocolFailure } from "./Failure.ts"
import { isPassing } from "./GroupReaction.ts"
import type { TopicResults } from "./Client.ts"
import { again } from "./internal/again.ts"
import { whileOwed } from "./internal/owedAnswer.ts"

/**
 * Partitions by topic, as requests want them.
 *
 * @category converting
 * @since 0.1.0
 */
export const grouped = <A extends { readonly topic: string }, B>(
  all: ReadonlyArray<A>,
  each: (one: A) => B
): Array<{ readonly topic: string; readonly partitions: Array<B> }> => {
  const topics = new Map<string, Array<B>>()
  for (const one of all) {
    const ofTopic = topics.get(one.topic)
    if (ofTopic === undefined) topics.set(one.topic, [each(one)])
    else ofTopic.push(each(one))
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}

/**
 * What went wrong with one partition of a request that went well as a whole.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartFailure {
  readonly topic: string
  readonly partition: number
  readonly failure: Failure
}

/**
 * The parts that failed, of an answer in parts.
 *
 * @category getters
 * @since 0.1.0
 */
export const failedParts = (responses: ReadonlyArray<TopicResults<unknown>>): ReadonlyArray<PartFailure> =>
  responses.flatMap(({ partitions, topic }) =>
    partitions.filter(({ errorCode }) => errorCode !== 0).map(({ errorCode, partition }) => ({
      topic,
      partition,
      failure: protocolFailure(errorCode)
    }))
  )

/**
 * A group's committed offsets of these partitions, or of all that it has any for.
 *
 * @category reading
 * @since 0.1.0
 */
export const fetchCommitted = (
  cluster: Cluster,
  groupId: string,
  partitions: ReadonlyArray<TopicPartition> | undefined,
  backoffMs: number
): Effect.Effect<ReadonlyArray<CommittedOffset>, KafkaError> => {
  if (partitions?.length === 0) return Effect.succeed([])
  const topics = grouped(partitions ?? [], ({ partition }) => ({ partition }))
  return askCoordinator(cluster, groupId, (broker) => broker.offsetFetch({ groupId, topics })).pipe(
    Effect.flatMap(({ errorCode, responses }) => {
      const failure = errorCode === 0 ? failedParts(responses)[0]?.failure : protocolFailure(errorCode)
      return failure === undefined ? Effect.succeed(responses) : Effect.fail(failure)
    }),
    Effect.retry({ while: isPassing, schedule: again(backoffMs, identity<Failure>) }),
    Effect.mapError((failure) => consumerError(failure, { ...cluster.about, groupId })),
    Effect.map((responses) =>
      responses.flatMap(({ partitions, topic }) =>
        partitions.map(({ metadata, offset, partition }): CommittedOffset => ({
          topic,
          partition,
          offset: offset < 0n ? undefined : offset,
          metadata: metadata ?? ""
        }))
      )
    )
  )
}

/** Kafka's own timestamps that stand for the log's ends. */
const timestampOf = (at: OffsetSpec): number => at === "earliest" ? -2 : at === "latest" ? -1 : at.timestamp

/**
 * In the order asked for. The end is the last stable offset where only committed records are read.
 *
 * @category reading
 * @since 0.1.0
 */
export const listOffsets = (
  cluster: Cluster,
  isolationLevel: 0 | 1,
  partitions: ReadonlyArray<TopicPartition>,
  at: OffsetSpec,
  backoffMs: number
): Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError> =>
  Effect.gen(function*() {
    if (partitions.length === 0) return []
    const topics = grouped(partitions, ({ partition }) => partition)
    // The first look then brings the metadata of all of them.
    cluster.watch(topics.map(({ topic }) => topic))
    for (const { partitions: wanted, topic } of topics) {
      const { partitionMetadata } = yield* cluster.topic(topic)
      const known = new Set(partitionMetadata.map(({ partitionId }) => partitionId))
      const missing = wanted.find((partition) => !known.has(partition))
      if (missing !== undefined) return yield* new UnknownTopicError({ topic, partition: missing })
    }
    const found = yield* askLeaders(cluster, isolationLevel, partitions, timestampOf(at)).pipe(
      Effect.retry({
        while: ({ failure }) => isRetriableFailure(failure),
        schedule: again(backoffMs, ({ failure }: PartFailure) => failure)
      }),
      Effect.mapError(({ failure, partition, topic }) => consumerError(failure, { ...cluster.about, topic, partition }))
    )
    const offsets: Array<PartitionOffset> = []
    const beyondTheEnd: Array<TopicPartition> = []
    for (const { partition, topic } of partitions) {
      const offset = found.get(keyOf(topic, partition))
      if (offset === undefined) {
        return yield* new ConnectionError({ ...cluster.about, cause: new Error("an incomplete answer") })
      }
      if (offset < 0n) beyondTheEnd.push(new TopicPartition(topic, partition))
      offsets.push({ topic, partition, offset })
    }
    if (beyondTheEnd.length === 0 || at === "latest") return offsets
    const ends = (yield* listOffsets(cluster, isolationLevel, beyondTheEnd, "latest", backoffMs)).values()
    return offsets.map((one) => one.offset >= 0n ? one : ends.next().value!)
  })

const askLeaders = Effect.fnUntraced(function*(
  cluster: Cluster,
  isolationLevel: 0 | 1,
  partitions: ReadonlyArray<TopicPartition>,
  timestamp: number
): Effect.fn.Return<ReadonlyMap<string, bigint>, PartFailure> {
  const byLeader = new Map<number, Array<TopicPartition>>()
  for (const one of partitions) {
    const leader = cluster.leaderOf(one.topic, one.partition)
    if (leader === undefined) {
      yield* Effect.ignore(cluster.refresh)
      return yield* Effect.fail({ topic: one.topic, partition: one.partition, failure: noLeader })
    }
    const ofLeader = byLeader.get(leader)
    if (ofLeader === undefined) byLeader.set(leader, [one])
    else ofLeader.push(one)
  }
  const found = new Map<string, bigint>()
  const ask = (leader: number, wanted: ReadonlyArray<TopicPartition>) =>
    cluster.broker(leader).pipe(
      Effect.flatMap((broker) =>
        cluster.attempt(() =>
          broker.listOffsets({
            isolationLevel,
            topics: grouped(wanted, ({ partition }) => ({ partition, timestamp }))
          })
        )
      ),
      Effect.raceFirst(whileLeader(cluster, leader, wanted)),
      Effect.mapError((failure): PartFailure => ({
        topic: wanted[0]!.topic,
        partition: wanted[0]!.partition,
        failure
      })),
      Effect.flatMap(({ responses }) => {
        const failed = failedParts(responses)[0]
        if (failed !== undefined) return Effect.fail(failed)
        for (const { partitions, topic } of responses) {
          for (const { offset, partition } of partitions) found.set(keyOf(topic, partition), offset)
        }
        return Effect.void
      }),
      Effect.tapError(() => Effect.ignore(cluster.refresh))
    )
  yield* Effect.forEach(byLeader, ([leader, wanted]) => ask(leader, wanted), {
    concurrency: "unbounded",
    discard: true
  })
  return found
})

/** As long as this broker leads all of them. */
const whileLeader = (
  cluster: Cluster,
  leader: number,
  wanted: ReadonlyArray<TopicPartition>
): Effect.Effect<never, Failure> =>
  whileOwed(Effect.map(
    Effect.ignore(cluster.refresh),
    () => wanted.some(({ partition, topic }) => cluster.leaderOf(topic, partition) !== leader) ? noLeader : undefined
  ))

const noLeader: Failure = protocolFailure(codes.leaderNotAvailable)
