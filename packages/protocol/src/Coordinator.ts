/**
 * The way to a group's coordinator: found through any broker, asked on a connection of its own, forgotten when it fails.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Cluster } from "./Cluster.ts"
import type { Failure } from "./Failure.ts"
import { groupReaction } from "./GroupReaction.ts"
import type { Broker, Dedicated, Node } from "./Client.ts"
import { whileOwed } from "./internal/owedAnswer.ts"

/**
 * A group's coordinator, wherever it is now.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coordinator {
  /** One request on the group's own connection. After a failure the next one looks for the coordinator anew. */
  readonly ask: <A>(request: (broker: Broker) => Promise<A>) => Effect.Effect<A, Failure>
  /** Closes the group's connection: what waits there fails. */
  readonly forget: Effect.Effect<void>
}

/**
 * Which broker is the coordinator of a group now.
 *
 * @category running
 * @since 0.1.0
 */
export const findCoordinator = (cluster: Cluster, groupId: string): Effect.Effect<Node, Failure> =>
  cluster.askAny((broker) => broker.findGroupCoordinator(groupId))

/**
 * These groups, by the broker that is the coordinator of each now.
 *
 * @category running
 * @since 0.1.0
 */
export const byCoordinator = (
  cluster: Cluster,
  groupIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<number, ReadonlyArray<string>>, Failure> =>
  Effect.map(
    Effect.forEach(
      groupIds,
      (groupId) => Effect.map(findCoordinator(cluster, groupId), ({ nodeId }) => ({ groupId, nodeId })),
      { concurrency: lookUpsAtOnce }
    ),
    (located) => {
      const nodes = Map.groupBy(located, ({ nodeId }) => nodeId)
      return new Map([...nodes].map(([nodeId, some]) => [nodeId, some.map(({ groupId }) => groupId)]))
    }
  )

const lookUpsAtOnce = 10

/** As long as this broker is the coordinator. */
const whileCoordinator = (cluster: Cluster, groupId: string, nodeId: number): Effect.Effect<never, Failure> =>
  whileOwed(Effect.map(
    Effect.result(findCoordinator(cluster, groupId)),
    (found) => Result.isSuccess(found) && found.success.nodeId !== nodeId ? hasMoved(nodeId) : undefined
  ))

const hasMoved = (nodeId: number): Failure => ({
  _tag: "Connection",
  cause: new Error(`broker ${nodeId} owes an answer, and is not the coordinator any more`)
})

/**
 * One request to a group's coordinator, on a connection that no pending join holds up.
 *
 * @category running
 * @since 0.1.0
 */
export const askCoordinator = <A, B extends Broker>(
  cluster: Cluster<B>,
  groupId: string,
  request: (broker: B) => Promise<A>
): Effect.Effect<A, Failure> =>
  Effect.flatMap(findCoordinator(cluster, groupId), ({ nodeId }) =>
    Effect.raceFirst(
      Effect.flatMap(cluster.broker(nodeId), (broker) => cluster.attempt(() => request(broker))),
      whileCoordinator(cluster, groupId, nodeId)
    ))

/**
 * Closes its connection with its scope. Making it connects to nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  cluster: Cluster,
  groupId: string
): Effect.fn.Return<Coordinator, never, Scope.Scope> {
  const one = yield* Semaphore.make(1)
  let current: (Dedicated & { readonly nodeId: number }) | undefined

  const forget = Effect.sync(() => {
    current?.close()
    current = undefined
  })
  const get = one.withPermit(Effect.suspend(() => {
    if (current?.broker.isConnected() === true) return Effect.succeed(current)
    current?.close()
    current = undefined
    return findCoordinator(cluster, groupId).pipe(
      Effect.flatMap((node) =>
        Effect.map(
          Effect.raceFirst(cluster.dedicated(node), whileCoordinator(cluster, groupId, node.nodeId)),
          (dedicated) => {
            current = { ...dedicated, nodeId: node.nodeId }
            return current
          }
        )
      )
    )
  }))
  yield* Effect.addFinalizer(() => forget)

  return {
    forget,
    ask: (request) =>
      Effect.flatMap(
        get,
        ({ broker, nodeId }) =>
          Effect.raceFirst(cluster.attempt(() => request(broker)), whileCoordinator(cluster, groupId, nodeId))
      ).pipe(
        Effect.tapError((failure) => groupReaction(failure) === "elsewhere" ? forget : Effect.void)
      )
  }
})
