import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { assert, expect, it } from "vitest"
import { freshDatabase } from "../../test-support/servers.ts"
import { sources } from "../grafana/files.ts"

/** What Grafana puts in the place of its macros and variables. */
const filledIn = (text: string): string =>
  text
    .replaceAll("${service:sqlstring}", "'geo','it''s'")
    .replaceAll(/\$__timeFilter\((\w+)\)/g, "$1 BETWEEN now() - INTERVAL '1 hour' AND now()")
    .replaceAll(/\$__timeGroupAlias\((\w+), \$__interval\)/g, "date_bin('1 minute', $1, '2000-01-01') AS \"time\"")
    .replaceAll("$__interval", "1 minute")

it("every panel on PostgreSQL asks what the migrated database answers", () =>
  Effect.gen(function*() {
    const url = Redacted.make(yield* Effect.promise(freshDatabase))
    yield* Effect.gen(function*() {
      yield* SqlMigrator.run()
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO consumer_processing_metrics (
        service_name, topic, member, interval_ms, messages_processed, processing_time_p99_ms, failures, dead_letters,
        batches, full_batches
      ) VALUES ('geo', 'places', 'a', 10000, 600, 12, 6, 1, 10, 5), ('geo', 'places', 'b', 10000, 600, 15, 0, 0, 10, 10)`
      yield* sql`INSERT INTO consumer_lag_history (service_name, topic, partition, lag, lag_seconds)
        VALUES ('geo', 'places', 0, 20, 3), ('geo', 'places', 1, 50, 9)`
      const { panels } = sources.find(({ type }) => type === "grafana-postgresql-datasource")!
      const answers = new Map<string, ReadonlyArray<object>>()
      for (const { queries, title } of panels) {
        for (const { text } of queries) {
          const filled = filledIn(text)
          assert.notMatch(filled, /\$\{|\$__/, title)
          answers.set(title, yield* sql.unsafe(filled))
        }
      }
      expect(answers.get("Records per second")).toMatchObject([{ metric: "geo places", value: 20 }])
      expect(answers.get("Lag in seconds")).toMatchObject([{ metric: "geo places", value: 9 }])
      expect(answers.get("Batch fill")).toMatchObject([{ metric: "geo", value: 0.75 }])
      expect(answers.get("Services")).toMatchObject([{ service_name: "geo" }])
    }).pipe(Effect.provide(Postgres.layerUrl(url)))
  }).pipe(Effect.runPromise))
