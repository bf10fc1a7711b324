/**
 * The fetch loop: at most one request under way to each broker, for whatever may be fetched there. It hands batches over
 * without waiting for anyone, and no partition waits for another. What the brokers mend by themselves (a leader that moved,
 * a broker that restarts) is waited out; what nobody can mend fails `run`.
 */
import { ConnectionError, type KafkaError, UnknownTopicError, UnsupportedError } from "@weft/kafka/KafkaError"
import { type PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import type { TransportConsumer, TransportHandler } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import { attempt, type ClusterClient } from "./clusterClient.ts"
import { codes } from "./errorCodes.ts"
import { consumerError, type Failure, isRetriableFailure, protocolFailure, transportName } from "./errorMap.ts"
import { type FetchRound, FetchState, type Ticket } from "./fetchState.ts"
import type { FetchedPartition } from "./inside.ts"
import { fromFetch } from "./messagesBatch.ts"
import type { ClientPlan, FetchPlan } from "./settingsMap.ts"

export interface Pump extends Pick<TransportConsumer, "start" | "pause" | "resume"> {
  /** These and no others from now on. `keep` is asked which go on at once, after the change. */
  readonly assign: (
    partitions: ReadonlyArray<TopicPartition>,
    keep: () => ReadonlyArray<PartitionOffset>
  ) => void
  /** Nothing is handed over until the next `assign`. */
  readonly hold: () => void
  /** The same, and what was held comes back as new, if it does. */
  readonly clear: () => void
  /** Fetches while it runs; fails with what makes it useless to go on. */
  readonly run: Effect.Effect<never, KafkaError>
}

/** How long the broker may wait for records while a partition of its is held back, and may go on at any moment. */
const briefWaitMs = 10

/** Codes of one partition that say: ask again, after having looked where its leader is. */
const moved: ReadonlySet<number> = new Set<number>([
  codes.unknownTopicOrPartition,
  codes.leaderNotAvailable,
  codes.notLeader,
  codes.replicaNotAvailable,
  codes.kafkaStorageError,
  codes.fencedLeaderEpoch,
  codes.unknownLeaderEpoch,
  codes.offsetNotAvailable
])

export const makePump = (options: {
  readonly cluster: ClusterClient
  readonly plan: FetchPlan
  readonly client: ClientPlan
  readonly handler: TransportHandler
  readonly clock: Clock.Clock
  /** Without an answer for so long, it is given up. */
  readonly patienceMs: number
}): Pump => {
  const { client, clock, cluster, handler, patienceMs, plan } = options
  const state = new FetchState()
  const wake = Latch.makeUnsafe(false)
  const wakeUp = () => {
    wake.openUnsafe()
  }
  const now = () => clock.currentTimeMillisUnsafe()
  const inFlight = new Set<number>()
  /** Failures in a row, of each broker. */
  const failures = new Map<number, number>()
  let lastAnswer = now()
  let refreshing = false
  let metadataAt = now()
  let unknownSince: number | undefined

  const fetch = Effect.fnUntraced(function*(node: number, round: FetchRound) {
    const broker = yield* cluster.broker(node)
    const answer = yield* attempt(() =>
      broker.fetch({
        isolationLevel: plan.isolationLevel,
        maxWaitTime: round.brief ? Math.min(briefWaitMs, plan.maxWaitMs) : plan.maxWaitMs,
        minBytes: plan.minBytes,
        maxBytes: plan.maxBytes,
        topics: requestedTopics(round.tickets, plan.partitionMaxBytes)
      })
    )
    lastAnswer = now()
    failures.delete(node)
    handler.onAlive("fetch")
    if (answer.errorCode !== undefined && answer.errorCode !== 0) return yield* Effect.fail(protocolFailure(answer.errorCode))
    let leaderMoved = false
    for (const { partitions, topicName } of answer.responses) {
      for (const fetched of partitions) {
        const ticket = round.tickets.find((one) => one.topic === topicName && one.partition === fetched.partition)
        if (ticket === undefined || !state.isCurrent(ticket)) continue
        if (fetched.errorCode === 0) deliver(ticket, fetched)
        else if (fetched.errorCode === codes.offsetOutOfRange) outOfRange(ticket)
        else {
          const failure = protocolFailure(fetched.errorCode)
          if (!moved.has(fetched.errorCode) && !isRetriableFailure(failure)) return yield* fatal(failure, ticket)
          leaderMoved ||= moved.has(fetched.errorCode)
          if (fetched.errorCode !== codes.unknownTopicOrPartition) unknownSince = undefined
          else if (now() - (unknownSince ??= now()) > patienceMs) return yield* fatal(failure, ticket)
          state.backOff(ticket, now() + client.retryBackoffMs)
        }
      }
    }
    if (leaderMoved) yield* Effect.ignore(cluster.refresh)
  })

  const deliver = (ticket: Ticket, fetched: FetchedPartition): void => {
    unknownSince = undefined
    const batch = fromFetch(ticket.topic, fetched, ticket.position, plan.isolationLevel)
    if (batch === undefined) return
    state.advance(ticket, batch.nextOffset)
    handler.onBatch(batch)
  }

  const outOfRange = (ticket: Ticket): void => {
    state.halt(ticket)
    handler.onOutOfRange(new TopicPartition(ticket.topic, ticket.partition), ticket.position)
  }

  const fatal = (failure: Failure, about?: Ticket): Effect.Effect<never, Fatal> =>
    Effect.fail({
      _tag: "Fatal",
      error: failure._tag === "Unsupported"
        ? new UnsupportedError({ transport: transportName, feature: failure.feature })
        : consumerError(failure, { brokers: cluster.addresses, topic: about?.topic, partition: about?.partition })
    })

  /** One request and what comes of it. Fails only with what ends the pump. */
  const once = (node: number, round: FetchRound): Effect.Effect<void, KafkaError> =>
    fetch(node, round).pipe(
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
      ? new ConnectionError({ brokers: cluster.addresses, cause: new Error("partitions are without a leader") })
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

  const run = Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make<void, KafkaError>()
    lastAnswer = now()
    metadataAt = now()
    const loop = Effect.gen(function*() {
      while (true) {
        yield* wake.close
        const { byLeader, wakeAt } = state.rounds(cluster.leaderOf, now())
        for (const [leader, round] of byLeader) {
          if (leader === undefined || inFlight.has(leader)) continue
          inFlight.add(leader)
          yield* FiberSet.run(fibers, once(leader, round))
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
      state.assign(partitions, now())
      cluster.watch(state.topics())
      state.keep(keep())
      wakeUp()
    },
    hold: () => state.hold(),
    clear: () => state.clear(),
    run
  }
}

interface Fatal {
  readonly _tag: "Fatal"
  readonly error: KafkaError
}

const requestedTopics = (tickets: ReadonlyArray<Ticket>, maxBytes: number) => {
  const topics = new Map<string, Array<{ partition: number; fetchOffset: string; maxBytes: number }>>()
  for (const { partition, position, topic } of tickets) {
    const wanted = { partition, fetchOffset: position.toString(), maxBytes }
    const ofTopic = topics.get(topic)
    if (ofTopic === undefined) topics.set(topic, [wanted])
    else ofTopic.push(wanted)
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}
