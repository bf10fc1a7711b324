/**
 * A limit in time that holds whatever the line to the database does.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"

/**
 * `None` after `duration`, at once. `Effect.timeout` waits until the query has stopped, and a query on a line that has gone
 * silent takes ten more seconds for that; here it stops by itself, out of the way.
 */
export const bounded =
  (duration: Duration.Input) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.forkDetach(restore(effect)),
        (fiber) =>
          restore(Effect.timeoutOption(Fiber.join(fiber), duration)).pipe(
            Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
          )
      )
    )
