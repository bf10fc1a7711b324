import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Postgres from "@weft/postgres/Postgres"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const build = (env: Record<string, string>) =>
  Effect.scoped(Layer.build(Postgres.layer)).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
    Effect.flip
  )

describe("Postgres", () => {
  it.effect.each([
    [{}, "DATABASE_URL", "Missing"],
    [{ DATABASE_URL: " " }, "DATABASE_URL", "Missing"],
    [{ DATABASE_URL: "localhost" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "localhost:5432/weft" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "mysql://u:s3cret@localhost/weft" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "postgres://u:s3cret@localhost:99999/weft" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "postgres://u:s3cret%@localhost/weft" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "postgres://u:s3cret@localhost/weft?sslmode=perhaps" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "postgres://u:s3cret@localhost/weft?port=0" }, "DATABASE_URL", "Malformed"],
    [{ DATABASE_URL: "postgres://u:s3cret@localhost/weft?connect_timeout=x" }, "DATABASE_URL", "Malformed"],
    [
      { DATABASE_URL: "postgres://u:s3cret@localhost/weft", DATABASE_POOL_SIZE: "0" },
      "DATABASE_POOL_SIZE",
      "Malformed"
    ],
    [{ DATABASE_URL: "postgres://u:s3cret@localhost/weft", DATABASE_POOL_SIZE: "x" }, "DATABASE_POOL_SIZE", "Malformed"]
  ] as ReadonlyArray<[Record<string, string>, string, string]>)(
    "a bad variable is a typed error that names it: %j",
    ([env, variable, kind]) =>
      Effect.map(build(env), (error) => {
        assert.strictEqual(error._tag, "DatabaseConfigError")
        assert.deepStrictEqual([error.variable, error.kind], [variable, kind])
        assert.match(error.message, new RegExp(`^${variable} .*it accepts `))
        assert.notInclude(error.message, "s3cret")
      })
  )

  it.live("the layer is there though the database is away; the first query fails with a typed error", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const error = yield* Effect.flip(sql`SELECT 1`)
      assert.strictEqual(error.reason._tag, "ConnectionError")
    }).pipe(
      Effect.provide(Postgres.layer),
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        // Port 1 of this machine, where nothing listens.
        ConfigProvider.fromUnknown({ DATABASE_URL: "postgresql://u:p@127.0.0.1:1/weft?sslmode=disable" })
      )
    ))
})
