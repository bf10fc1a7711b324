/** Commits of one member, one after the other; each is answered by the coordinator or fails. */
import type { CommitError } from "@weft/kafka/KafkaError"
import type { OffsetAndMetadata, TransportConsumer } from "@weft/kafka/Transport"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Coordinator } from "../Coordinator.ts"
import { codes } from "../ErrorCode.ts"
import { commitError, type Failure, protocolFailure } from "../Failure.ts"
import { groupReaction } from "../GroupReaction.ts"
import type { Membership } from "./membership.ts"
import { failedPart, grouped } from "../Offsets.ts"
import type { ClientPlan } from "../Plan.ts"

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
      while (true) {
        const failure = yield* coordinator.ask((broker) =>
          broker.offsetCommit({
            groupId,
            groupGenerationId: identity.generation,
            memberId: identity.memberId,
            topics: grouped(offsets, ({ metadata, offset, partition }) => ({ partition, offset, metadata }))
          })
        ).pipe(
          Effect.map(({ responses }) => failedPart(responses)?.failure),
          Effect.catch((failure) => Effect.succeed(failure))
        )
        if (failure === undefined) return
        const reaction = groupReaction(failure)
        membership.refused(identity, reaction)
        const isPassing = reaction === "elsewhere" || reaction === "later"
        // Never under another generation than the one that it was asked in: the partitions may be someone else's by now.
        const isOver = membership.identity() !== identity || clock.currentTimeMillisUnsafe() >= deadline
        if (!isPassing || isOver) return yield* commitError(failure, offsets)
        if (groupReaction(failure) === "elsewhere") yield* coordinator.forget
        yield* Effect.sleep(client.retryBackoffMs)
      }
    })

  return (offsets) => offsets.length === 0 ? Effect.void : one.withPermit(commit(offsets))
}

/** Not (or no longer) a member: the next generation may commit. */
const betweenGenerations: Failure = protocolFailure(codes.rebalanceInProgress)
