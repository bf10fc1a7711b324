import { assert, describe, it } from "@effect/vitest"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { freshDatabase } from "../../../test-support/servers.ts"
import { database, json, weft } from "./support/weft.ts"

/** `slow` stalls, `sick` writes dead letters, `calm` does well. */
const measured = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO pipeline_consumer_configs (service_name, max_poll_interval_ms, session_timeout_ms, updated_at)
    VALUES ('slow', 10000, 6000, now() - INTERVAL '1 hour')`
  for (const service of ["slow", "sick", "calm"]) {
    for (const seconds of [0, 10, 20]) {
      yield* sql`
        INSERT INTO consumer_processing_metrics (
          service_name, topic, member, timestamp, interval_ms, messages_processed, messages_per_second,
          processing_time_ms, durations, bytes, retries, failures, skipped, dead_letters, batches, full_batches,
          partitions, busiest_partition_records, memory_usage_mb
        ) VALUES (
          ${service}, 'places', 'm', now() - make_interval(secs => ${seconds}::double precision), 10000, 100, 10, 10,
          '[[10, 100]]', 1000, 0, 0, 0, ${service === "sick" ? 10 : 0}, 10, 0, 4, 25, 150
        )`
      yield* sql`
        INSERT INTO consumer_member_metrics (
          service_name, consumer_group_id, member, timestamp, interval_ms, partitions, stalls, oldest_in_flight_ms,
          rebalances, lost, crashes, in_flight, queued_records, queued_bytes, memory_usage_mb, event_loop_delay_ms
        ) VALUES (
          ${service}, 'g', 'm', now() - make_interval(secs => ${seconds}::double precision), 10000, 4,
          ${service === "slow" ? 1 : 0}, ${service === "slow" ? 20_000 : 10}, 0, 0, 0, 5, 0, 0, 150, 5
        )`
    }
  }
})

const withMeasured = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(freshDatabase)
    yield* Effect.provide(measured, Postgres.layerUrl(Redacted.make(url)))
    return yield* Effect.provide(test, database(url))
  })

describe("weft recommend", () => {
  it.live("a line for each recommendation, the most urgent first; a service in detail; JSON in the guide's names", () =>
    withMeasured(Effect.gen(function*() {
      const { code, out } = yield* weft("recommend")
      assert.strictEqual(code, 0)
      assert.match(out, /high +slow +timing-out +max_poll_interval_ms=40000/)
      assert.match(out, /high +sick +poison-pills +\(see the service\)/)
      assert.notInclude(out, "calm")
      const slow = (yield* weft("recommend slow")).out
      assert.match(slow, /^high slow: timing-out\n {2}3 times a partition made no progress/)
      assert.match(slow, /max_poll_interval_ms 10000 -> 40000/)
      assert.include(slow, "stalls 3")
      assert.strictEqual((yield* weft("recommend calm")).out, "nothing to recommend to calm")
      const [first] = (yield* json("recommend slow")) as ReadonlyArray<object>
      assert.deepInclude(first, {
        service_name: "slow",
        rule: "timing-out",
        priority: "high",
        current_config: { max_poll_records: 100, max_poll_interval_ms: 10_000 },
        recommended_config: { max_poll_interval_ms: 40_000 },
        action: null,
        resolution: null
      })
    })))

  it.live("--apply writes the row with its reason; --dry-run shows the plan and writes nothing", () =>
    withMeasured(Effect.gen(function*() {
      const dry = yield* weft("recommend --apply slow --dry-run")
      assert.strictEqual(dry.code, 0, dry.err)
      assert.match(dry.out, /^would change slow; nothing was written/)
      assert.strictEqual((yield* weft("config get slow max_poll_interval_ms")).out, "10000")
      const applied = yield* weft("recommend --apply slow timing-out --actor ana")
      assert.strictEqual(applied.code, 0, applied.err)
      assert.match(applied.out, /max_poll_interval_ms +10000 +40000 +rejoin/)
      assert.strictEqual((yield* weft("config get slow max_poll_interval_ms")).out, "40000")
      const [revision] = (yield* json("config history slow")) as [
        { readonly changedBy: string; readonly reason: string }
      ]
      assert.strictEqual(revision.changedBy, "ana")
      assert.match(revision.reason, /^recommendation: timing-out: 3 times a partition made no progress/)
      assert.strictEqual((yield* weft("recommend slow --all")).out.includes("(applied, "), true)
      const again = yield* weft("recommend --apply slow")
      assert.deepStrictEqual([again.code, again.err.includes("nothing is recommended to slow")], [5, true])
    })))

  it.live("what cannot be applied says why, and what to do", () =>
    withMeasured(Effect.gen(function*() {
      const sick = yield* weft("recommend --apply sick")
      assert.strictEqual(sick.code, 5)
      assert.match(sick.err, /no setting would help sick:\n {2}poison-pills: see which error/)
      const wrong = yield* weft("recommend slo")
      assert.deepStrictEqual([wrong.code, wrong.err.includes("did you mean slow?")], [3, true])
      const rule = yield* weft("recommend --apply slow timing-outs")
      assert.deepStrictEqual([rule.code, rule.err.includes("did you mean timing-out?")], [3, true])
      assert.strictEqual((yield* weft("recommend --apply")).code, 2)
      assert.strictEqual((yield* weft("recommend slow timing-out")).code, 2)
    })))

  it.live("without Weft's tables it says so", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const { code, err } = yield* Effect.provide(weft("recommend"), database(url))
      assert.deepStrictEqual([code, err.includes("weft migrate")], [4, true])
    }))
})
