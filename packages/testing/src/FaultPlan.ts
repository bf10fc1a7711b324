/**
 * What shall go wrong, as a value: which requests fail, late or lost answers, frozen members, brokers that are away. A plan
 * is applied to a running cluster; its times count from then, by Effect's clock.
 *
 * ```ts
 * const plan = FaultPlan.all(
 *   FaultPlan.fail("commit", "COORDINATOR_NOT_AVAILABLE", { times: 2 }),
 *   FaultPlan.at("10 seconds", FaultPlan.freeze({ clientId: "a" }, "90 seconds")),
 *   FaultPlan.at("5 minutes", FaultPlan.brokerAway(0, "20 seconds"))
 * )
 * yield* cluster.apply(plan)
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/**
 * The requests of a client that a fault can be aimed at.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestKind =
  | "metadata"
  | "join"
  | "sync"
  | "heartbeat"
  | "leave"
  | "commit"
  | "offsetFetch"
  | "fetch"
  | "listOffsets"
  | "produce"
  | "admin"

/**
 * Which clients a fault is aimed at: those of whom everything that is given here holds. An empty target is all of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly groupId?: string | undefined
  readonly clientId?: string | undefined
  readonly memberId?: string | undefined
  /** The n-th of those that are left, in the order in which they came, from 0 on. */
  readonly index?: number | undefined
}

/**
 * What happens to a request. `Fail`: refused with a code of Kafka and not carried out. `Lost`: never arrives.
 * `LostAnswer`: carried out, and the connection breaks before the answer. `Delay`: carried out, answered late.
 * `Repeat`: carried out twice, as by a client that asks again after a lost answer.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestFault =
  | { readonly _tag: "Fail"; readonly code: string }
  | { readonly _tag: "Lost" }
  | { readonly _tag: "LostAnswer" }
  | { readonly _tag: "Delay"; readonly ms: number }
  | { readonly _tag: "Repeat" }

/**
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | {
    readonly _tag: "Request"
    readonly kind: RequestKind
    readonly fault: RequestFault
    /** How many requests it takes. */
    readonly times: number
    /** Of those that fit, which part it takes, from 0 to 1. */
    readonly probability: number
    readonly target: Target
  }
  | { readonly _tag: "Freeze"; readonly target: Target; readonly ms: number }
  | { readonly _tag: "Crash"; readonly target: Target }
  | { readonly _tag: "ExpireSession"; readonly target: Target }
  | { readonly _tag: "BrokerAway"; readonly broker: number; readonly ms: number }
  | { readonly _tag: "LeaderChange"; readonly topic: string; readonly partition: number }
  | { readonly _tag: "CoordinatorMove"; readonly groupId: string; readonly loadMs: number }

/**
 * Faults with the time at which each begins, in milliseconds after the plan is applied.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultPlan {
  readonly steps: ReadonlyArray<{ readonly atMs: number; readonly fault: Fault }>
}

/**
 * How many requests a fault takes (default 1), of which it takes a part chosen by Effect's Random (default: all), and
 * whose they are (default: anybody's).
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestOptions {
  readonly times?: number | undefined
  readonly probability?: number | undefined
  readonly target?: Target | undefined
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const none: FaultPlan = { steps: [] }

const now = (fault: Fault): FaultPlan => ({ steps: [{ atMs: 0, fault }] })

const request = (kind: RequestKind, fault: RequestFault, options?: RequestOptions): FaultPlan =>
  now({
    _tag: "Request",
    kind,
    fault,
    times: options?.times ?? 1,
    probability: options?.probability ?? 1,
    target: options?.target ?? {}
  })

/**
 * The next requests of a kind are refused with a code of Kafka, such as `NOT_COORDINATOR`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fail = (kind: RequestKind, code: string, options?: RequestOptions): FaultPlan =>
  request(kind, { _tag: "Fail", code }, options)

/**
 * The next requests of a kind never arrive; the client sees a broken connection.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lose = (kind: RequestKind, options?: RequestOptions): FaultPlan => request(kind, { _tag: "Lost" }, options)

/**
 * The next requests of a kind are carried out, but the client sees a broken connection instead of the answer: a commit
 * that is stored and reported as failed, a batch that is written and sent again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const loseAnswer = (kind: RequestKind, options?: RequestOptions): FaultPlan =>
  request(kind, { _tag: "LostAnswer" }, options)

/**
 * The next requests of a kind are answered late.
 *
 * @category constructors
 * @since 0.1.0
 */
export const delay = (kind: RequestKind, by: Duration.Input, options?: RequestOptions): FaultPlan =>
  request(kind, { _tag: "Delay", ms: millis(by) }, options)

/**
 * The next requests of a kind are carried out twice.
 *
 * @category constructors
 * @since 0.1.0
 */
export const repeat = (kind: RequestKind, options?: RequestOptions): FaultPlan =>
  request(kind, { _tag: "Repeat" }, options)

/**
 * The clients stand still, as by SIGSTOP: nothing is sent and nothing received, until they go on as if no time had
 * passed. What runs above the transport goes on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const freeze = (target: Target, duration: Duration.Input): FaultPlan =>
  now({ _tag: "Freeze", target, ms: millis(duration) })

/**
 * The client library of these consumers dies: `run` fails with a retriable `TransportError`, and nothing is said to the
 * coordinator.
 *
 * @category constructors
 * @since 0.1.0
 */
export const crash = (target: Target): FaultPlan => now({ _tag: "Crash", target })

/**
 * The coordinator drops these members, as if their sessions had expired.
 *
 * @category constructors
 * @since 0.1.0
 */
export const expireSession = (target: Target): FaultPlan => now({ _tag: "ExpireSession", target })

/**
 * A broker does not answer. What it led or coordinated moves to others where there are replicas, and waits where not.
 *
 * @category constructors
 * @since 0.1.0
 */
export const brokerAway = (broker: number, duration: Duration.Input): FaultPlan =>
  now({ _tag: "BrokerAway", broker, ms: millis(duration) })

/**
 * Another replica leads the partition from now on (the same, in a new epoch, where there is one only).
 *
 * @category constructors
 * @since 0.1.0
 */
export const leaderChange = (topic: string, partition: number): FaultPlan =>
  now({ _tag: "LeaderChange", topic, partition })

/**
 * Another broker coordinates the group from now on, and needs a while to load it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const coordinatorMove = (groupId: string, load: Duration.Input = 0): FaultPlan =>
  now({ _tag: "CoordinatorMove", groupId, loadMs: millis(load) })

/**
 * Several plans at once.
 *
 * @category combinators
 * @since 0.1.0
 */
export const all = (...plans: ReadonlyArray<FaultPlan>): FaultPlan => ({
  steps: plans.flatMap((plan) => plan.steps).sort((a, b) => a.atMs - b.atMs)
})

/**
 * The same plan, later.
 *
 * @category combinators
 * @since 0.1.0
 */
export const at = (delay: Duration.Input, plan: FaultPlan): FaultPlan => {
  const by = millis(delay)
  return { steps: plan.steps.map((step) => ({ atMs: step.atMs + by, fault: step.fault })) }
}

/**
 * A plan again and again: `times` times, an interval apart.
 *
 * @category combinators
 * @since 0.1.0
 */
export const every = (interval: Duration.Input, times: number, plan: FaultPlan): FaultPlan => {
  const by = millis(interval)
  return all(...Array.from({ length: times }, (_, i) => at(i * by, plan)))
}

/**
 * A number of faults at times within a duration, drawn by Effect's Random: `Random.withSeed` makes it the same each time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const random: (options: {
  readonly within: Duration.Input
  readonly count: number
  readonly choices: ReadonlyArray<FaultPlan>
}) => Effect.Effect<FaultPlan> = Effect.fnUntraced(function*({ choices, count, within }) {
  if (choices.length === 0) return none
  const steps: Array<FaultPlan> = []
  const span = millis(within)
  for (let i = 0; i < count; i++) {
    const choice = choices[yield* Random.nextIntBetween(0, choices.length, { halfOpen: true })]!
    steps.push(at(yield* Random.nextIntBetween(0, span), choice))
  }
  return all(...steps)
})

/**
 * One line for each step, for the report of a failed run.
 *
 * @category combinators
 * @since 0.1.0
 */
export const describe = (plan: FaultPlan): ReadonlyArray<string> =>
  plan.steps.map(({ atMs, fault }) => {
    const { _tag, ...facts } = fault
    return `${atMs} ms: ${_tag} ${JSON.stringify(facts)}`
  })

const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))
