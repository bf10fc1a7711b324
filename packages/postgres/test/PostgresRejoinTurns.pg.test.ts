import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { migratedUrl, pool } from "./support/database.ts"
import { proxy } from "./support/proxy.ts"

/** Leases that outlive what a busy machine stands still for, and nobody who goes ahead as its database is slow. */
const patient = { lease: "10 seconds", askEvery: "30 millis", patience: "1 hour", queryTimeout: "10 seconds" } as const
/** Gives up on a database soon. */
const hasty = { ...patient, patience: "500 millis", queryTimeout: "500 millis" } as const

/** A process of its own: another pool. */
const processOn = (url: string, options: PostgresRejoinTurns.Options = patient) =>
  Layer.fresh(Layer.provide(PostgresRejoinTurns.layerWith(options), pool(url)))

const withTurn = <A, E>(
  url: string,
  member: string,
  effect: Effect.Effect<A, E>,
  options?: PostgresRejoinTurns.Options
) =>
  Effect.flatMap(RejoinTurns.RejoinTurns, (turns) => turns.withTurn({ group: "g", member }, effect)).pipe(
    Effect.provide(processOn(url, options))
  )

/** A member in its turn, for as long as `effect` takes. */
const holding = Effect.fnUntraced(function*<A, E>(
  url: string,
  member: string,
  effect: Effect.Effect<A, E>,
  options?: PostgresRejoinTurns.Options
) {
  const holds = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkChild(
    withTurn(url, member, Effect.andThen(Deferred.succeed(holds, undefined), effect), options)
  )
  yield* Deferred.await(holds)
  return fiber
})

const elapsed = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const begin = yield* Clock.currentTimeMillis
  yield* effect
  return (yield* Clock.currentTimeMillis) - begin
})

describe("PostgresRejoinTurns", () => {
  it.live("ten members of one group, each in a process of its own, never have their turn together", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      let out = 0
      let most = 0
      let done = 0
      const rejoin = Effect.gen(function*() {
        most = Math.max(most, ++out)
        yield* Effect.sleep("20 millis")
        out--
        done++
      })
      yield* Effect.forEach(Array.from({ length: 10 }), (_, i) => withTurn(url, `m${i}`, rejoin), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual([most, done], [1, 10])
      const left = yield* Effect.flatMap(PgClient.PgClient, (sql) => sql`SELECT 1 FROM consumer_rejoin_leases`).pipe(
        Effect.provide(pool(url))
      )
      assert.strictEqual(left.length, 0)
    }).pipe(Effect.timeout("100 seconds")))

  it.live("a living holder keeps its turn beyond the lease; another group does not wait for it", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      let isOut = true
      const holder = yield* holding(
        url,
        "a",
        Effect.andThen(
          Effect.sleep("12 seconds"),
          Effect.sync(() => {
            isOut = false
          })
        ),
        // Whoever runs this test may be busy for seconds.
        { ...patient, lease: "5 seconds" }
      )
      const other = Effect.flatMap(
        RejoinTurns.RejoinTurns,
        (turns) => turns.withTurn({ group: "h'; --", member: "x" }, Effect.sync(() => isOut))
      ).pipe(Effect.provide(processOn(url)))
      assert.isTrue(yield* other)
      assert.isFalse(yield* withTurn(url, "b", Effect.sync(() => isOut)))
      yield* Fiber.join(holder)
    }).pipe(Effect.timeout("100 seconds")))

  it.live("a holder that dies loses its turn after the lease", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const dies = Effect.flatMap(PgClient.PgClient, (client) =>
        client`INSERT INTO consumer_rejoin_leases VALUES
          ('g', 'dead', gen_random_uuid(), clock_timestamp(), clock_timestamp() + interval '700 milliseconds')`).pipe(
          Effect.provide(pool(url))
        )
      assert.isAtLeast(yield* elapsed(Effect.andThen(dies, withTurn(url, "b", Effect.void))), 690)
    }).pipe(Effect.timeout("100 seconds")))

  it.live("a holder that hangs loses its turn after the longest time that it may hold one", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const hangs = { ...patient, lease: "600 millis", holdAtMost: "800 millis" } as const
      const hanging = yield* holding(url, "a", Effect.never, hangs)
      yield* withTurn(url, "b", Effect.void)
      yield* Fiber.interrupt(hanging)
    }).pipe(Effect.timeout("100 seconds")))

  it.live("a turn ends with its effect, also where that fails or is interrupted", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const slow = { ...patient, lease: "1 hour" } as const
      assert.strictEqual(yield* Effect.flip(withTurn(url, "a", Effect.fail("no"), slow)), "no")
      const hanging = yield* holding(url, "b", Effect.never, slow)
      const waiting = yield* Effect.forkChild(withTurn(url, "c", Effect.never, slow))
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(hanging)
      // Not after an hour.
      yield* withTurn(url, "d", Effect.void, slow)
    }).pipe(Effect.timeout("100 seconds")))

  it.live("without the database a member goes ahead after its share of the patience", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const line = yield* proxy(url, false)
      let ran = 0
      const took = yield* elapsed(
        Effect.forEach(["a", "b", "c"], (member) => withTurn(line.url, member, Effect.sync(() => ran++), hasty), {
          concurrency: "unbounded"
        })
      )
      assert.strictEqual(ran, 3)
      assert.isBelow(took, 20_000)
      // A database without the table is one that cannot be asked.
      yield* Effect.flatMap(PgClient.PgClient, (sql) => sql`DROP TABLE consumer_rejoin_leases`).pipe(
        Effect.provide(pool(url))
      )
      yield* withTurn(url, "d", Effect.sync(() => ran++), hasty)
      assert.strictEqual(ran, 4)
    }).pipe(Effect.scoped, Effect.timeout("100 seconds")))

  it.live("a database that goes away during a turn does not end it, and one that comes back gives turns again", () =>
    Effect.gen(function*() {
      const url = yield* migratedUrl
      const line = yield* proxy(url)
      const short = { ...patient, lease: "600 millis" } as const
      const held = yield* holding(line.url, "a", Effect.as(Effect.sleep("1 second"), "done"), short)
      yield* line.cut
      assert.strictEqual(yield* Fiber.join(held), "done")
      const waiting = yield* Effect.forkChild(withTurn(line.url, "b", Effect.succeed("mine"), short))
      yield* Effect.sleep("200 millis")
      yield* line.restore
      assert.strictEqual(yield* Fiber.join(waiting), "mine")
    }).pipe(Effect.scoped, Effect.timeout("100 seconds")))
})
