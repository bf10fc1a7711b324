/**
 * The consumer of the in-memory transport: one membership with the eager protocol, and its fetch loop.
 *
 * The way of a membership: join, sync, `onAssignment`, stable with heartbeats, and when the coordinator rebalances: stop
 * fetching, `beforeRevoke`, join again. Only the application's own `heartbeat` keeps the session alive while
 * `beforeRevoke` waits; a member that the coordinator has dropped meanwhile hears of it at once, by `onLost`.
 */
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import { type KafkaError, TransportError, UnknownTopicError } from "@weft/kafka/KafkaError"
import type { TopicPartition } from "@weft/kafka/TopicPartition"
import type { SettingWarning, TransportConsumer, TransportHandler, TransportSubscription } from "@weft/kafka/Transport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Assignors from "./assignors.ts"
import type { Ask } from "./coordinator.ts"
import * as Codes from "./errorCodes.ts"
import * as FetchLoop from "./fetchLoop.ts"
import * as FetchSession from "./fetchSession.ts"
import type { Reply } from "./groupModel.ts"
import * as Lookup from "./lookup.ts"
import * as Network from "./network.ts"
import * as Signal from "./signal.ts"
import * as World from "./world.ts"

type Phase = "joining" | "stable" | "revoking"

/** How often a client asks again before it says that a request failed. */
const retries = 5

/** Refusals that end a membership, or call for a new join. */
const membershipCodes: ReadonlySet<string> = new Set([
  "UNKNOWN_MEMBER_ID",
  "ILLEGAL_GENERATION",
  "REBALANCE_IN_PROGRESS"
])

const strategyOf = (settings: ConsumerSettings): Assignors.Strategy =>
  settings.partitionAssignmentStrategy === "cooperative-sticky" ? "sticky" : settings.partitionAssignmentStrategy

const warningsOf = (settings: ConsumerSettings): ReadonlyArray<SettingWarning> => {
  const { groupInstanceId, groupProtocol, partitionAssignmentStrategy } = settings
  const warnings: Array<SettingWarning> = []
  if (groupProtocol === "consumer") {
    warnings.push({ setting: "groupProtocol", value: groupProtocol, instead: "classic" })
  }
  if (groupInstanceId !== undefined) {
    warnings.push({ setting: "groupInstanceId", value: groupInstanceId, instead: "a member that is not static" })
  }
  if (partitionAssignmentStrategy === "cooperative-sticky") {
    warnings.push({
      setting: "partitionAssignmentStrategy",
      value: partitionAssignmentStrategy,
      instead: "sticky, with the eager protocol"
    })
  }
  return warnings
}

export const make = Effect.fnUntraced(function*(world: World.World, options: {
  readonly subscription: TransportSubscription
  readonly settings: ConsumerSettings
  readonly handler: TransportHandler
}) {
  const { handler, settings, subscription } = options
  const { coordinator, network, timers, topics } = world
  const { groupId } = settings
  const strategy = strategyOf(settings)
  const backoff = { retryBackoffMs: settings.retryBackoffMs, maxMs: settings.reconnectBackoffMaxMs }
  const route = World.groupRoute(world, groupId)
  const fatal = Deferred.makeUnsafe<never, KafkaError>()

  const client = Network.makeClient({
    clientId: settings.clientId,
    groupId,
    crash: () => {
      dead = true
      session.close()
      network.unregister(client)
      fail(new TransportError({ transport: "memory", reason: "crashed", retriable: true, cause: "the client died" }))
    }
  })
  let dead = false
  let generation = -1
  let phase: Phase = "joining"
  /** What the coordinator wants, until the membership loop sees to it. */
  let event: "rebalance" | "lost" | undefined
  let held: ReadonlyArray<TopicPartition> = []
  let isLeader = false
  let counts: Assignors.PartitionCounts = new Map()

  const memberSignal = Signal.make(timers)
  const fetchSignal = Signal.make(timers)
  const session = FetchSession.make({
    topics,
    timers,
    isAway: network.isAway,
    wake: fetchSignal.notify,
    retryBackoffMs: settings.retryBackoffMs
  })

  const fail = (error: KafkaError): void => {
    timers.defer(() => Deferred.doneUnsafe(fatal, Effect.fail(error)))
  }

  /** Membership ended on the coordinator's side: nothing that was held is ours any more. */
  const lose = (code: string): void => {
    if (code === "UNKNOWN_MEMBER_ID") client.memberId = ""
    generation = -1
    session.close()
    session.assign([])
    const lost = held
    held = []
    if (lost.length > 0) handler.onLost(lost)
  }

  const onMembershipCode = (code: string): void => {
    // Before a join has ended, a refusal concerns a membership that is being replaced anyway.
    if (phase === "joining") return
    if (code === "REBALANCE_IN_PROGRESS") event ??= "rebalance"
    else {
      event = "lost"
      lose(code)
    }
    memberSignal.notify()
  }

  const call = <A>(
    kind: Parameters<Network.Network["request"]>[1],
    broker: () => number,
    body: Effect.Effect<A, Network.RequestFailed>,
    waited?: (answer: A) => boolean
  ): Effect.Effect<A, Network.RequestFailed> =>
    Effect.suspend(() =>
      dead
        ? Effect.fail(new Network.RequestFailed({ code: "CLOSED" }))
        : network.request(client, kind, broker, body, waited)
    )

  /** A request to the coordinator; a connection that breaks is one more way to be refused. */
  const ask = (kind: "join" | "sync" | "heartbeat", input: () => Ask): Effect.Effect<Reply> =>
    Effect.suspend(() =>
      call(
        kind,
        route.broker,
        route.guard(Effect.callback<Reply>((resume) =>
          Effect.sync(coordinator.ask(groupId, input(), (reply) => resume(Effect.succeed(reply))))
        ))
      )
    ).pipe(
      Effect.catch(({ code }) => Effect.succeed<Reply>({ _tag: "Failed", request: 0, code })),
      Effect.tap((reply) =>
        Effect.sync(() => {
          if (reply._tag === "Failed" && Codes.isTransient(reply.code)) route.forget()
        })
      )
    )

  const joinInput = (): Ask => ({
    _tag: "Join",
    memberId: client.memberId,
    clientId: settings.clientId,
    host: "/127.0.0.1",
    sessionTimeoutMs: settings.sessionTimeoutMs,
    rebalanceTimeoutMs: settings.maxPollIntervalMs,
    // The other strategies stand behind the preferred one, so that a group can change from one to another in turn.
    protocols: [strategy, ...Assignors.strategies.filter((other) => other !== strategy)].map((name) => ({
      name,
      metadata: {
        topics: subscription._tag === "Topics" ? subscription.topics : [],
        owned: held,
        ownedGeneration: generation
      }
    }))
  })

  const shareOut = (reply: Extract<Reply, { readonly _tag: "Joined" }>): Assignors.Shares | undefined => {
    isLeader = reply.leader === reply.memberId
    const named = new Set(reply.members.flatMap((m) => m.topics))
    counts = new Map([...named].map((name) => [name, topics.all.get(name)?.partitions.length ?? 0]))
    const chosen = Assignors.strategies.find((name) => name === reply.protocol) ?? strategy
    return isLeader ? Assignors.assign(chosen, reply.members, counts) : undefined
  }

  const joinGroup = Effect.gen(function*() {
    phase = "joining"
    for (let attempt = 0;;) {
      const joined = yield* ask("join", joinInput)
      if (joined._tag === "Failed") {
        if (joined.memberId !== undefined) client.memberId = joined.memberId
        else if (joined.code === "UNKNOWN_MEMBER_ID") lose(joined.code)
        else if (!Codes.isTransient(joined.code)) return yield* Codes.groupError(groupId, joined.code)
        else yield* timers.sleep(World.backoffMs(backoff, attempt++))
        continue
      }
      if (joined._tag !== "Joined") continue
      const shares = shareOut(joined)
      const { memberId } = joined
      const synced = yield* ask("sync", () => ({ _tag: "Sync", memberId, generation: joined.generation, shares }))
      if (synced._tag === "Synced") {
        generation = joined.generation
        return synced.assignment
      }
      if (synced._tag !== "Failed") continue
      if (synced.code === "UNKNOWN_MEMBER_ID") lose(synced.code)
      else if (!membershipCodes.has(synced.code)) {
        if (!Codes.isTransient(synced.code)) return yield* Codes.groupError(groupId, synced.code)
        yield* timers.sleep(World.backoffMs(backoff, attempt++))
      }
    }
  })

  const adopt = (partitions: ReadonlyArray<TopicPartition>, manual: boolean): void => {
    phase = "stable"
    event = undefined
    held = partitions
    session.assign(partitions)
    const retained = handler.onAssignment({
      memberId: client.memberId,
      generation: manual ? undefined : generation,
      partitions
    })
    session.start(retained)
    session.open()
  }

  const heartbeatInput = (): Ask => ({ _tag: "Heartbeat", memberId: client.memberId, generation })

  const beat = Effect.suspend(() => {
    const asked = { memberId: client.memberId, generation }
    return Effect.map(ask("heartbeat", heartbeatInput), (reply) => {
      const code = reply._tag === "Failed" ? reply.code : undefined
      const isCurrent = asked.memberId === client.memberId && asked.generation === generation
      if (code !== undefined && membershipCodes.has(code) && isCurrent) onMembershipCode(code)
      if (code === undefined || code === "REBALANCE_IN_PROGRESS") handler.onAlive("heartbeat")
      return code
    })
  })

  /** The leader looks whether a topic has got more partitions, as metadata grows old. */
  const hasNewPartitions = (): boolean =>
    isLeader && [...counts].some(([name, count]) => (topics.all.get(name)?.partitions.length ?? 0) !== count)

  const stable = Effect.gen(function*() {
    let nextBeat = timers.now() + settings.heartbeatIntervalMs
    let nextMetadata = timers.now() + settings.metadataMaxAgeMs
    while (true) {
      if (event !== undefined) return event
      if (timers.now() >= nextMetadata) {
        nextMetadata = timers.now() + settings.metadataMaxAgeMs
        if (hasNewPartitions()) return "rebalance" as const
      }
      if (timers.now() >= nextBeat) {
        const code = yield* beat
        if (code !== undefined && !membershipCodes.has(code) && !Codes.isTransient(code)) {
          return yield* Codes.groupError(groupId, code)
        }
        const isBroken = code !== undefined && Codes.isTransient(code)
        nextBeat = timers.now() + (isBroken ? settings.retryBackoffMs : settings.heartbeatIntervalMs)
        continue
      }
      yield* memberSignal.wait(Math.min(nextBeat, nextMetadata))
    }
  })

  const membership = Effect.gen(function*() {
    while (true) {
      adopt(yield* joinGroup, false)
      const why = yield* stable
      session.close()
      if (why === "rebalance") {
        phase = "revoking"
        if (held.length > 0) yield* handler.beforeRevoke(held)
      }
    }
  })

  let fetchSettings = settings
  const fetchLoop = FetchLoop.make({
    world,
    settings: () => fetchSettings,
    handler,
    session,
    signal: fetchSignal,
    send: (poll, waited) => call("fetch", () => World.anyBroker(world), poll, waited),
    fail
  })

  const findTopics = Effect.suspend(() => {
    const wanted = subscription._tag === "Topics"
      ? subscription.topics.map((topic) => ({ topic, partition: undefined }))
      : subscription.partitions
    return World.retrying(world, backoff, retries, call("metadata", () => World.anyBroker(world), Effect.void)).pipe(
      Effect.mapError(({ code }) => Codes.adminError("metadata", code)),
      Effect.andThen(Effect.suspend(() => {
        for (const { partition, topic } of wanted) {
          const known = topics.all.get(topic)
          if (known === undefined || (partition !== undefined && known.partitions[partition] === undefined)) {
            return Effect.fail<KafkaError>(new UnknownTopicError({ topic, partition }))
          }
        }
        return Effect.void
      }))
    )
  })

  const run: Effect.Effect<never, KafkaError> = Effect.gen(function*() {
    yield* findTopics
    if (subscription._tag === "Topics") {
      return yield* Effect.raceFirst(membership, fetchLoop)
    }
    adopt(subscription.partitions, true)
    return yield* fetchLoop
  }).pipe(
    // What a dead client asks for fails in many ways; that it died is why.
    Effect.catch((error) => dead ? Deferred.await(fatal) : Effect.fail(error)),
    Effect.raceFirst(Deferred.await(fatal)),
    Effect.ensuring(Effect.sync(session.close))
  )

  const commit: TransportConsumer["commit"] = (offsets) =>
    Effect.suspend(() => {
      if (offsets.length === 0) return Effect.void
      const committer = { memberId: client.memberId, generation }
      // A member that has not joined, or is out, must not pass for nobody in particular.
      if (subscription._tag === "Topics" && generation < 0) {
        return Effect.fail(Codes.commitError(offsets, "UNKNOWN_MEMBER_ID"))
      }
      const store = Effect.sync(() =>
        coordinator.commit(
          groupId,
          committer,
          offsets,
          (topic, partition) => topics.get(topic, partition) !== undefined
        )
      )
      const once = call("commit", route.broker, route.guard(store)).pipe(
        // What the coordinator refuses because of its own state is asked again, as any other lost way is.
        Effect.flatMap((codes) => {
          const transient = codes.find((code) => code !== undefined && Codes.isTransient(code))
          return transient === undefined
            ? Effect.succeed(codes)
            : Effect.fail(new Network.RequestFailed({ code: transient }))
        }),
        Effect.tapError(({ code }) => Effect.sync(() => Codes.isTransient(code) ? route.forget() : undefined))
      )
      return World.retrying(world, backoff, retries, once).pipe(
        Effect.mapError(({ code }) => Codes.commitError(offsets, code)),
        Effect.flatMap((codes) => {
          const at = codes.findIndex((code) => code !== undefined)
          if (at < 0) return Effect.void
          const code = codes[at]!
          const isCurrent = committer.memberId === client.memberId && committer.generation === generation
          if (membershipCodes.has(code) && isCurrent) onMembershipCode(code)
          return Effect.fail(Codes.commitError(offsets.filter((_, i) => codes[i] !== undefined), code))
        })
      )
    })

  const heartbeat: TransportConsumer["heartbeat"] = Effect.suspend(() =>
    client.memberId === ""
      ? Effect.fail(Codes.groupError(groupId, "UNKNOWN_MEMBER_ID"))
      : Effect.flatMap(beat, (code) =>
        code === undefined || code === "REBALANCE_IN_PROGRESS"
          ? Effect.void
          : Effect.fail(Codes.groupError(groupId, code)))
  )

  network.register(client)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      session.close()
      session.assign([])
      // Nobody waits for the answer, so that closing takes no time. A frozen process says nothing, and its session expires.
      const { memberId } = client
      if (!dead && memberId !== "") {
        network.tell(client, "leave", () => coordinator.brokerOf(groupId), () => {
          coordinator.ask(groupId, { _tag: "Leave", memberId }, () => {})
        })
      }
      client.memberId = ""
      generation = -1
      dead = true
      network.unregister(client)
    })
  )

  const consumer: TransportConsumer = {
    warnings: warningsOf(settings),
    applySettings: (next) => {
      fetchSettings = next
      return FetchLoop.fetchSettings
    },
    run,
    start: session.start,
    pause: session.pause,
    resume: session.resume,
    commit,
    committed: (partitions) =>
      Lookup.committed(
        world,
        groupId,
        partitions,
        (body) => World.retrying(world, backoff, retries, call("offsetFetch", route.broker, route.guard(body)))
      ),
    listOffsets: (partitions, at) =>
      Lookup.listOffsets(
        world,
        partitions,
        at,
        (body) => World.retrying(world, backoff, retries, call("listOffsets", () => World.anyBroker(world), body))
      ),
    heartbeat
  }
  return consumer
})
