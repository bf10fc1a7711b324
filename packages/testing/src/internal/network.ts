/**
 * The way of a request from a client to a broker and back: latency, brokers that are away, frozen clients, and the faults
 * that are armed. What a request does is the business of whoever sends it.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type { Fault, RequestKind, Target } from "../FaultPlan.ts"
import type { Timers } from "./timers.ts"

/** A request that was refused, or whose answer never came (`NETWORK_EXCEPTION`). */
export class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly code: string }> {
  override get message(): string {
    return this.code
  }
}

/** Whoever sends requests: a consumer, a producer, an admin client. */
export interface Client {
  readonly clientId: string
  readonly groupId: string | undefined
  /** Empty where it is not a member of a group, or not yet. */
  memberId: string
  /** Closed while the client is frozen. */
  readonly awake: Latch.Latch
  /** Ends the client as a defect of its library would. */
  readonly crash: () => void
}

export const makeClient = (options: {
  readonly clientId: string
  readonly groupId?: string | undefined
  readonly crash?: () => void
}): Client => ({
  clientId: options.clientId,
  groupId: options.groupId,
  memberId: "",
  awake: Latch.makeUnsafe(true),
  crash: options.crash ?? (() => {})
})

type RequestRule = Extract<Fault, { readonly _tag: "Request" }>

export interface NetworkOptions {
  readonly brokers: number
  /** How long an answer takes, in milliseconds: always the same, or drawn between two bounds. */
  readonly latencyMs: number | readonly [min: number, max: number] | undefined
}

export interface Network {
  readonly clients: ReadonlySet<Client>
  readonly register: (client: Client) => void
  readonly unregister: (client: Client) => void
  readonly find: (target: Target) => ReadonlyArray<Client>
  readonly arm: (rule: RequestRule) => void
  readonly disarm: () => void
  readonly isAway: (broker: number) => boolean
  readonly setAway: (broker: number, away: boolean) => void
  /**
   * Carries out a request on a broker (-1: none is known). Nothing comes back while the client is frozen. An answer that
   * `waited` took its time at the broker, so that by default its way back takes none.
   */
  readonly request: <A>(
    client: Client,
    kind: RequestKind,
    broker: () => number,
    body: Effect.Effect<A, RequestFailed>,
    waited?: (answer: A) => boolean
  ) => Effect.Effect<A, RequestFailed>
  /** A request whose answer nobody waits for. A frozen client sends none. */
  readonly tell: (client: Client, kind: RequestKind, broker: () => number, body: () => void) => void
}

/** What goes on without being asked for takes a moment, so that it runs in the order of the clock. */
const background: ReadonlySet<RequestKind> = new Set(["join", "sync", "fetch"])

const matches = (client: Client, target: Target): boolean =>
  (target.groupId === undefined || target.groupId === client.groupId) &&
  (target.clientId === undefined || target.clientId === client.clientId) &&
  (target.memberId === undefined || target.memberId === client.memberId)

export const make = Effect.fnUntraced(function*(options: NetworkOptions, timers: Timers) {
  const random = yield* Random.Random
  const clients = new Set<Client>()
  const away = new Set<number>()
  let rules: Array<{ readonly rule: RequestRule; left: number }> = []

  const find = (target: Target): ReadonlyArray<Client> => {
    const found = [...clients].filter((client) => matches(client, target))
    return target.index === undefined ? found : found.slice(target.index, target.index + 1)
  }

  const takeFault = (client: Client, kind: RequestKind): RequestRule["fault"] | undefined => {
    for (const armed of rules) {
      const { rule } = armed
      if (rule.kind !== kind || !matches(client, rule.target)) continue
      if (rule.target.index !== undefined && !find(rule.target).includes(client)) continue
      if (rule.probability < 1 && random.nextDoubleUnsafe() >= rule.probability) continue
      if (--armed.left <= 0) rules = rules.filter((other) => other !== armed)
      return rule.fault
    }
    return undefined
  }

  const latency = (kind: RequestKind): number => {
    const { latencyMs } = options
    if (latencyMs === undefined) return background.has(kind) ? 1 : 0
    if (typeof latencyMs === "number") return latencyMs
    const [min, max] = latencyMs
    return Math.round(min + random.nextDoubleUnsafe() * (max - min))
  }

  const broken = Effect.fail(new RequestFailed({ code: "NETWORK_EXCEPTION" }))

  const send = Effect.fnUntraced(function*<A>(
    client: Client,
    kind: RequestKind,
    fault: RequestRule["fault"] | undefined,
    broker: () => number,
    body: Effect.Effect<A, RequestFailed>,
    waited: ((answer: A) => boolean) | undefined
  ) {
    yield* client.awake.await
    const answer = yield* Effect.exit(Effect.suspend((): Effect.Effect<A, RequestFailed> => {
      const to = broker()
      if (to < 0) return Effect.fail(new RequestFailed({ code: "LEADER_NOT_AVAILABLE" }))
      if (away.has(to) || fault?._tag === "Lost") return broken
      if (fault?._tag === "Fail") return Effect.fail(new RequestFailed({ code: fault.code }))
      return fault?._tag === "Repeat" ? Effect.andThen(body, body) : body
    }))
    const isBack = options.latencyMs === undefined && Exit.isSuccess(answer) && waited?.(answer.value) === true
    yield* timers.sleep((isBack ? 0 : latency(kind)) + (fault?._tag === "Delay" ? fault.ms : 0))
    yield* client.awake.await
    return yield* (fault?._tag === "LostAnswer" ? broken : answer)
  })

  const network: Network = {
    clients,
    register: (client) => clients.add(client),
    unregister: (client) => clients.delete(client),
    find,
    arm: (rule) => rules.push({ rule, left: rule.times }),
    disarm: () => {
      rules = []
    },
    isAway: (broker) => away.has(broker),
    setAway: (broker, isAway) => {
      if (isAway) away.add(broker)
      else away.delete(broker)
    },
    request: (client, kind, broker, body, waited) =>
      Effect.suspend(() => {
        const fault = rules.length === 0 ? undefined : takeFault(client, kind)
        return send(client, kind, fault, broker, body, waited)
      }),
    tell: (client, kind, broker, body) => {
      if (!client.awake.isOpen() || away.has(broker())) return
      const fault = rules.length === 0 ? undefined : takeFault(client, kind)
      if (fault?._tag !== "Lost" && fault?._tag !== "Fail") body()
    }
  }
  return network
})
