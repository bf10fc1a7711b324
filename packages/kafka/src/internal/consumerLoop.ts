/**
 * The life of a consumer: membership after membership. A rejoin drains first; a crash is answered by a fresh client
 * under the restart schedule; when that gives up, every stream fails with the last error.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { isRetriable, type KafkaError } from "../KafkaError.ts"
import * as Subscription from "../Subscription.ts"
import type { TopicPartition } from "../TopicPartition.ts"
import { Transport, type TransportSubscription } from "../Transport.ts"
import type { ConsumerState } from "./consumerState.ts"
import { drain } from "./drain.ts"
import { join } from "./membership.ts"
import { monotonicMs } from "./monotonicMs.ts"
import { transportDefect } from "./transportDefect.ts"
import { type SignsOfLife, watch } from "./watchdog.ts"

export interface LoopOptions {
  readonly subscription: Subscription.Subscription
  readonly assignment: SubscriptionRef.SubscriptionRef<ReadonlyArray<TopicPartition>>
  readonly restart: Schedule.Schedule<unknown, KafkaError>
  /** Opened by a shutdown. */
  readonly stop: Latch.Latch
  /** Opened when the membership must be renewed: the settings or the topics have changed. */
  readonly rejoin: Latch.Latch
  /** Waits for this member's turn; the turn ends with the scope. */
  readonly rejoinTurn: Effect.Effect<void, never, Scope.Scope>
}

type Outcome = "stop" | "rejoin"

/** A membership that lasted this long has shown that it works: the next failure is a first one again. */
const steadyMs = 60_000

export const run = Effect.fnUntraced(function*(state: ConsumerState, options: LoopOptions) {
  const { name } = yield* Transport
  let step = yield* Schedule.toStep(options.restart)
  let joinedAt: number | undefined
  // Held from before the drain until the next join has ended.
  const turn = yield* makeTurn(options.rejoinTurn)
  while (true) {
    options.rejoin.closeUnsafe()
    const inTurn = turn.held()
    const outcome = yield* membership(
      state,
      options,
      name,
      turn,
      Effect.suspend(() => {
        joinedAt ??= monotonicMs(state.clock)
        // Not where newer settings are waiting for the next rejoin already.
        if (state.settingsBeforeRejoin !== undefined && !options.rejoin.isOpen()) {
          state.settingsBeforeRejoin = undefined
          state.publish(ConsumerEvent.SettingsAccepted({ memberId: state.memberId }))
        }
        // That of this join, once: a later rebalance must not end the next one, which the member waits for or has.
        return inTurn === undefined ? Effect.void : turn.endOf(inTurn)
      })
    ).pipe(
      Effect.scoped,
      // Whatever dies (the turn that was given, a listener, we): streams that never hear of it would wait for ever.
      Effect.catchDefect((cause) => Effect.fail(transportDefect(name, cause))),
      Effect.result
    )
    yield* giveUp(state, options)
    if (state.memberId !== undefined) {
      const reason = outcome._tag === "Failure" ? "failure" : outcome.success === "stop" ? "shutdown" : "rejoin"
      state.publish(ConsumerEvent.Left({ memberId: state.memberId, reason }))
      state.memberId = undefined
    }
    if (outcome._tag === "Success") {
      joinedAt = undefined
      if (outcome.success === "rejoin") continue
      yield* turn.end
      return state.close(undefined)
    }
    const error = outcome.failure
    if (state.settingsBeforeRejoin !== undefined && !isRetriable(error)) {
      state.applySettings(state.settingsBeforeRejoin)
      state.settingsBeforeRejoin = undefined
      state.publish(ConsumerEvent.SettingsRefused({ error }))
      continue
    }
    yield* turn.end
    const lasted = joinedAt !== undefined && monotonicMs(state.clock) - joinedAt >= steadyMs
    if (lasted) step = yield* Schedule.toStep(options.restart)
    joinedAt = undefined
    const delay = isRetriable(error) ? yield* nextDelay(step, error) : Option.none()
    const restartInMs = Option.isSome(delay) ? Duration.toMillis(delay.value) : undefined
    state.publish(ConsumerEvent.Crashed({ error, restartInMs }))
    if (restartInMs === undefined) return state.close(Cause.fail(error))
    yield* Effect.timeoutOption(options.stop.await, restartInMs)
    if (options.stop.isOpen()) return state.close(undefined)
  }
})

interface Turn {
  /** By its scope. */
  readonly held: () => Scope.Closeable | undefined
  readonly take: Effect.Effect<void>
  /** Ends the turn that is held or waited for. */
  readonly end: Effect.Effect<void>
  /** Ends this one, and no later one. */
  readonly endOf: (scope: Scope.Closeable) => Effect.Effect<void>
}

const makeTurn = Effect.fnUntraced(
  function*(wait: Effect.Effect<void, never, Scope.Scope>): Effect.fn.Return<Turn, never, Scope.Scope> {
    let taken: Scope.Closeable | undefined
    let held = false
    const endOf = (scope: Scope.Closeable) =>
      Effect.suspend(() => {
        if (taken !== scope) return Effect.void
        taken = undefined
        held = false
        return Scope.close(scope, Exit.void)
      })
    const end = Effect.suspend(() => taken === undefined ? Effect.void : endOf(taken))
    const take = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        yield* end
        const scope = taken = yield* Scope.make()
        yield* restore(Scope.provide(wait, scope))
        held = true
      })
    )
    yield* Effect.addFinalizer(() => end)
    return { take, end, endOf, held: () => held ? taken : undefined }
  }
)

const nextDelay = (
  step: (now: number, error: KafkaError) => Pull.Pull<[unknown, Duration.Duration], never, unknown>,
  error: KafkaError
) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => step(now, error)).pipe(
    Effect.map(([, delay]) => Option.some(delay)),
    Pull.catchDone(() => Effect.succeed(Option.none<Duration.Duration>()))
  )

const membership = Effect.fnUntraced(function*(
  state: ConsumerState,
  options: LoopOptions,
  name: string,
  turn: Turn,
  onJoined: Effect.Effect<void>
) {
  const subscription = yield* Effect.raceFirst(resolve(state, options), Effect.as(options.stop.await, undefined))
  if (subscription === undefined) return "stop" as const
  state.isLeaving = false
  // A join that never ends is silence, too.
  const begun = monotonicMs(state.clock)
  const last: SignsOfLife = { any: begun, fetch: begun }
  const sign = (of?: "fetch" | "heartbeat") => {
    last.any = monotonicMs(state.clock)
    if (of === "fetch") last.fetch = last.any
  }
  const joining = join(state, subscription, {
    onAssigned: (partitions) =>
      Effect.suspend(() => {
        sign()
        return Effect.andThen(onJoined, SubscriptionRef.set(options.assignment, partitions))
      }),
    onAlive: sign
  })
  const member = yield* Effect.raceFirst(joining, Effect.as(options.stop.await, undefined))
  if (member === undefined) return "stop" as const
  const outcome = yield* Effect.result(Effect.raceAllFirst<Effect.Effect<Outcome, KafkaError, Transport>>([
    member.failure,
    watch(state, last, name),
    Effect.as(options.stop.await, "stop"),
    Effect.as(Effect.andThen(options.rejoin.await, turn.take), "rejoin"),
    topicsChanged(state, options, subscription)
  ]))
  // A member that leaves because of a stall is a sound one: only what is stuck has nothing to wait for.
  const isStalled = Result.isFailure(outcome) && outcome.failure._tag === "StalledError"
  if (Result.isFailure(outcome) && !isStalled) return yield* outcome.failure
  // Still a member: heartbeats go on and commits are accepted until the scope closes.
  state.isLeaving = true
  const held = [...state.partitions.values()]
  yield* drain(state, held, isStalled ? held.filter((partition) => partition.stalled) : [])
  state.giveUp(held, "Revoked")
  return yield* Effect.fromResult(outcome)
})

/** After a crash nothing can be committed any more. */
const giveUp = Effect.fnUntraced(function*(state: ConsumerState, options: LoopOptions) {
  state.giveUp([...state.partitions.values()], "Lost")
  yield* SubscriptionRef.set(options.assignment, [])
})

/** A pattern becomes the topics that match it now; with none, it waits for one. `undefined`: stopped meanwhile. */
const resolve = (
  state: ConsumerState,
  options: LoopOptions
): Effect.Effect<TransportSubscription | undefined, KafkaError, Transport> =>
  Subscription.match(options.subscription, {
    Topics: ({ topics }) => Effect.succeed<TransportSubscription | undefined>({ _tag: "Topics", topics }),
    Manual: ({ partitions }) => Effect.succeed<TransportSubscription | undefined>({ _tag: "Manual", partitions }),
    Pattern: ({ pattern }) =>
      Effect.gen(function*() {
        while (!options.stop.isOpen()) {
          const topics = yield* matchingTopics(pattern)
          if (topics.length > 0) return { _tag: "Topics" as const, topics }
          yield* Effect.timeoutOption(options.stop.await, state.settings.metadataMaxAgeMs)
        }
        return undefined
      })
  })

const topicsChanged = (
  state: ConsumerState,
  options: LoopOptions,
  joined: TransportSubscription
): Effect.Effect<Outcome, KafkaError, Transport> => {
  if (options.subscription._tag !== "Pattern" || joined._tag !== "Topics") return Effect.never
  const { pattern } = options.subscription
  return Effect.gen(function*() {
    while (true) {
      yield* Effect.sleep(state.settings.metadataMaxAgeMs)
      const topics = yield* Effect.orElseSucceed(matchingTopics(pattern), () => joined.topics)
      if (topics.join() !== joined.topics.join()) return "rejoin" as const
    }
  })
}

const matchingTopics = (pattern: RegExp) =>
  Effect.scoped(Effect.gen(function*() {
    const transport = yield* Transport
    const admin = yield* transport.admin
    return Subscription.matching(pattern, yield* admin.listTopics)
  }))
