/** Recommendations by promises, from a real PostgreSQL. */
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import { DatabaseFailedError, getProcessingRecommendations, KafkaConsumerConfigLoader } from "@weft/promise"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { assert, describe, it } from "vitest"
import { freshDatabase } from "../../../test-support/servers.ts"

const withDatabase = <A, E>(url: string, effect: Effect.Effect<A, E, SqlClient.SqlClient>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Postgres.layerUrl(Redacted.make(url))))

const measured = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO consumer_member_metrics (
      service_name, consumer_group_id, member, timestamp, interval_ms, partitions, rebalances, lost
    ) VALUES ('my-service', 'g', 'm', now(), 10000, 4, 3, 2)`
})

describe("getProcessingRecommendations", () => {
  it("answers what the guide's loader does, with its names", async () => {
    const url = await freshDatabase()
    await withDatabase(url, measured)
    const loader = new KafkaConsumerConfigLoader(url)
    const recommendations = await loader.getProcessingRecommendations()
    const told = recommendations.filter((rec) => rec.priority === "high")
      .map((rec) => `${rec.service_name}: ${JSON.stringify(rec.recommended_config)}`)
    assert.deepStrictEqual(told, ["my-service: {\"session_timeout_ms\":120000,\"max_poll_interval_ms\":600000}"])
    const [first] = recommendations
    assert.strictEqual(first?.rule, "frequent-rebalancing")
    assert.match(first?.reason ?? "", /^3 rebalances in 10 s, 2 partitions lost/)
    assert.deepInclude(first?.current_config, { session_timeout_ms: 60_000 })
    assert.instanceOf(first?.created_at, Date)
    assert.deepStrictEqual(await getProcessingRecommendations(url, { service: "another" }), [])
    assert.strictEqual((await loader.loadConfig("my-service")).maxPollRecords, 100)
  })

  it("rejects where the database cannot say", async () => {
    const url = await freshDatabase()
    const error = await getProcessingRecommendations(url).then(() => undefined, (thrown: unknown) => thrown)
    assert.instanceOf(error, DatabaseFailedError)
    assert.strictEqual((error as DatabaseFailedError).code, "DATABASE_FAILED")
    const invalid = await getProcessingRecommendations("nonsense").then(() => undefined, (thrown: unknown) => thrown)
    assert.strictEqual((invalid as DatabaseFailedError | undefined)?.code, "INVALID_OPTION")
  })
})
