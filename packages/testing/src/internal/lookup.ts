/**
 * Look-ups that consumers and admin clients have in common. Each is told how to send a request.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import type { CommittedOffset, OffsetSpec } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Codes from "./errorCodes.ts"
import * as Log from "./logModel.ts"
import type { RequestFailed } from "./network.ts"
import type { World } from "./world.ts"

type Send = <A>(body: Effect.Effect<A, RequestFailed>) => Effect.Effect<A, RequestFailed>

export const committed = (
  { coordinator }: World,
  groupId: string,
  partitions: ReadonlyArray<TopicPartition>,
  send: Send
): Effect.Effect<ReadonlyArray<CommittedOffset>, KafkaError> =>
  send(Effect.sync(() => {
    const offsets = coordinator.offsets(groupId)
    return partitions.map(({ key, partition, topic }) => {
      const known = offsets.get(key)
      return { topic, partition, offset: known?.offset, metadata: known?.metadata ?? "" }
    })
  })).pipe(Effect.mapError(({ code }) => Codes.groupError(groupId, code)))

export const listOffsets = (
  { topics }: World,
  partitions: ReadonlyArray<TopicPartition>,
  at: OffsetSpec,
  send: Send
): Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError> =>
  Effect.gen(function*() {
    const answer = yield* send(Effect.sync((): ReadonlyArray<PartitionOffset> | TopicPartition => {
      const offsets: Array<PartitionOffset> = []
      for (const it of partitions) {
        const log = topics.get(it.topic, it.partition)?.log
        if (log === undefined) return it
        const offset = at === "earliest"
          ? log.begin
          : at === "latest"
          ? log.end
          : Log.offsetForTime(log, at.timestamp) ?? log.end
        offsets.push({ topic: it.topic, partition: it.partition, offset })
      }
      return offsets
    })).pipe(Effect.mapError(({ code }) => Codes.adminError("listOffsets", code)))
    if ("topic" in answer) {
      return yield* Codes.adminError("listOffsets", "UNKNOWN_TOPIC_OR_PARTITION", answer.topic, answer.partition)
    }
    return answer
  })
