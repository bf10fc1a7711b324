/**
 * A client library's cluster, as effects: connected on first use, metadata with an error for each topic.
 *
 * @since 0.1.0
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Broker, Client, ClusterMetadata, Dedicated, Node, TopicMetadata } from "./Client.ts"
import {
  consumerError,
  type Failure,
  isRetriableFailure,
  isUnknownTopic,
  noAnswer,
  protocolFailure
} from "./Failure.ts"
import * as Handshake from "./Handshake.ts"
import type { ClientPlan } from "./Plan.ts"

/**
 * A cluster, and the connections to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cluster<B extends Broker = Broker> {
  /** For errors: the transport, and where it looks for brokers first. */
  readonly about: { readonly transport: string; readonly brokers: ReadonlyArray<string> }
  /** A request, and what its failure is. */
  readonly attempt: <A>(request: () => Promise<A>) => Effect.Effect<A, Failure>
  readonly classify: (thrown: unknown) => Failure
  readonly dedicated: (node: Node) => Effect.Effect<Dedicated<B>, Failure>
  /** Connects and learns of the brokers; at once where that was done. */
  readonly connect: Effect.Effect<void, KafkaError>
  /** Also connects. */
  readonly refresh: Effect.Effect<void, Failure>
  /** Metadata from now on includes these. */
  readonly watch: (topics: Iterable<string>) => void
  readonly metadata: () => ClusterMetadata | undefined
  /** The topic as the brokers tell it, asked anew where it is not known; retried while brokers disagree. */
  readonly topic: (name: string) => Effect.Effect<TopicMetadata, KafkaError>
  /** The same, for callers with a use for the bare failure. */
  readonly askTopic: (name: string) => Effect.Effect<TopicMetadata, Failure>
  /** As last heard; `undefined` without a leader. */
  readonly leaderOf: (topic: string, partition: number) => number | undefined
  readonly broker: (nodeId: number) => Effect.Effect<B, Failure>
  readonly anyBroker: Effect.Effect<B, Failure>
  /** It owes an answer: others are asked before it for what any of them knows. */
  readonly avoid: (nodeId: number) => void
  /** A request that every broker can answer: of one that says nothing, the next one is asked. */
  readonly askAny: <A>(request: (broker: B) => Promise<A>) => Effect.Effect<A, Failure>
}

/** How often a topic may be unknown before it is: a broker learns of a new topic a moment after the controller. */
const unknownRetries = 5

/** How long a broker may take to answer what any other can answer as well. It does not lose its connection by that. */
const lookUpMs = 10_000

/**
 * Closes its connections with its scope. Making it connects to nothing. `patienceMs` is how long the first connection may
 * take altogether: a server that takes the connection and says nothing would hold it for the whole request timeout.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*<B extends Broker>(options: {
  readonly open: () => Client<B>
  readonly addresses: ReadonlyArray<string>
  readonly plan: ClientPlan
  readonly patienceMs: number
  readonly security: Handshake.Security
}): Effect.fn.Return<Cluster<B>, never, Scope.Scope> {
  const { addresses, patienceMs, plan, security } = options
  const client = yield* Effect.acquireRelease(Effect.sync(options.open), (opened) => Effect.sync(opened.close))
  const one = yield* Semaphore.make(1)
  const about = { transport: client.name, brokers: addresses }
  const clock = yield* Clock.Clock
  let connected = false
  let refreshedAt = clock.currentTimeMillisUnsafe()
  /** By node, as they were found last. */
  const found = new Map<number, B>()

  const attempt = <A>(request: () => Promise<A>): Effect.Effect<A, Failure> =>
    Effect.tryPromise({ try: () => request(), catch: client.classify })

  const askAny = Effect.fnUntraced(function*<A>(request: (broker: B) => Promise<A>): Effect.fn.Return<A, Failure> {
    // Counted, since brokers come and go meanwhile. The last one has all the time of its connection: it may be busy.
    for (let others = (client.metadata()?.brokers.length ?? 1) - 1;; others--) {
      const isLast = others <= 0
      const bounded = <R>(asked: Effect.Effect<R, Failure>) =>
        isLast
          ? asked
          : Effect.timeoutOrElse(asked, { duration: lookUpMs, orElse: () => Effect.fail(noAnswer(lookUpMs)) })
      const found = yield* Effect.result(bounded(attempt(client.anyBroker)))
      const result = Result.isFailure(found)
        ? Result.fail(found.failure)
        : yield* Effect.result(bounded(attempt(() => request(found.success))))
      if (Result.isSuccess(result)) return result.success
      if (result.failure._tag === "Connection" && Result.isSuccess(found)) client.avoid(found.success)
      if (isLast || result.failure._tag !== "Connection") return yield* Effect.fail(result.failure)
    }
  })

  const open = one.withPermit(Effect.suspend(() =>
    connected ? Effect.void : attempt(client.connect).pipe(
      Effect.mapError((failure) => Handshake.hinted(failure, security, false)),
      Effect.andThen(
        Effect.mapError(attempt(() => client.anyBroker().then(client.refreshMetadata)), (failure) =>
          Handshake.hinted(failure, security, true))
      ),
      Effect.timeoutOrElse({
        duration: patienceMs,
        orElse: () =>
          Effect.fail(noAnswer(patienceMs))
      }),
      Effect.tap(() => Effect.sync(() => connected = true))
    )
  ))
  const refresh = Effect.suspend(() =>
    connected
      ? Effect.tap(askAny(client.refreshMetadata), () =>
        Effect.sync(() => {
          refreshedAt = clock.currentTimeMillisUnsafe()
        }))
      : open
  )

  let leaders: { readonly of: ClusterMetadata; readonly byTopic: Leaders } | undefined
  const leaderOf = (topic: string, partition: number): number | undefined => {
    const metadata = client.metadata()
    if (metadata === undefined) return undefined
    if (leaders?.of !== metadata) leaders = { of: metadata, byTopic: leadersOf(metadata) }
    return leaders.byTopic.get(topic)?.get(partition)
  }
  const knows = (broker: number): boolean => client.metadata()?.brokers.some(({ nodeId }) => nodeId === broker) === true
  const find = (name: string): TopicMetadata | undefined =>
    client.metadata()?.topicMetadata.find(({ topic }) => topic === name)

  const askOnce = (name: string): Effect.Effect<TopicMetadata, Failure> =>
    Effect.suspend(() => {
      const known = find(name)
      const isKnown = known?.topicErrorCode === 0
      const isOld = clock.currentTimeMillisUnsafe() - refreshedAt > plan.metadataMaxAgeMs
      if (isKnown && !isOld) return Effect.succeed(known)
      client.topics.add(name)
      // What is old is better than nothing while no broker answers.
      return Effect.flatMap(isKnown ? Effect.ignore(refresh) : refresh, () => {
        const told = find(name)
        if (told === undefined) return Effect.fail(isLacking)
        return told.topicErrorCode === 0 ? Effect.succeed(told) : Effect.fail(protocolFailure(told.topicErrorCode))
      })
    })
  const askTopic = (name: string): Effect.Effect<TopicMetadata, Failure> =>
    Effect.retry(askOnce(name), {
      while: (failure) => isRetriableFailure(failure) && failure._tag !== "Connection",
      schedule: Schedule.max([Schedule.spaced(plan.retryBackoffMs), Schedule.recurs(unknownRetries)])
    }).pipe(
      Effect.tapError((failure) =>
        // Else each refresh would ask for what does not exist.
        Effect.sync(() => isUnknownTopic(failure) ? client.topics.delete(name) : false)
      )
    )

  return {
    about,
    attempt,
    classify: client.classify,
    dedicated: (node) =>
      Effect.tryPromise({
        try: (signal) =>
          client.dedicated(node).then((one) => {
            // Nobody waits for it any more, so nobody would close it.
            if (signal.aborted) one.close()
            return one
          }),
        catch: client.classify
      }),
    connect: Effect.mapError(open, (failure) => consumerError(failure, about)),
    refresh,
    watch: (topics) => {
      for (const name of topics) client.topics.add(name)
    },
    metadata: client.metadata,
    topic: (name) => Effect.mapError(askTopic(name), (failure) => consumerError(failure, { ...about, topic: name })),
    askTopic,
    leaderOf,
    broker: (nodeId) =>
      open.pipe(
        // Coordinators are told by their addresses, too: one may have joined the cluster since.
        Effect.andThen(Effect.suspend(() => knows(nodeId) ? Effect.void : Effect.ignore(refresh))),
        Effect.andThen(attempt(() => client.findBroker(nodeId))),
        Effect.map((broker) => {
          found.set(nodeId, broker)
          return broker
        })
      ),
    anyBroker: Effect.andThen(open, attempt(client.anyBroker)),
    avoid: (nodeId) => {
      const broker = found.get(nodeId)
      if (broker !== undefined) client.avoid(broker)
    },
    askAny: (request) => Effect.andThen(open, askAny(request))
  }
})

const isLacking: Failure = { _tag: "Connection", cause: new Error("the answer lacks what was asked for") }

/** By topic and then by partition: who leads is asked for each partition with each fetch, and a key of both would be made anew. */
type Leaders = ReadonlyMap<string, ReadonlyMap<number, number>>

const leadersOf = ({ topicMetadata }: ClusterMetadata): Leaders =>
  new Map(topicMetadata.map(({ partitionMetadata, topic }) => [
    topic,
    new Map(partitionMetadata.flatMap(({ leader, partitionId }) => leader >= 0 ? [[partitionId, leader]] : []))
  ]))
