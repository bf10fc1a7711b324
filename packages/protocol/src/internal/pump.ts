/**
 * The fetch loop: at most one request under way to each broker, for whatever may be fetched there. It hands batches over
 * without waiting for anyone, and no partition waits for another. What the brokers mend by themselves (a leader that moved,
 * a broker that restarts) is waited out; what nobody can mend fails `run`.
 */
import { ConnectionError, type KafkaError, UnknownTopicError, UnsupportedError } from "@weft/kafka/KafkaError"
import type { Decoding, Stop } from "@weft/kafka/RecordBatch"
import { keyOf, type PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import type { TransportConsumer, TransportHandler } from "@weft/kafka/Transport"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import type { Broker } from "../Client.ts"
import type { Cluster } from "../Cluster.ts"
import { codes } from "../ErrorCode.ts"
import { codeOf, consumerError, type Failure, isRetriableFailure, protocolFailure } from "../Failure.ts"
import type { Fetch } from "../FetchAnswer.ts"
import type { ClientPlan, FetchPlan } from "../Plan.ts"
import { AnswerReach } from "./answerReach.ts"
import { AnswerSize } from "./answerSize.ts"
import { type FetchRound, FetchState, type Ticket } from "./fetchState.ts"
import { lookAgainMs } from "./owedAnswer.ts"

export interface Pump extends Pick<TransportConsumer, "start" | "pause" | "resume"> {
  /** Sizes and waits of the next fetches. */
  readonly refit: (plan: FetchPlan) => void
  /** These and no others from now on. `keep` is asked which go on at once, after the change. */
  readonly assign: (
    partitions: ReadonlyArray<TopicPartition>,
    keep: () => ReadonlyArray<PartitionOffset>
  ) => void
  /** The same, and partitions that stay go on undisturbed. */
  readonly reassign: Pump["assign"]
  /** Nothing of these (or of all) is handed over until the next assignment. */
  readonly hold: (partitions?: ReadonlyArray<TopicPartition>) => void
  /** The same, and what was held comes back as new, if it does. */
  readonly clear: () => void
  /** Fetches while it runs; fails with what makes it useless to go on. */
  readonly run: Effect.Effect<never, KafkaError>
}

/** How long the broker may wait for records while a partition of its is held back, and may go on at any moment. */
const briefWaitMs = 10

/** How often a record batch may come damaged: on the way that may happen once, on a disk it stays. */
const damagedAtMost = 3

/** Codes of one partition that are about who leads it: however long an election takes, it is waited for. */
const leading: ReadonlySet<number> = new Set<number>([
  codes.leaderNotAvailable,
  codes.notLeader,
  codes.replicaNotAvailable,
  codes.fencedLeaderEpoch,
  codes.unknownLeaderEpoch,
  codes.offsetNotAvailable
])

/** Codes that say: look again where its leader is. A topic is unknown for a moment after it was made, or moved. */
const moved: ReadonlySet<number> = new Set<number>([
  ...leading,
  codes.unknownTopicOrPartition,
  codes.kafkaStorageError
])

/** Codes that Kafka calls permanent, and that are waited for all the same: nobody knows what a broker did not expect. */
const waited: ReadonlySet<number> = new Set<number>([codes.unknownServerError])

export const makePump = <B extends Broker>(options: {
  readonly cluster: Cluster<B>
  readonly plan: FetchPlan
  readonly client: ClientPlan
  readonly fetch: Fetch<B>
  readonly handler: TransportHandler
  readonly clock: Clock.Clock
  /** Without an answer for so long, it is given up. */
  readonly patienceMs: number
}): Pump => {
  const { client, clock, cluster, handler, patienceMs } = options
  let plan = options.plan
  const state = new FetchState()
  const wake = Latch.makeUnsafe(false)
  const wakeUp = () => {
    wake.openUnsafe()
  }
  const now = () => clock.currentTimeMillisUnsafe()
  /** By node: what is asked there now, and since when. */
  const inFlight = new Map<number, Asked>()
  /** Of each broker. */
  const sizes = new Map<number, AnswerSize>()
  const reach = new AnswerReach()
  /** Failures in a row, of each broker. */
  const failures = new Map<number, number>()
  let lastAnswer = now()
  let refreshing = false
  let metadataAt = now()
  /** Since when the brokers refuse a partition, by its key. */
  const refusedSince = new Map<string, number>()
  /** How often the next record batch of a partition came damaged, by its key. */
  const damaged = new Map<string, number>()

  const sizeOf = (node: number): AnswerSize => {
    const known = sizes.get(node) ?? new AnswerSize()
    sizes.set(node, known)
    return known
  }

  /** One request and what comes of it: whether all went well. */
  const fetch = Effect.fnUntraced(function*(node: number, round: FetchRound) {
    const broker = yield* cluster.broker(node)
    const size = sizeOf(node)
    const needed = round.tickets.reduce((most, { neededBytes }) => Math.max(most, neededBytes), plan.minBytes)
    const askedAt = now()
    const maxBytes = size.within(plan.maxBytes, needed)
    reach.asked(node)
    const answer = yield* options.fetch(broker, {
      isolationLevel: plan.isolationLevel,
      maxWaitMs: round.isPart ? 0 : round.brief ? Math.min(briefWaitMs, plan.maxWaitMs) : plan.maxWaitMs,
      minBytes: plan.minBytes,
      maxBytes,
      partitions: round.tickets.map(({ neededBytes, partition, position, topic }) => ({
        topic,
        partition,
        position,
        maxBytes: Math.max(plan.partitionMaxBytes, neededBytes)
      }))
    })
    lastAnswer = now()
    const answeredBytes = answer.partitions.reduce((sum, { bytes }) => sum + bytes, 0)
    size.answered(answeredBytes, lastAnswer - askedAt)
    reach.answered(node, answer.partitions, answeredBytes / maxBytes)
    failures.delete(node)
    handler.onAlive("fetch")
    if (answer.errorCode !== 0) {
      return yield* Effect.fail(protocolFailure(answer.errorCode))
    }
    const tickets = new Map(round.tickets.map((ticket) => [keyOf(ticket.topic, ticket.partition), ticket]))
    let leaderMoved = false
    let isSmooth = true
    for (const { errorCode, open, partition, topic } of answer.partitions) {
      const ticket = tickets.get(keyOf(topic, partition))
      if (ticket === undefined || !state.isCurrent(ticket)) continue
      const stop = errorCode === 0 ? deliver(ticket, open(ticket.position)) : undefined
      if (errorCode === 0 && stop === undefined) continue
      isSmooth = false
      if (stop !== undefined) yield* stuck(ticket, stop)
      else if (errorCode === codes.offsetOutOfRange) outOfRange(ticket)
      else {
        leaderMoved ||= moved.has(errorCode)
        yield* refused(ticket, errorCode)
      }
    }
    if (leaderMoved) yield* Effect.ignore(cluster.refresh)
    return isSmooth
  })

  /**
   * One request after the other, as long as all goes well: the next one leaves before workers that were woken get their
   * turn, and is answered while they are busy.
   */
  const fetchOn = Effect.fnUntraced(function*(node: number, asked: Asked) {
    while (yield* fetch(node, asked.round)) {
      const next = state.rounds(cluster.leaderOf, now(), reach.most).byLeader.get(node)
      if (next === undefined) return
      asked.round = next
      asked.since = now()
    }
  })

  /** One partition is waited for while that may help, and the others go on. */
  const refused = (ticket: Ticket, code: number): Effect.Effect<void, Fatal> => {
    const key = keyOf(ticket.topic, ticket.partition)
    const failure = protocolFailure(code)
    const since = refusedSince.get(key)
    if (!waited.has(code) && !isRetriableFailure(failure)) return fatal(failure, ticket)
    if (since === undefined) refusedSince.set(key, now())
    else if (now() - since > patienceMs && !leading.has(code)) return fatal(failure, ticket)
    state.backOff(ticket, now() + client.retryBackoffMs)
    return since !== undefined || moved.has(code) ? Effect.void : Effect.logWarning(
      `fetching from ${key} fails with ${codeOf(failure)} and is tried again`
    )
  }

  /** Answers why not even the first batch could be handed over, where that is so. */
  const deliver = (ticket: Ticket, decoding: Decoding): Stop | undefined => {
    if (refusedSince.size > 0) refusedSince.delete(keyOf(ticket.topic, ticket.partition))
    handOver(ticket, decoding)
    if (decoding.nextOffset === ticket.position) return decoding.stop
    if (damaged.size > 0) damaged.delete(keyOf(ticket.topic, ticket.partition))
    return undefined
  }

  /** Until someone pauses or seeks: then what is left waits, or is of no use. */
  const handOver = (ticket: Ticket, decoding: Decoding): void => {
    let at = ticket
    do {
      const batch = decoding.next()
      if (batch === undefined) return
      at = state.advance(at, batch.nextOffset)
      handler.onBatch(batch)
    } while (state.isWanted(at))
    if (state.isCurrent(at) && !decoding.isDone) state.keepRest(at, decoding)
  }

  const stuck = (ticket: Ticket, stop: Stop): Effect.Effect<void, Fatal> => {
    switch (stop._tag) {
      case "Incomplete":
        return Effect.sync(() => state.needs(ticket, stop.bytes))
      case "Corrupt": {
        const key = keyOf(ticket.topic, ticket.partition)
        const times = (damaged.get(key) ?? 0) + 1
        if (times >= damagedAtMost) return Effect.fail({ _tag: "Fatal", error: stop.error })
        damaged.set(key, times)
        state.backOff(ticket, now() + client.retryBackoffMs)
        return Effect.logWarning(`${stop.error.message}; it is fetched again`)
      }
      case "Unsupported":
        return Effect.fail({ _tag: "Fatal", error: stop.error })
      case "MessageSet":
        return Effect.fail({
          _tag: "Fatal",
          error: new UnsupportedError({
            transport: cluster.about.transport,
            feature: `message format ${stop.magic} after version 2, in ${ticket.topic}-${ticket.partition}`
          })
        })
    }
  }

  const outOfRange = (ticket: Ticket): void => {
    state.halt(ticket)
    handler.onOutOfRange(new TopicPartition(ticket.topic, ticket.partition), ticket.position)
  }

  const fatal = (failure: Failure, about?: Ticket): Effect.Effect<never, Fatal> =>
    Effect.fail({
      _tag: "Fatal",
      error: failure._tag === "Unsupported"
        ? new UnsupportedError({ transport: cluster.about.transport, feature: failure.feature })
        : consumerError(failure, { ...cluster.about, topic: about?.topic, partition: about?.partition })
    })

  /** Fails only with what ends the pump. */
  const serve = (node: number, asked: Asked): Effect.Effect<void, KafkaError> =>
    fetchOn(node, asked).pipe(
      Effect.catch((failure): Effect.Effect<void, Fatal> => {
        if (failure._tag === "Fatal") return Effect.fail(failure)
        if (!isRetriableFailure(failure)) return fatal(failure)
        if (now() - lastAnswer > patienceMs) return fatal(failure)
        const inARow = failures.get(node) ?? 0
        failures.set(node, inARow + 1)
        return Effect.logDebug("a fetch failed and is tried again", failure.cause).pipe(
          Effect.andThen(Effect.sleep(Math.min(client.reconnectBackoffMs * 2 ** inARow, client.reconnectBackoffMaxMs))),
          Effect.andThen(Effect.ignore(cluster.refresh))
        )
      }),
      Effect.mapError(({ error }) => error),
      Effect.ensuring(Effect.sync(() => {
        inFlight.delete(node)
        wakeUp()
      }))
    )

  /** Partitions that nobody leads: of a topic that is gone, or whose brokers are. */
  const leaderless = (): KafkaError => {
    const topic = cluster.metadata()?.topicMetadata.find((one) =>
      one.topicErrorCode === codes.unknownTopicOrPartition && state.topics().has(one.topic)
    )?.topic
    return topic === undefined
      ? new ConnectionError({ brokers: cluster.about.brokers, cause: new Error("partitions are without a leader") })
      : new UnknownTopicError({ topic })
  }

  /** Looks for leaders: for partitions that have none, and every `metadata_max_age_ms`. */
  const lookForLeaders = (missing: boolean): Effect.Effect<void, KafkaError> =>
    cluster.refresh.pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          metadataAt = now()
        })
      ),
      Effect.catch((failure) =>
        isRetriableFailure(failure) && now() - lastAnswer < patienceMs
          ? Effect.void
          : Effect.mapError(fatal(failure), ({ error }) => error)
      ),
      Effect.andThen(
        missing && now() - lastAnswer > patienceMs ? Effect.fail(leaderless()) : Effect.sleep(client.retryBackoffMs)
      ),
      Effect.ensuring(Effect.sync(() => {
        refreshing = false
        wakeUp()
      }))
    )

  /**
   * A broker that is frozen says nothing of it, and keeps its connections: what it led is led by others a few seconds later,
   * and need not wait for the end of a request timeout.
   */
  const leaveFrozen = Effect.suspend(() => {
    const silentSince = now() - plan.maxWaitMs - lookAgainMs
    const silent = [...inFlight].filter(([, { since }]) => since <= silentSince)
    if (silent.length === 0) return Effect.void
    for (const [node] of silent) cluster.avoid(node)
    return Effect.map(Effect.ignore(cluster.refresh), () => {
      for (const [node, { fiber, round }] of silent) {
        const hasMoved = round.tickets.some(({ partition, topic }) => cluster.leaderOf(topic, partition) !== node)
        if (hasMoved) fiber?.interruptUnsafe()
      }
    })
  })

  const run = Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make<void, KafkaError>()
    lastAnswer = now()
    metadataAt = now()
    const loop = Effect.gen(function*() {
      while (true) {
        yield* wake.close
        for (const { decoding, ticket } of state.leftovers()) handOver(ticket, decoding)
        const { byLeader, wakeAt } = state.rounds(cluster.leaderOf, now(), reach.most)
        for (const [leader, round] of byLeader) {
          if (leader === undefined || inFlight.has(leader)) continue
          const asked: Asked = { round, since: now(), fiber: undefined }
          inFlight.set(leader, asked)
          asked.fiber = yield* FiberSet.run(fibers, serve(leader, asked))
        }
        const leaderless = byLeader.has(undefined)
        const refreshAt = metadataAt + client.metadataMaxAgeMs
        // Nothing is asked for, so nothing is answered: silence is no sign of trouble then.
        if (byLeader.size === 0) lastAnswer = now()
        if (!refreshing && (leaderless || now() >= refreshAt)) {
          refreshing = true
          cluster.watch(state.topics())
          yield* FiberSet.run(fibers, lookForLeaders(leaderless))
        }
        const until = Math.min(wakeAt ?? Infinity, refreshing ? Infinity : refreshAt)
        yield* Effect.timeoutOption(wake.await, Math.min(Math.max(0, until - now()), client.metadataMaxAgeMs))
      }
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookAgainMs), leaveFrozen)))
    return yield* Effect.raceFirst(loop, Effect.andThen(FiberSet.join(fibers), Effect.never))
  })).pipe(Effect.ensuring(Effect.sync(() => state.hold())))

  return {
    start: (positions) => {
      state.start(positions)
      wakeUp()
    },
    pause: (partitions) => state.pause(partitions, now()),
    resume: (partitions) => {
      state.resume(partitions)
      wakeUp()
    },
    assign: (partitions, keep) => {
      refusedSince.clear()
      state.assign(partitions, now())
      cluster.watch(state.topics())
      state.keep(keep())
      wakeUp()
    },
    reassign: (partitions, keep) => {
      refusedSince.clear()
      state.reassign(partitions, now(), keep)
      cluster.watch(state.topics())
      wakeUp()
    },
    hold: (partitions) => state.hold(partitions),
    clear: () => state.clear(),
    refit: (next) => {
      plan = next
    },
    run
  }
}

interface Asked {
  round: FetchRound
  since: number
  fiber: Fiber.Fiber<void, KafkaError> | undefined
}

interface Fatal {
  readonly _tag: "Fatal"
  readonly error: KafkaError
}
