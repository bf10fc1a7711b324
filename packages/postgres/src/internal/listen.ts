/**
 * Listening on a channel for good: the connection is taken again whenever it is lost.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"

/** From a tenth of a second up to five: a database that starts is met by all its clients at once. */
const backOff = Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]))

/**
 * A connection of its own that listens. It is closed before its channel is: that spares an UNLISTEN, which a line that has
 * gone silent would never answer.
 */
const subscribe = Effect.fnUntraced(function*(config: PgConnection.Config, channel: string) {
  const registration = yield* Effect.acquireRelease(Scope.make(), Scope.close)
  const connection = yield* PgConnection.make(config)
  return yield* Effect.timeout(Scope.provide(connection.listen(channel), registration), "5 seconds")
})

/**
 * Never ends and never fails. `onResync` runs each time that the listening begins, as what was sent before is lost;
 * `onPayload` for each notification from then on.
 */
export const listen = (
  config: PgConnection.Config,
  channel: string,
  onResync: Effect.Effect<void>,
  onPayload: (payload: string) => Effect.Effect<void>
): Effect.Effect<never> => {
  let told = false
  const tellOnce = (error: SqlError | Cause.TimeoutError) =>
    Effect.suspend(() => {
      if (told) return Effect.void
      told = true
      return Effect.logWarning(`listening on ${channel} was lost, changes are found by polling: ${error.message}`)
    })

  const once = Effect.scoped(Effect.gen(function*() {
    const queue = yield* Effect.tapError(subscribe(config, channel), tellOnce)
    if (told) yield* Effect.logInfo(`listening on ${channel} again`)
    told = false
    yield* onResync
    // The end of the connection fails the queue: that ends this round, and the next one begins.
    yield* Queue.take(queue).pipe(
      Effect.flatMap(({ payload }) => onPayload(payload)),
      Effect.forever,
      Effect.catch(tellOnce)
    )
  }))

  return once.pipe(Effect.retry(backOff), Effect.ignore, Effect.andThen(Effect.sleep("100 millis")), Effect.forever)
}
