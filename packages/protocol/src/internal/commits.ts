/** Commits of one member, one after the other; each is answered by the coordinator or fails. */
import type { CommitError } from "@weft/kafka/KafkaError"
import { keyOf } from "@weft/kafka/TopicPartition"
import type { OffsetAndMetadata, TransportConsumer } from "@weft/kafka/Transport"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Coordinator } from "../Coordinator.ts"
import { codes } from "../ErrorCode.ts"
import { commitError, type Failure, isUnknownTopic, protocolFailure } from "../Failure.ts"
import { groupReaction, isPassing } from "../GroupReaction.ts"
import type { Membership } from "./membership.ts"
import { failedParts, grouped, type PartFailure } from "../Offsets.ts"
import type { ClientPlan } from "../Plan.ts"

const isOfTopic = (failure: Failure): boolean =>
  isUnknownTopic(failure) || (failure._tag === "Protocol" && failure.code.code === codes.topicAuthorizationFailed)

/** Of several failures, the one that decides first: what ends the membership, what passes, what one partition has. */
const rank = (failure: Failure): number => {
  const reaction = groupReaction(failure)
  if (reaction === "fail") return isOfTopic(failure) ? 3 : 2
  return isPassing(failure) ? 1 : 0
}

const foremost = (failed: ReadonlyArray<PartFailure>): Failure =>
  failed.reduce((most, { failure }) => rank(failure) < rank(most) ? failure : most, failed[0]!.failure)

export const makeCommit = (options: {
  readonly coordinator: Coordinator
  readonly membership: Pick<Membership, "identity" | "refused">
  readonly groupId: string
  readonly client: ClientPlan
  readonly clock: Clock.Clock
}): TransportConsumer["commit"] => {
  const { client, clock, coordinator, groupId, membership } = options
  const one = Semaphore.makeUnsafe(1)

  const commit = (offsets: ReadonlyArray<OffsetAndMetadata>): Effect.Effect<void, CommitError> =>
    Effect.gen(function*() {
      const identity = membership.identity()
      if (identity === undefined) return yield* commitError(betweenGenerations, offsets)
      const deadline = clock.currentTimeMillisUnsafe() + client.requestTimeoutMs
      /** What the coordinator has not got yet: it takes the offsets of each partition by themselves. */
      let left = offsets
      while (true) {
        const failed = yield* coordinator.ask((broker) =>
          broker.offsetCommit({
            groupId,
            groupGenerationId: identity.generation,
            memberId: identity.memberId,
            topics: grouped(left, ({ metadata, offset, partition }) => ({ partition, offset, metadata }))
          })
        ).pipe(
          Effect.map(({ responses }) => failedParts(responses)),
          Effect.catch((failure) =>
            Effect.succeed(left.map(({ partition, topic }): PartFailure => ({ topic, partition, failure })))
          )
        )
        if (failed.length === 0) return
        const refused = new Set(failed.map(({ partition, topic }) => keyOf(topic, partition)))
        left = left.filter(({ partition, topic }) => refused.has(keyOf(topic, partition)))
        const failure = foremost(failed)
        const reaction = groupReaction(failure)
        membership.refused(identity, reaction)
        // Never under another generation than the one that it was asked in: the partitions may be someone else's by now.
        const isOver = membership.identity() !== identity || clock.currentTimeMillisUnsafe() >= deadline
        if (!isPassing(failure) || isOver) return yield* commitError(failure, left)
        if (reaction === "elsewhere") yield* coordinator.forget
        yield* Effect.sleep(client.retryBackoffMs)
      }
    })

  return (offsets) => offsets.length === 0 ? Effect.void : one.withPermit(commit(offsets))
}

/** Not (or no longer) a member: the next generation may commit. */
const betweenGenerations: Failure = protocolFailure(codes.rebalanceInProgress)
