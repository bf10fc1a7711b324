/**
 * A producer that writes each partition's records in their order, in batches that are only ever sent again as they were.
 *
 * @since 0.1.0
 */
import { isRetriable, type KafkaError, ProduceError, UnknownTopicError } from "@weft/kafka/KafkaError"
import { keyOf, type PartitionOffset } from "@weft/kafka/TopicPartition"
import type { PartitionRecords, ProducerSettings, TransportProducer } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import type { Cluster } from "./Cluster.ts"
import { codes } from "./ErrorCode.ts"
import { consumerError, type Failure, produceError, protocolFailure } from "./Failure.ts"
import { type Batch, ProduceLane, type ProducerIdentity } from "./internal/produceLane.ts"
import { produceReaction } from "./internal/produceReaction.ts"
import { produceRequest } from "./internal/produceRequest.ts"
import type { ClientPlan } from "./Plan.ts"
import { encodeBatch, encodeRecords } from "./RecordBatchEncoder.ts"

/** Requests under way to one broker; of one partition there is never more than one. */
const requestsPerBroker = 5

/** Partitions in one request. */
const batchesPerRequest = 50

/** How long a failed request waits for news of who leads now. */
const refreshMs = 5000

/** How long what still waits may take when the producer closes. */
const flushMs = 5000

/** Of a producer that has no transactions, Kafka asks for it all the same. */
const transactionTimeout = 60_000

const compress = promisify(gzip)

const withoutIdentity: ProducerIdentity = { producerId: -1n, producerEpoch: -1 }

interface Sending {
  readonly lane: ProduceLane
  readonly batch: Batch
}

interface Enqueued {
  readonly written: Effect.Effect<bigint, KafkaError>
  readonly cancel: () => void
}

/** A call that was not let in at once. */
interface Waiting {
  readonly parts: ReadonlyArray<PartitionRecords>
  readonly turn: Deferred.Deferred<void>
  /** Also by another one, before it has had its turn. */
  enqueued: ReadonlyArray<Enqueued> | undefined
}

/**
 * A producer on this cluster, which is its own. What waits is written before the scope ends, for a few seconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly cluster: Cluster
  readonly client: ClientPlan
  readonly settings: ProducerSettings
}): Effect.fn.Return<TransportProducer, KafkaError, Scope.Scope> {
  const { client, cluster, settings } = options
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const lanes = new Map<string, ProduceLane>()
  const wake = Latch.makeUnsafe(false)
  const idle = Latch.makeUnsafe(true)
  const inFlight = new Map<number, number>()
  const identities = yield* Semaphore.make(1)
  let shared: ProducerIdentity | undefined
  let closed = false
  let refreshing = false

  const askForIdentity: Effect.Effect<ProducerIdentity, Failure> = cluster.askAny((broker) =>
    broker.initProducerId({ transactionTimeout })
  )

  /** One identity for all partitions, and another for one that had to give it up. */
  const identify = (lane: ProduceLane): Effect.Effect<void, Failure> => {
    if (!settings.enableIdempotence) {
      return Effect.sync(() => {
        lane.identity = withoutIdentity
      })
    }
    const isNew = lane.identity === undefined && !known.has(lane)
    const identity = isNew
      ? identities.withPermit(Effect.suspend(() =>
        shared === undefined
          ? Effect.tap(askForIdentity, (one) =>
            Effect.sync(() => {
              shared = one
            }))
          : Effect.succeed(shared)
      ))
      : askForIdentity
    return Effect.map(identity, (one) => {
      known.add(lane)
      lane.identity = one
    })
  }
  const known = new Set<ProduceLane>()

  const encode = Effect.fnUntraced(function*({ batch, lane }: Sending) {
    if (batch.bytes !== undefined) return batch.bytes
    const records = encodeRecords(batch.records, now())
    const bytes = settings.compressionType === "gzip"
      ? yield* cluster.attempt(() => compress(records.bytes))
      : records.bytes
    batch.bytes = encodeBatch({ ...records, bytes }, {
      compression: settings.compressionType,
      ...lane.identity!,
      baseSequence: settings.enableIdempotence ? batch.baseSequence : -1
    })
    return batch.bytes
  })

  const settle = (sending: Sending, failure: Failure, wasAmbiguous: boolean): void => {
    const { batch, lane } = sending
    const reaction = produceReaction(failure)
    // A leader that gave way says so, too, of what it has in its log and the others may have by now.
    const isUnwritten = reaction === "anew" || reaction === "split" || reaction === "fail"
    if (failure._tag === "Protocol" && isUnwritten) batch.ambiguous = wasAmbiguous
    const later = now() + client.retryBackoffMs
    const isLate = now() >= batch.deadline
    switch (reaction) {
      case "written":
        return lane.written(batch, undefined)
      case "split":
        if (lane.split(batch)) return
        return lane.fail(batch, errorOf(lane, failure))
      case "fail":
        return lane.fail(batch, errorOf(lane, failure))
      case "again":
      case "elsewhere":
        return isLate ? lane.fail(batch, errorOf(lane, failure)) : lane.again(later)
      case "anew":
        return isLate ? lane.fail(batch, errorOf(lane, failure)) : lane.anew(later)
    }
  }

  const errorOf = ({ partition, topic }: ProduceLane, failure: Failure): KafkaError =>
    produceError(failure, { ...cluster.about, topic, partition })

  /** What can be sent of these. Each that cannot waits, or fails, by itself. */
  const prepare = Effect.fnUntraced(function*(
    sendings: ReadonlyArray<Sending>,
    fail: (sending: Sending, failure: Failure) => void
  ) {
    const parts: Array<{ readonly topic: string; readonly partition: number; readonly batch: Buffer }> = []
    // Where nobody gives an identity away, that is asked once, and not once for each partition.
    let unidentified: Failure | undefined
    for (const sending of sendings) {
      const { lane } = sending
      if (lane.identity === undefined && unidentified === undefined) {
        const identified = yield* Effect.result(identify(lane))
        if (Result.isFailure(identified)) unidentified = identified.failure
      }
      if (lane.identity === undefined) {
        fail(sending, unidentified!)
        continue
      }
      const encoded = yield* Effect.result(encode(sending))
      if (Result.isFailure(encoded)) fail(sending, encoded.failure)
      else parts.push({ topic: lane.topic, partition: lane.partition, batch: encoded.success })
    }
    return parts
  })

  /** One request; every batch in it is settled one way or another when it ends. */
  const request = (node: number, sendings: ReadonlyArray<Sending>): Effect.Effect<void> => {
    const unsettled = new Map(sendings.map((sending) => [sending, sending.batch.ambiguous]))
    const fail = (sending: Sending, failure: Failure): void => {
      const wasAmbiguous = unsettled.get(sending)
      if (wasAmbiguous === undefined) return
      unsettled.delete(sending)
      settle(sending, failure, wasAmbiguous)
    }
    const failAll = (failure: Failure): void => {
      for (const sending of unsettled.keys()) fail(sending, failure)
    }
    return Effect.gen(function*() {
      const broker = yield* cluster.broker(node)
      const parts = yield* prepare(sendings, fail)
      if (parts.length === 0) return
      for (const { batch } of unsettled.keys()) batch.ambiguous = true
      const answer = yield* cluster.attempt(() =>
        broker.send(produceRequest({ acks: settings.acks, timeoutMs: settings.requestTimeoutMs, parts }))
      )
      let hasMoved = false
      for (const sending of unsettled.keys()) {
        const { lane } = sending
        const part = answer?.find(({ partition, topic }) => topic === lane.topic && partition === lane.partition)
        if (answer === undefined || part?.errorCode === 0) {
          unsettled.delete(sending)
          lane.written(sending.batch, part?.baseOffset)
          continue
        }
        const failure = part === undefined ? noAnswer : protocolFailure(part.errorCode)
        hasMoved ||= produceReaction(failure) === "elsewhere"
        fail(sending, failure)
      }
      if (hasMoved) yield* Effect.ignore(cluster.refresh)
    }).pipe(
      Effect.catch((failure) =>
        Effect.suspend(() => {
          // Another one is to say who leads now, and before it is tried again: a frozen broker would be asked once more.
          if (failure._tag === "Connection") cluster.avoid(node)
          return Effect.logDebug("a produce request failed", failure.cause).pipe(
            Effect.andThen(Effect.timeoutOption(Effect.ignore(cluster.refresh), refreshMs)),
            Effect.andThen(Effect.sync(() => failAll(failure)))
          )
        })
      ),
      Effect.catchDefect((defect) => Effect.sync(() => failAll(cluster.classify(defect)))),
      Effect.ensuring(Effect.sync(() => {
        inFlight.set(node, (inFlight.get(node) ?? 1) - 1)
        wake.openUnsafe()
      }))
    )
  }

  const fibers = yield* FiberSet.make<void>()

  const lookForLeaders = Effect.ignore(cluster.refresh).pipe(
    Effect.andThen(Effect.sleep(client.retryBackoffMs)),
    Effect.ensuring(Effect.sync(() => {
      refreshing = false
      wake.openUnsafe()
    }))
  )

  /** Whom to send what, now; and when to look again. */
  const round = (): {
    readonly byLeader: Map<number, Array<ProduceLane>>
    readonly wakeAt: number
    readonly leaderless: boolean
  } => {
    const at = now()
    const byLeader = new Map<number, Array<ProduceLane>>()
    let wakeAt = Infinity
    let leaderless = false
    let busy = false
    for (const lane of lanes.values()) {
      if (lane.isIdle) continue
      busy = true
      if (!lane.isReady(at)) {
        if (lane.notBefore > at) wakeAt = Math.min(wakeAt, lane.notBefore)
        continue
      }
      const leader = cluster.leaderOf(lane.topic, lane.partition)
      if (leader === undefined) {
        leaderless = true
        const batch = lane.take()
        if (at >= batch.deadline) lane.fail(batch, errorOf(lane, noLeader))
        else lane.again(0)
        continue
      }
      const ofLeader = byLeader.get(leader)
      if (ofLeader === undefined) byLeader.set(leader, [lane])
      else ofLeader.push(lane)
    }
    if (busy) idle.closeUnsafe()
    else idle.openUnsafe()
    return { byLeader, wakeAt, leaderless }
  }

  const loop = Effect.gen(function*() {
    while (true) {
      yield* wake.close
      const { byLeader, leaderless, wakeAt } = round()
      for (const [leader, ready] of byLeader) {
        for (
          let at = 0;
          at < ready.length && (inFlight.get(leader) ?? 0) < requestsPerBroker;
          at += batchesPerRequest
        ) {
          const sendings = ready.slice(at, at + batchesPerRequest).map((lane) => ({ lane, batch: lane.take() }))
          inFlight.set(leader, (inFlight.get(leader) ?? 0) + 1)
          yield* FiberSet.run(fibers, request(leader, sendings))
        }
      }
      if (leaderless && !refreshing) {
        refreshing = true
        yield* FiberSet.run(fibers, lookForLeaders)
      }
      yield* wakeAt === Infinity ? wake.await : Effect.timeoutOption(wake.await, Math.max(0, wakeAt - now()))
    }
  })

  yield* Effect.addFinalizer(() =>
    Effect.timeoutOption(idle.await, flushMs).pipe(
      Effect.andThen(Effect.sync(() => {
        closed = true
        for (const lane of lanes.values()) lane.failAll(closedError(lane.topic, lane.partition))
      }))
    )
  )
  // Among the fibers that outlive the flush.
  yield* FiberSet.run(fibers, loop)

  const again = Schedule.spaced(client.retryBackoffMs)

  /** Brokers that were reached once come back; where none ever was, whoever sends learns of it at once. */
  const persistently = <A>(ask: Effect.Effect<A, KafkaError>): Effect.Effect<A, KafkaError> =>
    Effect.andThen(
      cluster.connect,
      Effect.suspend(() => {
        const deadline = now() + settings.deliveryTimeoutMs
        return Effect.retry(ask, { while: (error) => isRetriable(error) && now() < deadline, schedule: again })
      })
    )

  const partitionCount = (topic: string): Effect.Effect<number, KafkaError> =>
    persistently(Effect.map(cluster.topic(topic), ({ partitionMetadata }) => partitionMetadata.length))

  const check = Effect.fnUntraced(function*(parts: ReadonlyArray<PartitionRecords>) {
    yield* cluster.connect
    for (const { partition, topic } of parts) {
      if (lanes.has(keyOf(topic, partition))) continue
      if (partition < (yield* partitionCount(topic))) continue
      // There may be more of them by now.
      yield* persistently(
        Effect.mapError(cluster.refresh, (failure) => consumerError(failure, { ...cluster.about, topic }))
      )
      if (partition >= (yield* partitionCount(topic))) return yield* new UnknownTopicError({ topic, partition })
    }
  })

  const laneOf = (topic: string, partition: number): ProduceLane => {
    const key = keyOf(topic, partition)
    const lane = lanes.get(key) ?? new ProduceLane(topic, partition)
    lanes.set(key, lane)
    return lane
  }

  const enqueue = ({ partition, records, topic }: PartitionRecords): Enqueued => {
    if (records.length === 0) return { written: Effect.succeed(-1n), cancel: () => {} }
    if (closed) return { written: Effect.fail(closedError(topic, partition)), cancel: () => {} }
    const done = Deferred.makeUnsafe<bigint, KafkaError>()
    const lane = laneOf(topic, partition)
    const progress = lane.add({
      records,
      deadline: now() + settings.deliveryTimeoutMs,
      onWritten: (baseOffset) => {
        Deferred.doneUnsafe(done, Effect.succeed(baseOffset))
      },
      onFailed: (error) => {
        Deferred.doneUnsafe(done, Effect.fail(error))
      }
    })
    idle.closeUnsafe()
    wake.openUnsafe()
    const cancel = () => lane.cancel(progress)
    return { written: Effect.onInterrupt(Deferred.await(done), () => Effect.sync(cancel)), cancel }
  }

  /** In the order of calls; the first of them has its turn. */
  const waiting = new Set<Waiting>()

  const areKnown = (parts: ReadonlyArray<PartitionRecords>): boolean =>
    parts.every(({ partition, topic }) => lanes.has(keyOf(topic, partition)))

  /** The first that waits, and behind it those of whom nothing has to be found out. */
  const letIn = (first: Waiting): ReadonlyArray<Enqueued> => {
    const enqueued = first.parts.map(enqueue)
    waiting.delete(first)
    // Thousands of senders may wait: not each in a turn of its own.
    const others: Array<Waiting> = []
    for (const next of waiting) {
      if (!areKnown(next.parts)) break
      waiting.delete(next)
      next.enqueued = next.parts.map(enqueue)
      others.push(next)
    }
    // They go on at once, so after all is as it will be.
    for (const { turn } of others) Deferred.doneUnsafe(turn, Effect.void)
    return enqueued
  }

  const giveTurn = (): void => {
    for (const { turn } of waiting) return void Deferred.doneUnsafe(turn, Effect.void)
  }

  /** One after the other, so that the order of calls is the order of records. */
  const admit = (parts: ReadonlyArray<PartitionRecords>): Effect.Effect<ReadonlyArray<Enqueued>, KafkaError> =>
    Effect.suspend(() => {
      if (waiting.size === 0 && areKnown(parts)) return Effect.succeed(parts.map(enqueue))
      const one: Waiting = { parts, turn: Deferred.makeUnsafe(), enqueued: undefined }
      waiting.add(one)
      giveTurn()
      return Deferred.await(one.turn).pipe(
        Effect.andThen(Effect.suspend(() =>
          one.enqueued !== undefined
            ? Effect.succeed(one.enqueued)
            // Not on top of the one before, whose end gave the turn.
            : Effect.andThen(Effect.yieldNow, Effect.map(check(parts), () => letIn(one)))
        )),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            waiting.delete(one)
            giveTurn()
            if (Exit.isFailure(exit)) one.enqueued?.forEach(({ cancel }) => cancel())
          })
        )
      )
    })

  return {
    partitionCount,
    send: (parts) =>
      Effect.flatMap(admit(parts), (enqueued) =>
        enqueued.length === 1
          ? Effect.map(enqueued[0]!.written, (offset) => [placeOf(parts[0]!, offset)])
          : Effect.flatMap(
            // All are settled when the first failure is told: nothing of this call is written after that.
            Effect.forEach(enqueued, ({ written }) => Effect.result(written), { concurrency: "unbounded" }),
            (results) =>
              Effect.forEach(
                results,
                (result, i) => Effect.map(Effect.fromResult(result), (offset) => placeOf(parts[i]!, offset))
              )
          ))
  }
})

const placeOf = ({ partition, topic }: PartitionRecords, offset: bigint): PartitionOffset => ({
  topic,
  partition,
  offset
})

const noLeader: Failure = protocolFailure(codes.leaderNotAvailable)

const noAnswer: Failure = { _tag: "Connection", cause: new Error("the answer lacks a partition") }

const closedError = (topic: string, partition: number): ProduceError =>
  new ProduceError({
    topic,
    partition,
    code: "PRODUCER_CLOSED",
    retriable: false,
    cause: new Error("the producer was closed")
  })
