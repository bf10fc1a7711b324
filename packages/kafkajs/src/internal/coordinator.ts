/** The way to a group's coordinator: found through any broker, asked on a connection of its own, forgotten when it fails. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { attempt, type ClusterClient } from "./clusterClient.ts"
import type { Failure } from "./errorMap.ts"
import { groupReaction } from "./groupReaction.ts"
import type { Broker, Dedicated } from "./inside.ts"

export interface Coordinator {
  /** One request on the group's own connection. After a failure the next one looks for the coordinator anew. */
  readonly ask: <A>(request: (broker: Broker) => Promise<A>) => Effect.Effect<A, Failure>
  /** Closes the group's connection: what waits there fails. */
  readonly forget: Effect.Effect<void>
}

/** Kafka's number for consumer groups. */
const groupCoordinator = 0

const findCoordinator = (cluster: ClusterClient, groupId: string) =>
  Effect.flatMap(cluster.anyBroker, (broker) =>
    Effect.map(
      attempt(() => broker.findGroupCoordinator({ groupId, coordinatorType: groupCoordinator })),
      ({ coordinator }) => coordinator
    ))

/** One request to a group's coordinator, on a connection that no pending join holds up. */
export const askCoordinator = <A>(
  cluster: ClusterClient,
  groupId: string,
  request: (broker: Broker) => Promise<A>
): Effect.Effect<A, Failure> =>
  findCoordinator(cluster, groupId).pipe(
    Effect.flatMap(({ nodeId }) => cluster.broker(nodeId)),
    Effect.flatMap((broker) => attempt(() => request(broker)))
  )

export const makeCoordinator = Effect.fnUntraced(function*(
  cluster: ClusterClient,
  groupId: string
): Effect.fn.Return<Coordinator, never, Scope.Scope> {
  const one = yield* Semaphore.make(1)
  let current: Dedicated | undefined

  const forget = Effect.sync(() => {
    current?.close()
    current = undefined
  })
  const get = one.withPermit(Effect.suspend(() => {
    if (current?.broker.isConnected() === true) return Effect.succeed(current.broker)
    current?.close()
    current = undefined
    return findCoordinator(cluster, groupId).pipe(
      Effect.flatMap((node) => attempt(() => cluster.dedicated(node))),
      Effect.map((dedicated) => {
        current = dedicated
        return dedicated.broker
      })
    )
  }))
  yield* Effect.addFinalizer(() => forget)

  return {
    forget,
    ask: (request) =>
      Effect.flatMap(get, (broker) => attempt(() => request(broker))).pipe(
        Effect.tapError((failure) => groupReaction(failure) === "elsewhere" ? forget : Effect.void)
      )
  }
})
