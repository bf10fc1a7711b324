import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshDatabase } from "../../../test-support/servers.ts"
import { empty, pool } from "./support/database.ts"

const own = readdirSync(new URL("../../../migrations", import.meta.url)).filter((name) => name.endsWith(".sql")).sort()

/** A folder of .sql files that can be changed. */
const folder = Effect.fnUntraced(function*(files: Record<string, string>) {
  const path = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "weft-migrations-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const put = (name: string, sql: string) => Effect.promise(() => writeFile(join(path, name), sql))
  for (const [name, sql] of Object.entries(files)) yield* put(name, sql)
  const options = { loader: SqlMigrator.fromFolder(path) }
  return { put, run: Effect.suspend(() => SqlMigrator.run(options)), status: SqlMigrator.status(options) }
})

const tables = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`
  return rows.map(({ name }) => name)
})

const fault = <A, R>(run: Effect.Effect<A, SqlMigrator.MigrationError, R>) =>
  Effect.map(Effect.flip(run), ({ file, kind }) => file === undefined ? kind : `${kind} ${file}`)

describe("SqlMigrator", () => {
  it.live("applies Weft's own migrations, once", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* SqlMigrator.status(), { pending: own, applied: [], unknown: [], adopts: [] })
      assert.deepStrictEqual(yield* tables, [])
      assert.deepStrictEqual(yield* SqlMigrator.run(), own)
      assert.deepStrictEqual(yield* SqlMigrator.run(), [])
      assert.deepStrictEqual(yield* SqlMigrator.status(), { pending: [], applied: own, unknown: [], adopts: [] })
    }).pipe(Effect.provide(empty)))

  it.live("of three runs at once, on connections of their own, one applies and two find nothing to do", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const fibers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(Effect.provide(SqlMigrator.run(), pool(url)))
      )
      const applied = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(applied.flat(), own)
    }))

  it.live("a failing statement leaves nothing behind, and names itself", () =>
    Effect.gen(function*() {
      const files = yield* folder({
        "1_good.sql": "CREATE TABLE good (a int)",
        "2_bad.sql": "CREATE TABLE bad (a int); INSERT INTO nowhere VALUES (';');"
      })
      const error = yield* Effect.flip(files.run)
      assert.strictEqual(error.kind, "Statement")
      assert.strictEqual(
        error.message,
        "2_bad.sql, statement 2 of 2: relation \"nowhere\" does not exist (42P01)"
      )
      assert.deepStrictEqual(yield* tables, [])
      yield* files.put("2_bad.sql", "CREATE TABLE mended (a int)")
      assert.deepStrictEqual(yield* files.run, ["1_good.sql", "2_bad.sql"])
    }).pipe(Effect.scoped, Effect.provide(empty)))

  it.live("refuses a late lower number, a changed file, a number given twice, and runs nothing of them", () =>
    Effect.gen(function*() {
      const files = yield* folder({ "10_a.sql": "CREATE TABLE a (x int)", "20_b.sql": "CREATE TABLE b (x int)" })
      yield* files.run
      yield* files.put("15_late.sql", "CREATE TABLE late (x int)")
      assert.strictEqual(yield* fault(files.run), "Late 15_late.sql")
      assert.strictEqual(yield* fault(files.status), "Late 15_late.sql")
      yield* files.put("20_again.sql", "CREATE TABLE again (x int)")
      assert.match(yield* fault(files.run), /^Late/)
      const changed = yield* folder({ "10_a.sql": "CREATE TABLE a (x bigint)", "20_b.sql": "CREATE TABLE b (x int)" })
      assert.strictEqual(yield* fault(changed.run), "Changed 10_a.sql")
      const twice = yield* folder({ "30_a.sql": "SELECT 1", "030_b.sql": "SELECT 1" })
      assert.match(yield* fault(twice.run), /^Duplicate/)
      assert.deepStrictEqual(yield* tables, ["a", "b", "weft_migrations"])
    }).pipe(Effect.scoped, Effect.provide(empty)))

  it.live("refuses files that end the transaction, have no number, or are not there", () =>
    Effect.gen(function*() {
      const committing = yield* folder({ "1_a.sql": "CREATE TABLE a (x int); /* now */ COMMIT; SELECT 1" })
      assert.strictEqual(yield* fault(committing.run), "TransactionControl 1_a.sql")
      const unnamed = yield* folder({ "a.sql": "SELECT 1" })
      assert.strictEqual(yield* fault(unnamed.run), "BadName a.sql")
      const absent = SqlMigrator.run({ loader: SqlMigrator.fromFolder("/nowhere/at/all") })
      assert.match(yield* fault(absent), /^Unreadable/)
      assert.deepStrictEqual(yield* tables, [])
    }).pipe(Effect.scoped, Effect.provide(empty)))

  it.live("lets a database be that is ahead of this version", () =>
    Effect.gen(function*() {
      const newer = yield* folder({ "1_a.sql": "SELECT 1", "2_b.sql": "SELECT 1" })
      yield* newer.run
      const older = yield* folder({ "1_a.sql": "SELECT 1" })
      assert.deepStrictEqual(yield* older.run, [])
      assert.deepStrictEqual((yield* older.status).unknown, ["2_b.sql"])
    }).pipe(Effect.scoped, Effect.provide(empty)))

  it.live("waits for another run no longer than it is told", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const kind = yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`SELECT pg_advisory_xact_lock(${0x77656674}::int, 1)`
        // From outside of this transaction, on a connection of its own.
        const url = sql.config.url!
        return yield* fault(Effect.provide(SqlMigrator.run({ lockTimeout: "200 millis" }), pool(Redacted.value(url))))
      }))
      assert.strictEqual(kind, "Locked")
    }).pipe(Effect.provide(empty)))

  it.live("a database that is away is a typed error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(SqlMigrator.run())
      assert.strictEqual(error.kind, "Database")
    }).pipe(Effect.provide(pool("postgres://u:p@127.0.0.1:1/weft"))))
})
