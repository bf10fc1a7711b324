import { assert, describe, it } from "@effect/vitest"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import { AppliedConfigs } from "@weft/config/AppliedConfigs"
import { ConfigStore } from "@weft/config/ConfigStore"
import { RejoinTurns } from "@weft/config/RejoinTurns"
import { MetricsSink } from "@weft/pipeline/MetricsSink"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { freshDatabase } from "../../../test-support/servers.ts"
import { withDatabase } from "../src/internal/database.ts"
import * as DatabaseCheck from "../src/internal/doctor/database.ts"
import { database } from "./support/weft.ts"

const permissions = (url: string) =>
  withDatabase(DatabaseCheck.examine).pipe(
    Effect.map((findings) => findings.find(({ check }) => check === "permissions")!),
    Effect.provide(database(url))
  )

/** All that a consumer does with its database. */
const consumer = (url: string) =>
  Layer.mergeAll(
    PostgresConfigStore.layerWith({ lastKnownGood: LastKnownGood.layerNone }),
    PostgresMetricsSink.layerWith({ maintenance: false }),
    PostgresAppliedConfigs.layer,
    PostgresRejoinTurns.layer,
    Recommendations.layer
  ).pipe(Layer.provideMerge(Postgres.layerUrl(Redacted.make(url))))

describe("the doctor on permissions", () => {
  it.live("who has what it asks for can do all that consumers do", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const role = `weft_doctor_${yield* Clock.currentTimeMillis}`
      const asRole = `${url}${url.includes("?") ? "&" : "?"}options=${encodeURIComponent(`-c role=${role}`)}`
      const asOwner = (...statements: ReadonlyArray<string>) =>
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          Effect.forEach(statements, (statement) => sql.unsafe(statement).unprepared, { discard: true })).pipe(
            Effect.provide(Postgres.layerUrl(Redacted.make(url)))
          )
      yield* Effect.provide(SqlMigrator.run(), Postgres.layerUrl(Redacted.make(url)))
      // Roles are of all databases of the server.
      yield* Effect.acquireRelease(
        asOwner(`CREATE ROLE ${role}`),
        () =>
          Effect.orDie(asOwner(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`))
      )
      const before = yield* permissions(asRole)
      assert.strictEqual(before.verdict, "warning")
      yield* asOwner(...before.next!.replace(/^as the owner: /, "").split("; "))
      assert.strictEqual((yield* permissions(asRole)).verdict, "ok")

      const told: Array<string> = []
      yield* Effect.gen(function*() {
        const resolved = yield* (yield* ConfigStore).load("s")
        assert.deepStrictEqual(resolved.issues.map(({ _tag }) => _tag), ["MissingRow"])
        const place = { topic: "t", partition: 0, lag: 1n, consumerOffset: 1n, endOffset: 2n, lagSeconds: 1 }
        yield* (yield* MetricsSink).write({
          metrics: [],
          members: [],
          lag: [{ ...place, service: "s", group: "g", member: "m", timestamp: yield* Clock.currentTimeMillis }]
        })
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO consumer_member_metrics (service_name, member) VALUES ('s', 'm')`
        yield* (yield* RejoinTurns).withTurn({ group: "g", member: "m" }, Effect.void)
        const applied = yield* AppliedConfigs
        yield* applied.report({ service: "s", group: "g", member: "m", resolved })
        for (let i = 0; i < 1_200 && (yield* applied.list("s")).length === 0; i++) yield* Effect.sleep("50 millis")
        assert.lengthOf(yield* applied.list("s"), 1)
        assert.deepStrictEqual(yield* (yield* Recommendations.Recommendations).refreshDue("1 minute"), ["s"])
      }).pipe(
        Effect.provide(Layer.provideMerge(
          consumer(asRole),
          Logger.layer([Logger.make(({ message }) => void told.push(String(message)))])
        ))
      )
      assert.notInclude(told.join("\n"), "without a turn")
    }).pipe(Effect.scoped))
})
