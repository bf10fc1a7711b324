import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as MetricsMaintenance from "@weft/postgres/MetricsMaintenance"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { empty } from "./support/database.ts"
import { lagSample, memberMetrics, processingMetrics } from "./support/measurements.ts"

const day = 86_400_000

const scene = Effect.provide(
  PostgresMetricsSink.layerWith({ maintenance: false }).pipe(Layer.provideMerge(empty))
)

// DATABASE_URL of a server that has TimescaleDB makes it the test of the hypertables; any other, that they are not missed.
describe("where TimescaleDB is installed its chunks are used, elsewhere partitions", () => {
  it.live("rows from before stay, repeated writes add nothing, and old ones go, in the same way", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const sink = yield* MetricsSink.MetricsSink
      const available = yield* sql`SELECT 1 AS found FROM pg_available_extensions WHERE name = 'timescaledb'`
      const hasTimescale = available.length > 0
      if (hasTimescale) yield* sql`CREATE EXTENSION timescaledb`.unprepared
      const files = yield* SqlMigrator.bundled
      yield* SqlMigrator.run({ loader: Effect.succeed(files.filter(({ id }) => id < 47)) })
      const now = yield* Clock.currentTimeMillis
      yield* sql`
        INSERT INTO consumer_lag_history (service_name, topic, partition, lag, member, timestamp)
        VALUES ('s', 't', 0, 1, 'm', now() - interval '20 days'), ('s', 't', 0, 2, 'm', now() - interval '1 minute')`
      yield* SqlMigrator.run()

      const tables = ["consumer_lag_history", "consumer_processing_metrics", "consumer_member_metrics"]
      const hypertables = hasTimescale
        ? yield* sql<{ name: string }>`SELECT hypertable_name AS name FROM timescaledb_information.hypertables`
        : []
      assert.sameMembers(hypertables.map(({ name }) => name), hasTimescale ? tables : [])
      assert.lengthOf(yield* sql`SELECT 1 FROM consumer_lag_history`, 2)
      const at = (timestamp: number) => ({
        metrics: [processingMetrics(timestamp)],
        members: [memberMetrics(timestamp)],
        lag: [lagSample(timestamp, 0)]
      })
      for (const timestamp of [now, now, now - day, now - 9 * day, now - 10 * day]) yield* sink.write(at(timestamp))
      for (const table of tables.slice(1)) assert.lengthOf(yield* sql`SELECT 1 FROM ${sql(table)}`, 4)

      const done = yield* MetricsMaintenance.run()
      if (hasTimescale) assert.deepStrictEqual(done.map(({ partitionsDropped }) => partitionsDropped.length), [3, 2, 2])
      for (const table of tables.slice(1)) {
        assert.lengthOf(yield* sql`SELECT 1 FROM ${sql(table)}`, 2)
        assert.lengthOf(yield* sql`SELECT 1 FROM ${sql(`${table}_by_hour`)} WHERE hour < now() - interval '8 days'`, 2)
      }
      // Without chunks, rows from before the migration are one partition, which stays until its last day is too old.
      assert.lengthOf(yield* sql`SELECT 1 FROM consumer_lag_history`, hasTimescale ? 3 : 6)
      assert.lengthOf(yield* sql`SELECT 1 FROM v_current_consumer_lag WHERE service_name = 's' AND total_lag = 2`, 1)
    }).pipe(scene))
})
