/**
 * The parts of a cluster, as its clients see them, and how a client asks again.
 */
import * as Effect from "effect/Effect"
import type { Coordinator } from "./coordinator.ts"
import * as Codes from "./errorCodes.ts"
import { type Client, type Network, RequestFailed } from "./network.ts"
import type { Timers } from "./timers.ts"
import type { Topics } from "./topics.ts"

export interface World {
  readonly brokers: number
  readonly timers: Timers
  readonly topics: Topics
  readonly coordinator: Coordinator
  readonly network: Network
  readonly nextProducerId: () => number
}

/** A broker that answers now, -1 where there is none: for requests that any broker can answer. */
export const anyBroker = (world: World): number => {
  for (let broker = 0; broker < world.brokers; broker++) if (!world.network.isAway(broker)) return broker
  return 0
}

export interface Backoff {
  readonly retryBackoffMs: number
  readonly maxMs: number
}

export const backoffMs = ({ maxMs, retryBackoffMs }: Backoff, attempt: number): number =>
  Math.min(retryBackoffMs * 2 ** Math.min(attempt, 16), Math.max(maxMs, retryBackoffMs))

/** Asks again after a failure of the way to the broker, a number of times. */
export const retrying = <A>(
  world: World,
  backoff: Backoff,
  retries: number,
  request: Effect.Effect<A, RequestFailed>
): Effect.Effect<A, RequestFailed> => {
  const attempt = (n: number): Effect.Effect<A, RequestFailed> =>
    Effect.catchIf(
      request,
      (error) => n < retries && Codes.isTransient(error.code),
      () => Effect.andThen(world.timers.sleep(backoffMs(backoff, n)), attempt(n + 1))
    )
  return attempt(0)
}

/** Group requests go to the coordinator that the client knows of, and learn of a new one by being refused. */
export interface GroupRoute {
  readonly broker: () => number
  /** Carried out by the coordinator, or refused as no coordinator would answer it. */
  readonly guard: <A>(body: Effect.Effect<A, RequestFailed>) => Effect.Effect<A, RequestFailed>
  readonly forget: () => void
}

export const groupRoute = ({ coordinator }: World, groupId: string): GroupRoute => {
  let known: number | undefined
  return {
    broker: () => known ??= coordinator.brokerOf(groupId),
    guard: (body) =>
      Effect.suspend(() => {
        if (known !== coordinator.brokerOf(groupId)) return Effect.fail(new RequestFailed({ code: "NOT_COORDINATOR" }))
        if (coordinator.isLoading(groupId)) {
          return Effect.fail(new RequestFailed({ code: "COORDINATOR_LOAD_IN_PROGRESS" }))
        }
        return body
      }),
    forget: () => {
      known = undefined
    }
  }
}

export const send = <A>(
  world: World,
  client: Client,
  kind: Parameters<Network["request"]>[1],
  body: () => A
): Effect.Effect<A, RequestFailed> => world.network.request(client, kind, () => anyBroker(world), Effect.sync(body))
