import { assert, describe, it } from "@effect/vitest"
import { Backends } from "@weft/cli/Backends"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Postgres from "@weft/postgres/Postgres"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { brokers, freshDatabase } from "../../../test-support/servers.ts"
import { weft } from "./support/weft.ts"

interface Finding {
  readonly check: string
  readonly verdict: string
  readonly found: string
  readonly next: string | null
}

const examined = Effect.gen(function*() {
  const { code, out } = yield* weft("doctor --json")
  const { findings } = JSON.parse(out) as { readonly findings: ReadonlyArray<Finding> }
  return { code, of: (check: string) => findings.find((one) => one.check === check)! }
})

const transports = { kafkajs: KafkaJs.layer, platformatic: Platformatic.layer } as const

describe.each(["kafkajs", "platformatic"] as const)("weft doctor on real servers, by %s", (transport) => {
  it.live(
    "a database without tables, then one that is well, then a row that asks for what the brokers refuse",
    () =>
      Effect.gen(function*() {
        const url = Redacted.make(yield* Effect.promise(freshDatabase))
        yield* Effect.gen(function*() {
          const bare = yield* examined
          assert.strictEqual(bare.code, 6)
          assert.deepInclude(bare.of("migrations"), { verdict: "failure", next: "weft migrate" })
          assert.deepInclude(bare.of("release"), { verdict: "ok", found: "Kafka 4.0 or newer" })

          assert.strictEqual((yield* weft("migrate")).code, 0)
          const well = yield* examined
          for (
            const check of ["brokers", "release", "commit metadata", "PostgreSQL", "clock", "migrations", "permissions"]
          ) {
            assert.strictEqual(well.of(check).verdict, "ok", `${check}: ${well.of(check).found}`)
          }

          yield* Effect.provide(
            Effect.flatMap(SqlClient.SqlClient, (sql) =>
              sql`INSERT INTO consumer_processing_metrics (service_name, topic, messages_processed)
                VALUES ('reader', 'there-is-no-such-topic', 1)`),
            Postgres.layerUrl(url)
          )
          yield* weft("config set greedy max_poll_records=100000 --force")
          const found = yield* examined
          assert.strictEqual(found.of("reader").verdict, "failure")
          assert.strictEqual(found.of("greedy").verdict, "warning")
        }).pipe(Effect.provide(Layer.succeed(Backends, {
          transport: () =>
            transports[transport]({ brokers: brokers() }),
          database: Postgres.layerUrl(url)
        })))
      }),
    120_000
  )
})
