import { assert, describe, it } from "@effect/vitest"
import { Backends } from "@weft/cli/Backends"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import { brokers, freshDatabase } from "../../../test-support/servers.ts"
import { weft } from "./support/weft.ts"

describe("weft demo on real servers", () => {
  it.live(
    "settles and commits all that it wrote, measures itself, and leaves no topic behind",
    () =>
      Effect.gen(function*() {
        const url = Redacted.make(yield* Effect.promise(freshDatabase))
        const database = Postgres.layerUrl(url)
        yield* Effect.provide(SqlMigrator.run(), database)
        const backends = Layer.succeed(Backends, { transport: () => KafkaJs.layer({ brokers: brokers() }), database })
        const { code, err, out } = yield* Effect.provide(weft("demo --kafka --database --for 8s --json"), backends)
        assert.strictEqual(code, 0, err)
        const verdict = JSON.parse(out.split("\n").at(-1)!) as Readonly<Record<string, number>>
        // How many is a matter of how busy the machine is.
        assert.isAbove(verdict["written"]!, 0)
        assert.deepInclude(verdict, { settled: verdict["written"], notCommitted: 0 })
        // A broker forgets a deleted topic a moment after it has answered.
        const isLeft = Effect.map(weft("topics list --json"), (topics) => topics.out.includes("\"weft-demo-"))
        const left = yield* Effect.provide(
          Effect.repeat(isLeft, { while: (left) => left, schedule: Schedule.spaced("200 millis"), times: 600 }),
          backends
        )
        assert.isFalse(left)
        const [row] = yield* Effect.provide(
          Effect.flatMap(SqlClient.SqlClient, (sql) =>
            sql<{ readonly records: number }>`SELECT sum(messages_processed)::integer AS records
            FROM consumer_processing_metrics WHERE service_name = 'weft-demo'`),
          database
        )
        assert.strictEqual(row!.records, verdict["settled"])
      }),
    600_000
  )
})
