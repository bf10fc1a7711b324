import type * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { freshDatabase } from "../../../test-support/servers.ts"
import { database, json, weft } from "./support/weft.ts"

/** Two members of `geo`: nine records of 10 ms and one of 1 s each, 30 s ago; and `idle`, which only has a row. */
const measured = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* SqlClient.SqlClient
  yield* sql`INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id) VALUES ('idle', 'idle')`
  for (const member of ["a", "b"]) {
    yield* sql`
      INSERT INTO consumer_processing_metrics (
        service_name, topic, member, timestamp, interval_ms, messages_processed, messages_per_second,
        processing_time_ms, durations, bytes, retries, failures, skipped, dead_letters, memory_usage_mb
      ) VALUES ('geo', 'places', ${member}, now() - INTERVAL '30 seconds', 10000, 10, 1, 109,
        '[[10, 9], [1000, 1]]', 1000, 2, 3, 0, 1, 150)`
    yield* sql`
      INSERT INTO consumer_lag_history (service_name, topic, partition, lag, member, consumer_group_id)
      VALUES ('geo', 'places', ${member === "a" ? 0 : 1}, 20, ${member}, 'geo')`
  }
})

const withMeasured = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(freshDatabase)
    yield* Effect.provide(measured, Postgres.layerUrl(Redacted.make(url)))
    return yield* Effect.provide(test, database(url))
  })

interface Detail {
  readonly topics: ReadonlyArray<{ readonly topic: string; readonly records: number }>
  readonly intervals: ReadonlyArray<{ readonly records: number }>
}

describe("weft metrics", () => {
  it.live("a line for each service: all members and records together", () =>
    withMeasured(Effect.gen(function*() {
      const rows = (yield* json("metrics")) as ReadonlyArray<{ readonly service: string }>
      assert.deepStrictEqual(rows.map(({ service }) => service), ["geo", "idle"])
      const [geo, idle] = rows as [object, object]
      assert.deepInclude(geo, { records: 20, failures: 6, deadLetters: 2, retries: 4, lag: 40, meanMs: 109 })
      // Nine of ten took 10 ms: an average of the members' own quantiles would say the same, one of their means would not.
      assert.deepInclude(geo, { p50Ms: 10, p95Ms: 1000, p99Ms: 1000 })
      assert.deepInclude(idle, { records: 0, recordsPerSecond: 0, p50Ms: null })
      const { out } = yield* weft("metrics")
      assert.match(out, /geo +warning/)
      assert.include(out, "dead letters: 2")
    })))

  it.live("one service: its topics and intervals; one that nobody knows is met with the near name", () =>
    withMeasured(Effect.gen(function*() {
      const geo = (yield* json("metrics geo --since 15m")) as Detail
      assert.deepStrictEqual(geo.topics.map((one) => [one.topic, one.records]), [["places", 20]])
      assert.strictEqual(geo.intervals.reduce((records, one) => records + one.records, 0), 20)
      assert.include((yield* weft("metrics idle")).out, "nothing was measured")
      const wrong = yield* weft("metrics gio")
      assert.strictEqual(wrong.code, 3)
      assert.include(wrong.err, "did you mean geo")
      assert.strictEqual((yield* weft("metrics geo --since soon")).code, 2)
    })))

  it.live("a database without tables: weft migrate makes them", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const { code, err } = yield* Effect.provide(weft("metrics"), database(url))
      assert.strictEqual(code, 4)
      assert.include(err, "weft migrate")
    }))

  it.live("maintain: old rows become hours and go; more than once does no harm", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const query = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient | PgClient.PgClient>) =>
        Effect.provide(effect, Postgres.layerUrl(Redacted.make(url)))
      const kept = query(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [found] = yield* sql<{ readonly rows: number; readonly hours: number }>`
          SELECT
            (SELECT count(*) FROM consumer_processing_metrics)::int AS rows,
            (SELECT count(*) FROM consumer_processing_metrics_by_hour)::int AS hours`
        return found
      }))
      yield* query(Effect.gen(function*() {
        yield* SqlMigrator.run()
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          INSERT INTO consumer_processing_metrics (service_name, topic, member, timestamp, messages_processed)
          VALUES ('geo', 'places', 'a', now() - INTERVAL '20 days', 7)`
      }))
      assert.deepStrictEqual(yield* kept, { rows: 1, hours: 0 })
      yield* Effect.gen(function*() {
        const first = (yield* json("metrics maintain")) as ReadonlyArray<
          { readonly table: string; readonly outcome: string }
        >
        assert.deepStrictEqual([...new Set(first.map(({ outcome }) => outcome))], ["done"])
        assert.include(first.map((one) => one.table), "consumer_lag_history")
        assert.deepStrictEqual(yield* kept, { rows: 0, hours: 1 })
        const { code, out } = yield* weft("metrics maintain --retention 14d --hour-retention 15d")
        assert.strictEqual(code, 0)
        assert.include(out, "HOURS DELETED")
        assert.deepStrictEqual(yield* kept, { rows: 0, hours: 0 }, "hours go, too")
        assert.strictEqual((yield* weft("metrics maintain --retention never")).code, 2)
      }).pipe(Effect.provide(database(url)))
    }))
})
