/**
 * A member of a group of the protocol of KIP-848: the coordinator says what it shall hold, and only what has to move is
 * moved. Partitions are given up when whoever works on them has ended, and told to be given up after that; the others go on
 * meanwhile, and so do the heartbeats.
 */
import { type KafkaError, UnsupportedError } from "@weft/kafka/KafkaError"
import { keyOf, TopicPartition } from "@weft/kafka/TopicPartition"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { randomUUID } from "node:crypto"
import type { Broker, ConsumerHeartbeat, ConsumerHeartbeatAnswer, TopicIdPartitions } from "../Client.ts"
import { askCoordinator } from "../Coordinator.ts"
import { codes } from "../ErrorCode.ts"
import { consumerError, type Failure, noAnswer } from "../Failure.ts"
import { type GroupReaction, groupReaction } from "../GroupReaction.ts"
import { grouped } from "../Offsets.ts"
import type { Identity, MemberOptions, Membership } from "./membership.ts"
import { noIds, remade, type TopicIds, topicIds } from "./topicIds.ts"

/** Another one whenever partitions were given up, so that no commit from before goes on after. */
class Session implements Identity {
  readonly memberId: string
  readonly epochOf: () => number
  constructor(memberId: string, epochOf: () => number) {
    this.memberId = memberId
    this.epochOf = epochOf
  }
  get generation(): number {
    return this.epochOf()
  }
}

/** Epochs that ask for something. */
const joining = 0
const leavingNow = -1
/** Of a static member, whose partitions are kept for it until its session expires. */
const leavingForAWhile = -2

/** How long a leave may take; after that the session times out by itself. */
const leaveMs = 5000

/** How long a look at the topics may take before partitions are given up. */
const newsMs = 2000

/**
 * A new member gets what others still have to give up, at their next heartbeat, and hears of it at one of its own: for so many
 * intervals it beats so often, where it has nothing yet, lest partitions stand still in between.
 */
const expectingIntervals = 2
const expectingBeats = 10

const empty: ReadonlyArray<TopicIdPartitions> = []

export const epochMembership = Effect.fnUntraced(function*(
  options: MemberOptions
): Effect.fn.Return<Membership, never, Scope.Scope> {
  const { client, clock, cluster, coordinator, group, handler, leavesForGood, pump, topics } = options
  const { groupId } = group
  const now = () => clock.currentTimeMillisUnsafe()
  const subject = { ...cluster.about, groupId }
  const beatTimeoutMs = Math.min(client.requestTimeoutMs, Math.max(1000, group.sessionTimeoutMs / 3))
  // A member chooses its id by itself, and keeps it for as long as it lives.
  const memberId = randomUUID()
  const one = yield* Semaphore.make(1)
  const due = Latch.makeUnsafe(false)

  let epoch = joining
  let intervalMs = group.heartbeatIntervalMs
  let session: Session | undefined
  let fatal: KafkaError | undefined
  let owned: ReadonlyArray<TopicPartition> = []
  /** Of the topics of those. The newest metadata may tell of others by the same names. */
  let ids: TopicIds = noIds
  /** What the coordinator wants this member to hold, where that has not been seen to. */
  let wanted: ReadonlyArray<TopicIdPartitions> | undefined
  /** What it wanted last. */
  let target: ReadonlyArray<TopicIdPartitions> = empty
  const toDo = Latch.makeUnsafe(false)
  /** What is held has changed, or the last heartbeat may not have been heard. */
  let mustTell = true
  let leaving = false
  let hasAsked = false
  let lastBeat = now()
  let joinedAt = now()

  const lose = (): void => {
    const lost = owned
    session = undefined
    owned = []
    ids = noIds
    wanted = undefined
    epoch = joining
    pump.clear()
    if (lost.length > 0) handler.onLost(lost)
    toDo.openUnsafe()
  }

  const fail = (error: KafkaError): void => {
    fatal ??= error
    toDo.openUnsafe()
  }

  // Heartbeats

  const ownedById = (): ReadonlyArray<TopicIdPartitions> =>
    grouped(owned, ({ partition }) => partition).flatMap(({ partitions, topic }) => {
      const topicId = ids.get(topic)
      return topicId === undefined ? [] : [{ topicId, partitions }]
    })

  const send = (broker: Broker, request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> =>
    broker.consumerGroupHeartbeat === undefined
      ? Promise.reject(unsupported(cluster.about.transport))
      : broker.consumerGroupHeartbeat(request)

  const everything = (owned: ReadonlyArray<TopicIdPartitions>): ConsumerHeartbeat => ({
    groupId,
    memberId,
    memberEpoch: epoch,
    rebalanceTimeoutMs: group.rebalanceTimeoutMs,
    topics,
    assignor: group.strategy === "range" ? "range" : "uniform",
    owned
  })

  const nothingNew = (): ConsumerHeartbeat => ({
    groupId,
    memberId,
    memberEpoch: epoch,
    rebalanceTimeoutMs: undefined,
    topics: undefined,
    assignor: undefined,
    owned: undefined
  })

  const exchange: Effect.Effect<void, Failure> = Effect.suspend(() => {
    const told = mustTell
    mustTell = false
    hasAsked = true
    due.closeUnsafe()
    const request = epoch === joining ? everything(empty) : told ? everything(ownedById()) : nothingNew()
    return coordinator.ask((broker) => send(broker, request)).pipe(
      Effect.timeoutOrElse({
        duration: beatTimeoutMs,
        orElse: () => Effect.andThen(coordinator.forget, Effect.fail(noAnswer(beatTimeoutMs)))
      }),
      // Also where whoever asked no longer waits: the answer may have had an assignment, which comes again if all is told.
      Effect.onError(() =>
        Effect.sync(() => {
          mustTell = true
        })
      ),
      Effect.map((answer) => {
        lastBeat = now()
        intervalMs = answer.heartbeatIntervalMs
        epoch = answer.memberEpoch
        if (answer.assignment !== undefined) {
          wanted = answer.assignment
          toDo.openUnsafe()
        }
        handler.onAlive("heartbeat")
      })
    )
  })

  const missed = (failure: Failure): Effect.Effect<void, Failure> => {
    const reaction = groupReaction(failure)
    const isLost = isLoss(reaction)
    const hasExpired = now() - lastBeat > group.sessionTimeoutMs
    // Who was frozen for so long, and has an answer now, joins again.
    if (reaction === "fail" || (hasExpired && !isLost)) fail(errorOf(failure))
    if (hasExpired || isLost) lose()
    return Effect.fail(failure)
  }

  const errorOf = (failure: Failure): KafkaError => {
    const { cause } = failure
    return cause instanceof UnsupportedError ? cause : consumerError(failure, subject)
  }

  const beatNow = one.withPermit(
    Effect.suspend(() =>
      session === undefined ? Effect.void : Effect.catch(exchange, (failure) => Effect.suspend(() => missed(failure)))
    )
  )

  const isExpecting = (): boolean =>
    session !== undefined && owned.length === 0 && now() - joinedAt < expectingIntervals * intervalMs

  const beatForEver = Effect.gen(function*() {
    while (true) {
      const result = yield* Effect.result(beatNow)
      loseRemade()
      const waitMs = result._tag !== "Success"
        ? Math.min(client.retryBackoffMs, intervalMs)
        : isExpecting()
        ? intervalMs / expectingBeats
        : intervalMs
      yield* Effect.timeoutOption(due.await, waitMs)
      // A flood of changes is told at the pace of an answer each.
      due.closeUnsafe()
    }
  })

  // Joining

  const join: Effect.Effect<Session, KafkaError> = Effect.gen(function*() {
    let failingSince: number | undefined
    while (true) {
      // Whoever leaves interrupts; until then nothing joins again.
      if (leaving) return yield* Effect.never
      const result = yield* Effect.result(one.withPermit(exchange))
      if (result._tag === "Success") return new Session(memberId, () => epoch)
      const reaction = groupReaction(result.failure)
      failingSince ??= now()
      const tooLong = now() - failingSince > group.sessionTimeoutMs
      if (reaction === "fail" || tooLong || isKeptClassic(result.failure)) return yield* errorOf(result.failure)
      epoch = joining
      yield* Effect.logDebug("joining again", result.failure.cause)
      yield* Effect.sleep(client.retryBackoffMs)
    }
  })

  /** The partitions by name; those of topics that the brokers have not told of yet are left for later. */
  const named = Effect.fnUntraced(function*(target: ReadonlyArray<TopicIdPartitions>) {
    const nameOf = (id: string): string | undefined =>
      cluster.metadata()?.topicMetadata.find(({ topicId }) => topicId === id)?.topic
    const wantedIds = new Set(target.map(({ topicId }) => topicId))
    if (target.some(({ topicId }) => nameOf(topicId) === undefined)) yield* Effect.ignore(cluster.refresh)
    // What goes may do so because its topic is another one by now, in which its offset means nothing.
    else if ([...ids.values()].some((id) => !wantedIds.has(id))) {
      yield* Effect.timeoutOption(Effect.ignore(cluster.refresh), newsMs)
    }
    const known = topicIds(cluster.metadata())
    const isWhole = target.every(({ topicId }) => nameOf(topicId) !== undefined)
    const partitions = target.flatMap(({ partitions, topicId }) => {
      const topic = nameOf(topicId)
      return topic === undefined ? [] : partitions.map((partition) => new TopicPartition(topic, partition))
    })
    return { isWhole, known, partitions }
  })

  /** What was read of a topic that is another one now is nobody's any more: neither waited for nor committed. */
  const loseRemade = (known = topicIds(cluster.metadata())): void => {
    const gone = session === undefined ? [] : remade(owned, ids, known)
    if (gone.length === 0) return
    pump.hold(gone)
    owned = owned.filter((one) => !gone.includes(one))
    ids = new Map([...ids].filter(([topic]) => gone.every((one) => one.topic !== topic)))
    session = new Session(memberId, () => epoch)
    handler.onLost(gone)
    // What takes its place may be in what the coordinator wants already.
    wanted ??= target
    toDo.openUnsafe()
  }

  /** Brings what is held to what the coordinator wants, and tells it so. */
  const reconcile = Effect.fnUntraced(function*(target: ReadonlyArray<TopicIdPartitions>) {
    const { isWhole, known, partitions } = yield* named(target)
    // Lost meanwhile, here and below: whoever joins again begins anew.
    if (session === undefined) return
    loseRemade(known)
    wanted = wanted === target ? undefined : wanted
    const keys = new Set(partitions.map(({ key }) => key))
    const revoked = owned.filter(({ key }) => !keys.has(key))
    if (revoked.length > 0) {
      pump.hold(revoked)
      yield* handler.beforeRevoke(revoked)
      if (session === undefined) return
      session = new Session(memberId, () => epoch)
    }
    owned = partitions
    ids = new Map([...known].filter(([topic]) => partitions.some((one) => one.topic === topic)))
    pump.reassign(partitions, () => handler.onAssignment({ memberId, generation: epoch, partitions }))
    mustTell = true
    due.openUnsafe()
    if (isWhole) return
    yield* Effect.sleep(client.retryBackoffMs)
    if (wanted === undefined && session !== undefined) {
      wanted = target
      toDo.openUnsafe()
    }
  })

  const isUnchanged = (target: ReadonlyArray<TopicIdPartitions>): boolean => {
    const keys = new Set(owned.map(({ partition, topic }) => keyOf(ids.get(topic) ?? "", partition)))
    const all = target.flatMap(({ partitions, topicId }) => partitions.map((partition) => keyOf(topicId, partition)))
    return all.length === keys.size && all.every((key) => keys.has(key))
  }

  const run = Effect.gen(function*() {
    while (true) {
      mustTell = true
      session = yield* join
      joinedAt = now()
      target = wanted ?? empty
      wanted = undefined
      yield* reconcile(target)
      while (session !== undefined) {
        yield* toDo.await
        toDo.closeUnsafe()
        if (fatal !== undefined) return yield* fatal
        if (wanted === undefined) continue
        target = wanted
        wanted = undefined
        if (!isUnchanged(target)) yield* reconcile(target)
      }
    }
  })

  // Leaving

  const leave = Effect.suspend(() => {
    leaving = true
    session = undefined
    // After the heartbeat that may be under way: it could be a join.
    return one.withPermit(Effect.suspend(() =>
      hasAsked
        ? Effect.asVoid(
          askCoordinator(cluster, groupId, (broker) =>
            send(broker, {
              ...nothingNew(),
              memberEpoch: group.instanceId === undefined || leavesForGood() ? leavingNow : leavingForAWhile
            }))
        )
        : Effect.void
    ))
  }).pipe(
    Effect.timeoutOrElse({ duration: leaveMs, orElse: () => Effect.fail(noAnswer(leaveMs)) }),
    Effect.catch((failure) => Effect.logDebug("could not leave the group; its session will time out", failure.cause))
  )

  yield* Effect.forkScoped(beatForEver)

  return {
    run,
    identity: () => session,
    heartbeat: Effect.suspend(() =>
      now() - lastBeat < intervalMs ? Effect.void : Effect.mapError(beatNow, (failure) => errorOf(failure))
    ),
    refused: (identity: Identity, reaction: GroupReaction) => {
      if (session !== undefined && session === identity && isLoss(reaction)) lose()
    },
    leave
  }
})

/** A group that is not there is made for whoever joins, and a classic one converted, unless its brokers keep it as it is. */
const isKeptClassic = (failure: Failure): boolean =>
  failure._tag === "Protocol" && failure.code.code === codes.groupIdNotFound

const isLoss = (reaction: GroupReaction): boolean => reaction === "lost" || reaction === "forgotten"

const unsupported = (transport: string): UnsupportedError =>
  new UnsupportedError({ transport, feature: "a broker with the group protocol of KIP-848: Kafka 4.0" })
