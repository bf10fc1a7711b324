/**
 * Turns of a consumer group's members: settings that need a rejoin are applied by one member after the other, so that a
 * group never leaves its partitions all at once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"

/**
 * @category models
 * @since 0.1.0
 */
export interface Turn {
  /** The consumer group: one of its members has the turn at a time. */
  readonly group: string
  /** Who asks; told to those who wait. */
  readonly member: string
}

/**
 * Lets one member of a consumer group after the other do something.
 *
 * @category services
 * @since 0.1.0
 */
export class RejoinTurns extends Context.Service<RejoinTurns, {
  /**
   * Waits for the group's turn, runs the effect (the rejoin, until the member is back in its group) and gives the turn
   * on, however the effect ends. It adds no failure: where the turns cannot be told, the effect runs all the same.
   */
  readonly withTurn: <A, E, R>(turn: Turn, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}>()("@weft/config/RejoinTurns") {}

/**
 * No turns: everybody at once. For a group of one member.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<RejoinTurns> = Layer.succeed(RejoinTurns, { withTurn: (_, effect) => effect })

/**
 * Turns among the members within this process.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<RejoinTurns> = Layer.sync(RejoinTurns, () => {
  const groups = new Map<string, Semaphore.Semaphore>()
  const of = (group: string) => {
    const known = groups.get(group)
    if (known !== undefined) return known
    const semaphore = Semaphore.makeUnsafe(1)
    groups.set(group, semaphore)
    return semaphore
  }
  return { withTurn: ({ group }, effect) => of(group).withPermit(effect) }
})
