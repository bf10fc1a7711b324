/**
 * Turns for rejoins in PostgreSQL: a lease for each consumer group, in `consumer_rejoin_leases`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import { randomUUID } from "node:crypto"
import { bounded } from "./internal/bounded.ts"
import { storable } from "./internal/storable.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long a turn stays with a holder that is silent; a living one renews it three times as often. It is what the
   * others wait for when a holder dies. Default 15 seconds.
   */
  readonly lease?: Duration.Input | undefined
  /** How long a holder may keep renewing: after that the next one has its turn though this one hangs. Default 10 minutes. */
  readonly holdAtMost?: Duration.Input | undefined
  /** How often those who wait ask again, give or take a fifth. Default 500 milliseconds. */
  readonly askEvery?: Duration.Input | undefined
  /**
   * Where the database cannot be asked, a member goes ahead without a turn after a time that it draws at random between
   * nothing and this, so that the members of a group go at different times and none waits for ever. Default 30 seconds.
   */
  readonly patience?: Duration.Input | undefined
  /** How long a statement may take, waiting for a connection included. Default 5 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
}

type Asked = "granted" | "taken" | "unanswered"

/**
 * Turns by a lease: of the members of a consumer group, in whatever processes, one at a time runs its effect. A holder
 * that dies loses its turn after `lease`, one that hangs after `holdAtMost`; without the database members go ahead after
 * a random part of `patience`. Times are those of the database's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (
  options: Options = {}
): Layer.Layer<RejoinTurns.RejoinTurns, never, PgClient.PgClient> =>
  Layer.effect(
    RejoinTurns.RejoinTurns,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const leaseMs = Duration.toMillis(Duration.fromInputUnsafe(options.lease ?? "15 seconds"))
      const holdMs = Duration.toMillis(Duration.fromInputUnsafe(options.holdAtMost ?? "10 minutes"))
      const askMs = Duration.toMillis(Duration.fromInputUnsafe(options.askEvery ?? "500 millis"))
      const patienceMs = Duration.toMillis(Duration.fromInputUnsafe(options.patience ?? "30 seconds"))
      const queryTimeout = options.queryTimeout ?? "5 seconds"
      const leaseSeconds = leaseMs / 1000

      const ask = (query: Effect.Effect<ReadonlyArray<unknown>, SqlError>): Effect.Effect<Asked> =>
        query.pipe(
          Effect.map((rows): Asked => rows.length > 0 ? "granted" : "taken"),
          bounded(queryTimeout),
          Effect.map(Option.getOrElse((): Asked => "unanswered")),
          Effect.orElseSucceed((): Asked => "unanswered")
        )

      const take = (group: string, member: string, token: string) =>
        ask(sql`
          INSERT INTO consumer_rejoin_leases (consumer_group_id, holder, token, taken_at, expires_at)
          VALUES (
            ${group}, ${member}, ${token}::uuid, clock_timestamp(),
            clock_timestamp() + make_interval(secs => ${leaseSeconds}::double precision)
          )
          ON CONFLICT (consumer_group_id) DO UPDATE SET
            holder = EXCLUDED.holder, token = EXCLUDED.token, taken_at = EXCLUDED.taken_at,
            expires_at = EXCLUDED.expires_at
          WHERE consumer_rejoin_leases.expires_at < clock_timestamp() OR consumer_rejoin_leases.token = EXCLUDED.token
          RETURNING 1 AS taken`)

      const renew = (group: string, token: string) =>
        ask(sql`
          UPDATE consumer_rejoin_leases
          SET expires_at = clock_timestamp() + make_interval(secs => ${leaseSeconds}::double precision)
          WHERE consumer_group_id = ${group} AND token = ${token}::uuid
          RETURNING 1 AS kept`)

      const giveBack = (group: string, token: string) =>
        ask(sql`
          DELETE FROM consumer_rejoin_leases WHERE consumer_group_id = ${group} AND token = ${token}::uuid
          RETURNING 1 AS given`)

      const pause = Effect.flatMap(Random.nextBetween(0.8, 1.2), (part) => Effect.sleep(askMs * part))

      /** Ends with the turn, or without it where the database stayed silent for this member's share of the patience. */
      const waitForTurn = Effect.fnUntraced(function*(group: string, member: string, token: string) {
        let silentUntil: number | undefined
        while (true) {
          const asked = yield* take(group, member, token)
          if (asked === "granted") return
          if (asked === "taken") {
            silentUntil = undefined
          } else {
            const now = yield* Clock.currentTimeMillis
            silentUntil ??= now + (yield* Random.nextBetween(0, patienceMs))
            if (now >= silentUntil) {
              yield* Effect.logWarning("rejoining without a turn: the database cannot be asked for one")
              return
            }
          }
          yield* pause
        }
      })

      const keepRenewing = Effect.fnUntraced(function*(group: string, token: string) {
        const begin = yield* Clock.currentTimeMillis
        while ((yield* Clock.currentTimeMillis) - begin < holdMs) {
          yield* Effect.sleep(leaseMs / 3)
          if ((yield* renew(group, token)) === "taken") return
        }
        yield* Effect.logWarning(`the rejoin takes longer than ${holdMs} ms: the next member has its turn`)
      })

      const begin = Effect.fnUntraced(function*(turn: RejoinTurns.Turn) {
        const group = storable(turn.group)
        const token = randomUUID()
        yield* Effect.interruptible(waitForTurn(group, storable(turn.member), token)).pipe(
          Effect.onInterrupt(() => giveBack(group, token))
        )
        const renewing = yield* Effect.forkDetach(keepRenewing(group, token))
        return { group, renewing, token }
      })
      const end = ({ group, renewing, token }: Effect.Success<ReturnType<typeof begin>>) =>
        Effect.andThen(Fiber.interrupt(renewing), giveBack(group, token))

      return RejoinTurns.RejoinTurns.of({
        withTurn: (turn, effect) => Effect.acquireUseRelease(begin(turn), () => effect, end)
      })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<RejoinTurns.RejoinTurns, never, PgClient.PgClient> = layerWith()
