import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as Resolution from "@weft/config/Resolution"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { migratedUrl, pool } from "./support/database.ts"
import { memberMetrics, processingMetrics } from "./support/measurements.ts"
import { until } from "./support/until.ts"

const service = "slow-service"
const calm = {
  service,
  stalls: 0,
  lost: 0,
  rebalances: 0,
  crashes: 0,
  lateCompletions: 0,
  oldestInFlightMs: 10,
  intervalMs: 1_000
}
const stalled = { ...calm, stalls: 1, oldestInFlightMs: 20_000 }
const row = { max_poll_interval_ms: 10_000, session_timeout_ms: 6_000 }

const layers = (url: string) =>
  Layer.mergeAll(
    Recommendations.layer,
    PostgresMetricsSink.layer,
    PostgresAppliedConfigs.layer,
    ConfigWriter.layer
  ).pipe(Layer.provideMerge(pool(url)))

/** A service with a row, and the measurements of the last seconds. */
const given = (url: string) =>
  Effect.gen(function*() {
    const { write } = yield* MetricsSink.MetricsSink
    const writer = yield* ConfigWriter.ConfigWriter
    const sql = yield* PgClient.PgClient
    yield* writer.set(service, row)
    yield* sql`ALTER TABLE pipeline_consumer_configs DISABLE TRIGGER weft_touch_consumer_config`
    yield* sql`UPDATE pipeline_consumer_configs SET updated_at = now() - INTERVAL '1 hour'`
    yield* sql`ALTER TABLE pipeline_consumer_configs ENABLE TRIGGER weft_touch_consumer_config`
    const measure = Effect.fnUntraced(function*(
      change: Partial<MetricsSink.MemberMetrics>,
      intervals = 4,
      topic: Partial<MetricsSink.ProcessingMetrics> = {}
    ) {
      const now = yield* Clock.currentTimeMillis
      const times = Array.from({ length: intervals }, (_, i) => now - (intervals - 1 - i) * 1_000)
      yield* write({
        metrics: times.map((at) =>
          processingMetrics(at, { service, intervalMs: 1_000, retries: 0, failures: 0, deadLetters: 0, ...topic })
        ),
        members: times.map((at) => memberMetrics(at, change)),
        lag: []
      })
    })
    return { measure, url }
  })

const withService = <A, E, R>(
  test: (context: Effect.Success<ReturnType<typeof given>>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const url = yield* migratedUrl
    return yield* Effect.flatMap(given(url), test).pipe(Effect.provide(layers(url)))
  }).pipe(Effect.scoped)

const rules = (all: ReadonlyArray<Recommendations.StoredRecommendation>) => all.map(({ rule }) => rule)

/** A member reports, as a pipeline does, what the row comes to. */
const report = Effect.gen(function*() {
  const writer = yield* ConfigWriter.ConfigWriter
  const configs = yield* AppliedConfigs.AppliedConfigs
  const { config } = yield* writer.get(service)
  const resolved = Resolution.resolve({
    service,
    row: {
      _tag: "Row",
      columns: { max_poll_interval_ms: config.maxPollIntervalMs, session_timeout_ms: config.sessionTimeoutMs }
    }
  })
  yield* configs.report({ service, member: "m1", group: "g", resolved })
  yield* until("the report is written", Effect.map(configs.list(service), ({ length }) => length === 1))
})

describe("Recommendations", () => {
  it.live("what was measured becomes a row, which SQL can read", () =>
    withService(({ measure }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        const sql = yield* PgClient.PgClient
        assert.deepStrictEqual(yield* recommendations.refresh(service), [])
        yield* measure(stalled)
        assert.deepStrictEqual(yield* recommendations.services, [service])
        const [found] = yield* recommendations.refresh(service)
        assert.deepInclude(found, {
          service,
          rule: "timing-out",
          priority: "high",
          currentConfig: { max_poll_interval_ms: 10_000, max_poll_records: 100 },
          recommendedConfig: { max_poll_interval_ms: 40_000 },
          action: undefined,
          resolvedAt: undefined
        })
        assert.strictEqual(found?.evidence["stalls"], 4)
        const rows = yield* sql`SELECT * FROM consumer_recommendations`
        assert.lengthOf(rows, 1)
        assert.deepInclude(rows[0], {
          service_name: service,
          rule: "timing-out",
          priority: "high",
          recommended_config: { max_poll_interval_ms: 40_000 },
          resolved_at: null
        })
        const [again] = yield* recommendations.refresh(service)
        assert.strictEqual(again?.createdAt, found?.createdAt, "it is the same one")
        assert.isAbove(again!.updatedAt, found!.updatedAt)
        assert.deepStrictEqual(yield* recommendations.list("other"), [])
      })
    ))

  it.live("applied, it stands no more, and what was measured before is not held against what holds now", () =>
    withService(({ measure }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        const writer = yield* ConfigWriter.ConfigWriter
        yield* measure(stalled)
        const [found] = yield* recommendations.refresh(service)
        yield* writer.set(service, found!.recommendedConfig)
        // As long as no member runs with it, nothing more is said.
        assert.deepStrictEqual(yield* recommendations.refresh(service), [])
        yield* report
        assert.deepStrictEqual(yield* recommendations.refresh(service), [])
        const [resolved] = yield* recommendations.list(service, { all: true })
        assert.deepInclude(resolved, { rule: "timing-out", resolution: "applied" })
        // It comes back where it did not help.
        yield* Effect.sleep("1100 millis")
        yield* measure({ ...stalled, oldestInFlightMs: 90_000 }, 1)
        const [back] = yield* recommendations.refresh(service)
        assert.deepInclude(back, { rule: "timing-out", recommendedConfig: { max_poll_interval_ms: 180_000 } })
        assert.isAbove(back!.createdAt, found!.createdAt)
      })
    ))

  it.live("what could not be judged stands; what was judged and is gone is no longer", () =>
    withService(({ measure }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        const sql = yield* PgClient.PgClient
        yield* measure({ ...calm, lost: 2, rebalances: 3 })
        assert.deepStrictEqual(rules(yield* recommendations.refresh(service)), ["frequent-rebalancing"])
        yield* sql`DELETE FROM consumer_member_metrics`
        yield* sql`DELETE FROM consumer_processing_metrics`
        assert.deepStrictEqual(rules(yield* recommendations.refresh(service)), ["frequent-rebalancing"])
        const [run] = yield* sql<
          { undecided: ReadonlyArray<string> }
        >`SELECT undecided FROM consumer_recommendation_runs`
        assert.include(run?.undecided, "frequent-rebalancing")
        yield* measure(calm)
        assert.deepStrictEqual(yield* recommendations.refresh(service), [])
        const [resolved] = yield* recommendations.list(service, { all: true })
        assert.strictEqual(resolved?.resolution, "no longer")
      })
    ))

  it.live("of many processes one judges a service, once in an interval", () =>
    withService(({ measure, url }) =>
      Effect.gen(function*() {
        yield* measure(stalled)
        const others = yield* Effect.forEach([1, 2, 3, 4], () =>
          Effect.map(
            Layer.build(Layer.fresh(Recommendations.layer.pipe(Layer.provide(pool(url))))),
            Context.get(Recommendations.Recommendations)
          ))
        const claimed = yield* Effect.forEach(others, ({ refreshDue }) => refreshDue("1 minute"), { concurrency: 4 })
        assert.deepStrictEqual(claimed.flat(), [service])
        assert.deepStrictEqual(yield* others[0]!.refreshDue("1 minute"), [])
        yield* Effect.sleep("1100 millis")
        assert.deepStrictEqual(yield* others[1]!.refreshDue("1 second"), [service])
        assert.deepStrictEqual(yield* others[1]!.refreshDue("0 seconds", ["another"]), [])
        assert.deepStrictEqual(rules(yield* others[2]!.list()), ["timing-out"])
      })
    ))

  it.live("a service that cannot be judged costs the others nothing", () =>
    withService(({ measure }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        const sql = yield* PgClient.PgClient
        yield* measure(stalled)
        yield* sql`INSERT INTO consumer_member_metrics (service_name, member) VALUES ('a-broken-service', 'm')`
        yield* sql`ALTER TABLE consumer_recommendation_runs ADD CHECK (undecided = '[]' OR service_name <> 'a-broken-service')`
        const error = yield* Effect.flip(recommendations.refreshDue("0 seconds"))
        assert.match(error.message, /consumer_recommendation_runs/)
        assert.deepStrictEqual(rules(yield* recommendations.list()), ["timing-out"])
      })
    ))

  it.live("durations that are no histogram, which another program has written, count for nothing", () =>
    withService(({ measure }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        const sql = yield* PgClient.PgClient
        yield* measure(stalled)
        yield* sql`
          INSERT INTO consumer_processing_metrics (service_name, topic, member, messages_processed, interval_ms, durations)
          SELECT ${service}, 't', 'other' || i, 1, 1000, odd FROM unnest(
            ARRAY['{"p99": 5}', 'null', '7', '[5, "x", null, ["a", 1], [1]]']::jsonb[]
          ) WITH ORDINALITY AS given (odd, i)`
        assert.deepStrictEqual(rules(yield* recommendations.refresh(service)), ["timing-out"])
      })
    ))

  it.live("the evaluator judges by itself", () =>
    withService(({ measure, url }) =>
      Effect.gen(function*() {
        const recommendations = yield* Recommendations.Recommendations
        yield* Layer.build(Recommendations.layerEvaluator({ interval: "300 millis" }).pipe(Layer.provide(pool(url))))
        yield* measure(stalled)
        yield* until("a recommendation", Effect.map(recommendations.list(), ({ length }) => length > 0))
        assert.deepStrictEqual(rules(yield* recommendations.list()), ["timing-out"])
      })
    ))

  it.live("a database without the tables is an error that says so", () =>
    Effect.gen(function*() {
      const recommendations = yield* Recommendations.Recommendations
      const sql = yield* PgClient.PgClient
      yield* sql`DROP TABLE consumer_recommendations`
      const error = yield* Effect.flip(recommendations.list())
      assert.match(error.message, /consumer_recommendations/)
    }).pipe(
      Effect.provide(
        Layer.unwrap(Effect.map(migratedUrl, (url) => Layer.provideMerge(Recommendations.layer, pool(url))))
      ),
      Effect.scoped
    ))
})
