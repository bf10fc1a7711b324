/**
 * A member of a consumer group: joins, keeps its place by heartbeats, gives its partitions up before it joins again, and
 * leaves. The join waits for whoever works on the partitions; the heartbeats wait for nobody.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { TransportHandler } from "@weft/kafka/Transport"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Broker, GroupMember } from "../Client.ts"
import type { Cluster } from "../Cluster.ts"
import { decodeAssignment, decodeMember, encodeAssignment, joinProtocols, strategyOf } from "../ConsumerProtocol.ts"
import { askCoordinator, type Coordinator } from "../Coordinator.ts"
import { codes } from "../ErrorCode.ts"
import { consumerError, type Failure, isUnknownTopic, noAnswer, protocolFailure } from "../Failure.ts"
import { type GroupReaction, groupReaction } from "../GroupReaction.ts"
import type { ClientPlan, GroupPlan } from "../Plan.ts"
import { assign } from "./assigners.ts"
import type { Pump } from "./pump.ts"
import { remade, type TopicIds, topicIds } from "./topicIds.ts"

/** Who commits: the coordinator refuses any other. */
export interface Identity {
  readonly memberId: string
  readonly generation: number
}

export interface Membership {
  /** Joins, and joins again whenever the group asks for it; fails when the membership cannot go on. */
  readonly run: Effect.Effect<never, KafkaError>
  /** As whom to commit; `undefined` before a join has ended, and after the membership was lost. */
  readonly identity: () => Identity | undefined
  /** A heartbeat, where one is due. */
  readonly heartbeat: Effect.Effect<void, KafkaError>
  /** The coordinator said to someone else what it thinks of this member. */
  readonly refused: (identity: Identity, reaction: GroupReaction) => void
  /** Leaves, whatever state it is in: also while a join is under way. */
  readonly leave: Effect.Effect<void>
}

interface Session extends Identity {
  readonly partitions: ReadonlyArray<TopicPartition>
  /** Of their topics, as known when they were assigned. */
  readonly ids: TopicIds
  /** What the leader shared out: partitions of each topic. Empty for the others. */
  readonly shared: ReadonlyMap<string, number>
  readonly ended: Deferred.Deferred<"rejoin" | "lost", KafkaError>
  /** Nothing is held any more that could be lost. */
  released: boolean
}

export interface MemberOptions {
  readonly cluster: Cluster
  readonly coordinator: Coordinator
  readonly pump: Pump
  readonly handler: TransportHandler
  readonly topics: ReadonlyArray<string>
  readonly group: GroupPlan
  readonly client: ClientPlan
  readonly clock: Clock.Clock
  /** Whether a static member will not come back as the same: its place is kept for nobody. */
  readonly leavesForGood: () => boolean
}

/** How long a leave may take; after that the session times out by itself. */
const leaveMs = 5000

export const joinedMembership = Effect.fnUntraced(function*(
  options: MemberOptions
): Effect.fn.Return<Membership, never, Scope.Scope> {
  const { client, clock, cluster, coordinator, group, handler, leavesForGood, pump, topics } = options
  const { groupId } = group
  const now = () => clock.currentTimeMillisUnsafe()
  const subject = { ...cluster.about, groupId }
  const beatTimeoutMs = Math.min(client.requestTimeoutMs, Math.max(1000, group.sessionTimeoutMs / 3))

  let memberId = ""
  let generation = -1
  /** What is claimed in the next join: what this member had when it gave everything up. */
  let owned: ReadonlyArray<TopicPartition> = []
  let session: Session | undefined
  /** Drained for a rebalance; whoever is above keeps what the next generation gives back, where it was. */
  let drained: Session | undefined
  let joinUnderWay: Promise<unknown> | undefined
  let leaving = false
  let lastBeat = now()

  const end = (one: Session, why: "rejoin" | "lost"): void => {
    Deferred.doneUnsafe(one.ended, Effect.succeed(why))
  }

  const lose = (one: Session, forgotten: boolean): void => {
    if (session === one) session = undefined
    if (forgotten) memberId = ""
    owned = []
    pump.clear()
    if (!one.released && one.partitions.length > 0) {
      one.released = true
      handler.onLost(one.partitions)
    }
    end(one, "lost")
  }

  /** Others may have had the partitions in a generation between: it is not to go on where it was, but where they were. */
  const beginAnew = ({ generation, memberId }: Session): void => {
    const partitions: ReadonlyArray<TopicPartition> = []
    pump.assign(partitions, () => handler.onAssignment({ memberId, generation, partitions }))
  }

  /** The group has had to do without this member. */
  const loseDrained = (): void => {
    const one = drained
    drained = undefined
    if (one === undefined || one.partitions.length === 0) return
    pump.clear()
    handler.onLost(one.partitions)
  }

  const react = (one: Session, reaction: GroupReaction): void => {
    if (reaction === "rejoin") end(one, "rejoin")
    else if (reaction === "lost" || reaction === "forgotten") lose(one, reaction === "forgotten")
  }

  // Joining

  const keepTrack = <A>(request: (broker: Broker) => Promise<A>) => (broker: Broker): Promise<A> => {
    const underWay = request(broker)
    joinUnderWay = underWay
    const over = () => {
      if (joinUnderWay === underWay) joinUnderWay = undefined
    }
    void underWay.then(over, over)
    return underWay
  }

  const joinOnce = Effect.gen(function*() {
    const joined = yield* coordinator.ask(keepTrack((broker) =>
      broker.joinGroup({
        groupId,
        sessionTimeout: group.sessionTimeoutMs,
        rebalanceTimeout: group.rebalanceTimeoutMs,
        memberId,
        groupProtocols: joinProtocols({ strategy: group.strategy, topics, owned, generation })
      })
    ))
    // The first join only asks for a name (KIP-394).
    if (joined.errorCode === codes.memberIdRequired) memberId = joined.memberId
    if (joined.errorCode !== 0) return yield* Effect.fail(protocolFailure(joined.errorCode))
    memberId = joined.memberId
    generation = joined.generationId
    const isLeader = joined.leaderId === joined.memberId
    const shared = isLeader ? yield* countPartitions(joined.members) : new Map<string, number>()
    const synced = yield* coordinator.ask(keepTrack((broker) =>
      broker.syncGroup({
        groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupProtocol: joined.groupProtocol,
        groupAssignment: isLeader ? shareOut(joined.groupProtocol, joined.members, shared) : []
      })
    ))
    const partitions = decodeAssignment(synced.memberAssignment)
      .filter(({ topic }) => topics.includes(topic))
      .map(({ partition, topic }) => new TopicPartition(topic, partition))
    return {
      memberId: joined.memberId,
      generation: joined.generationId,
      partitions,
      ids: topicIds(cluster.metadata()),
      shared,
      ended: Deferred.makeUnsafe<"rejoin" | "lost", KafkaError>(),
      released: false
    }
  })

  const countPartitions = Effect.fnUntraced(function*(members: ReadonlyArray<GroupMember>) {
    const counts = new Map<string, number>()
    yield* cluster.refresh
    for (const topic of new Set(members.flatMap((m) => decodeMember(m.memberId, m.memberMetadata).topics))) {
      const count = yield* Effect.map(cluster.askTopic(topic), ({ partitionMetadata }) => partitionMetadata.length)
        .pipe(
          // Another member's topic that does not exist is its own trouble.
          Effect.catchIf(isUnknownTopic, () => Effect.succeed(0))
        )
      counts.set(topic, count)
    }
    return counts
  })

  const shareOut = (
    protocol: string,
    members: ReadonlyArray<GroupMember>,
    counts: ReadonlyMap<string, number>
  ): ReadonlyArray<{ readonly memberId: string; readonly memberAssignment: Buffer }> => {
    const decoded = members.map((member) => decodeMember(member.memberId, member.memberMetadata))
    return [...assign(strategyOf(protocol) ?? group.strategy, decoded, counts)].map(([id, assignment]) => ({
      memberId: id,
      memberAssignment: encodeAssignment(assignment)
    }))
  }

  const join: Effect.Effect<Session, KafkaError> = Effect.gen(function*() {
    let failingSince: number | undefined
    while (true) {
      // Whoever leaves interrupts; until then nothing joins again.
      if (leaving) return yield* Effect.never
      const result = yield* Effect.result(joinOnce)
      if (result._tag === "Success") return result.success
      const failure = result.failure
      if (failure._tag === "Protocol" && failure.code.code === codes.memberIdRequired) continue
      const reaction = groupReaction(failure)
      const isAway = reaction === "elsewhere" || reaction === "later"
      failingSince = isAway ? failingSince ?? now() : undefined
      const tooLong = failingSince !== undefined && now() - failingSince > group.sessionTimeoutMs
      if (reaction === "fail" || tooLong) return yield* consumerError(failure, subject)
      if (reaction === "forgotten") {
        memberId = ""
        owned = []
        loseDrained()
      }
      // The answer to a join says so in itself: the connection does not know.
      if (reaction === "elsewhere") yield* coordinator.forget
      yield* Effect.logDebug("joining again", failure.cause)
      yield* Effect.sleep(client.retryBackoffMs)
    }
  })

  const run = Effect.gen(function*() {
    while (true) {
      const joined = yield* join
      if (drained !== undefined && joined.generation !== drained.generation + 1) beginAnew(joined)
      drained = undefined
      session = joined
      owned = joined.partitions
      lastBeat = now()
      pump.assign(joined.partitions, () =>
        handler.onAssignment({
          memberId: joined.memberId,
          generation: joined.generation,
          partitions: joined.partitions
        }))
      const why = yield* Deferred.await(joined.ended)
      if (why === "rejoin") {
        pump.hold()
        if (joined.partitions.length > 0) yield* handler.beforeRevoke(joined.partitions)
        joined.released = true
        drained = joined
      }
      if (session === joined) session = undefined
    }
  })

  // Staying

  const beatNow = Effect.suspend(() => {
    const one = session
    if (one === undefined) return Effect.void
    const asked = coordinator.ask((broker) =>
      broker.heartbeat({ groupId, groupGenerationId: one.generation, memberId: one.memberId })
    )
    return Effect.timeoutOrElse(asked, {
      duration: beatTimeoutMs,
      orElse: () => Effect.andThen(coordinator.forget, Effect.fail(noAnswer(beatTimeoutMs)))
    }).pipe(
      Effect.tap(() => Effect.sync(alive)),
      Effect.catch((failure) => Effect.suspend(() => missed(one, failure)))
    )
  })

  const alive = (): void => {
    lastBeat = now()
    handler.onAlive("heartbeat")
  }

  /** A heartbeat that was not answered as hoped. That the group rebalances is an answer. */
  const missed = (one: Session, failure: Failure): Effect.Effect<void, Failure> => {
    const reaction = groupReaction(failure)
    if (reaction === "rejoin") {
      alive()
      end(one, "rejoin")
      return Effect.void
    }
    const hasExpired = now() - lastBeat > group.sessionTimeoutMs
    if (reaction === "fail" || hasExpired) Deferred.doneUnsafe(one.ended, Effect.fail(consumerError(failure, subject)))
    // The coordinator has expired the session by now, though nobody could tell us.
    if (hasExpired) lose(one, true)
    else react(one, reaction)
    return Effect.fail(failure)
  }

  const beatForEver = Effect.gen(function*() {
    while (true) {
      const result = yield* Effect.result(beatNow)
      if (session !== undefined) {
        const gone = remade(session.partitions, session.ids, topicIds(cluster.metadata()))
        if (gone.length > 0) loseRemade(session, gone)
        else if (hasGrown(session)) end(session, "rejoin")
      }
      yield* Effect.sleep(
        result._tag === "Success"
          ? group.heartbeatIntervalMs
          : Math.min(client.retryBackoffMs, group.heartbeatIntervalMs)
      )
    }
  })

  /**
   * What was read of a topic that is another one now is nobody's any more: neither waited for nor committed. The next
   * generation begins with the new one.
   */
  const loseRemade = (one: Session, gone: ReadonlyArray<TopicPartition>): void => {
    if (one.released) return
    pump.hold(gone)
    handler.onLost(gone)
    end(one, "rejoin")
  }

  /** The leader watches how many partitions there are: none may be left without an owner. */
  const hasGrown = ({ shared }: Session): boolean => {
    const metadata = cluster.metadata()
    return metadata !== undefined && shared.size > 0 && metadata.topicMetadata.some(
      ({ partitionMetadata, topic, topicErrorCode }) =>
        topicErrorCode === 0 && partitionMetadata.length > (shared.get(topic) ?? Infinity)
    )
  }

  yield* Effect.forkScoped(beatForEver)

  // Leaving

  const leave = Effect.gen(function*() {
    leaving = true
    const underWay = joinUnderWay
    session = undefined
    if (memberId === "" || (group.instanceId !== undefined && !leavesForGood())) return
    // Beside a join that waits for the others: the coordinator then answers it, with an error.
    yield* askCoordinator(cluster, groupId, (broker) => broker.leaveGroup({ groupId, memberId }))
    if (underWay !== undefined) yield* Effect.promise(() => underWay.then(() => undefined, () => undefined))
  }).pipe(
    Effect.timeoutOrElse({ duration: leaveMs, orElse: () => Effect.fail(noAnswer(leaveMs)) }),
    Effect.catch((failure) => Effect.logDebug("could not leave the group; its session will time out", failure.cause))
  )

  return {
    run,
    identity: () => session,
    heartbeat: Effect.suspend(() =>
      now() - lastBeat < group.heartbeatIntervalMs
        ? Effect.void
        : Effect.mapError(beatNow, (failure) => consumerError(failure, subject))
    ),
    refused: (identity, reaction) => {
      if (session !== undefined && session === identity) react(session, reaction)
    },
    leave
  }
})
