/** The guide's monitoring section, statement by statement, on services that run: real Kafka, real PostgreSQL, under load. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as MetricsHistory from "@weft/postgres/MetricsHistory"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { sqlSplit } from "../src/internal/sqlSplit.ts"
import { migrated } from "./support/database.ts"
import { until } from "./support/until.ts"

const guide = sqlSplit(readFileSync(new URL("fixtures/guide.sql", import.meta.url), "utf8"))
const [currentLag, alerts, processing] = guide.slice(3)

const services = Layer.mergeAll(
  PostgresConfigStore.layerWith({ lastKnownGood: LastKnownGood.layerNone }),
  PostgresAppliedConfigs.layer,
  PostgresMetricsSink.layer,
  MetricsHistory.layer,
  Recommendations.layer
)

/** As `psql` would show it. */
const show = (title: string, found: ReadonlyArray<object>) =>
  Effect.sync(() => {
    console.log(title)
    console.table(found.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value])
      )
    ))
  })

describe("the guide's queries, on services that run", { timeout: 300_000 }, () => {
  it.live("they run word for word, and say what is", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const query = (statement: string) => sql.unsafe<Record<string, unknown>>(statement).unprepared
      /** What a query answers once it is so: members measure themselves once a second, and write it a moment later. */
      const once = Effect.fnUntraced(function*(
        what: string,
        statement: string,
        isSo: (rows: ReadonlyArray<Record<string, unknown>>) => boolean
      ) {
        let rows: ReadonlyArray<Record<string, unknown>> = []
        const look = Effect.map(query(statement), (found) => {
          rows = found
          return isSo(rows)
        })
        yield* until(what, look).pipe(Effect.onError(() => show(statement, rows)))
        return rows
      })
      yield* Effect.forEach(guide.slice(0, 3), query)
      const topic = yield* Effect.promise(() => freshTopic("guide-in", 4))
      const geocodes = yield* Effect.promise(() => freshTopic("guide-geocodes", 2))
      yield* sql`INSERT INTO pipeline_consumer_configs
        (service_name, consumer_group_id, metrics_interval_ms, max_poll_records, heartbeat_interval_ms)
        VALUES ('my-service', ${freshGroup("guide")}, 1000, 50, 500)`
      yield* sql`UPDATE pipeline_consumer_configs
        SET consumer_group_id = ${
        freshGroup("geocoder")
      }, metrics_interval_ms = 1000 WHERE service_name = 'my-geocoder'`

      const producer = yield* Producer.Producer
      const send = (to: string, partitions: number, count: number) =>
        producer.sendAll(
          Array.from({ length: count }, (_, n) => ({ topic: to, partition: n % partitions, value: String(n) }))
        )
      let sent = 0
      let done = 0
      // Two members share four partitions; the second one comes later, and the partitions are shared anew.
      const member = Pipeline.startWithin(Pipeline.make({
        service: "my-service",
        topics: [topic],
        value: Codec.string,
        order: "key",
        concurrency: 8,
        process: () => Effect.map(Effect.sleep("2 millis"), () => void done++)
      }))
      const second = yield* Scope.make()
      yield* member
      // One that waits on a service elsewhere, and is behind by more than the guide's thresholds. It waits for so long that
      // what a busy machine adds is nothing beside it, which would look as if what it waits for were at its limit.
      yield* Pipeline.startWithin(Pipeline.make({
        service: "my-geocoder",
        topics: [geocodes],
        value: Codec.string,
        process: () => Effect.sleep("1 second")
      }))
      yield* send(geocodes, 2, 25_000)
      // Even where a turn takes seconds, more geocodes come than go; and where no record is processed for as long as a
      // rebalance may take, a partition is not a thousand records behind.
      const load = yield* Effect.forever(Effect.andThen(
        Effect.uninterruptible(Effect.tap(send(topic, 4, 20), () => Effect.sync(() => void (sent += 20)))),
        Effect.andThen(send(geocodes, 2, 20), Effect.sleep("100 millis"))
      )).pipe(
        Effect.tapCause((cause) => Effect.logError("the load has ended", cause)),
        Effect.forkScoped
      )
      const sharing = (partitions: number) =>
        `SELECT 1 FROM v_consumer_config_monitoring WHERE service_name = 'my-service' AND partitions = ${partitions}`
      // Two that came before the group has begun would see no rebalance.
      yield* once("one member that has all partitions", sharing(4), ({ length }) => length === 1)
      yield* until("records that are done", Effect.sync(() => done > 0))
      yield* Scope.provide(member, second)
      yield* once("two members that share the partitions", sharing(2), ({ length }) => length === 2)
      yield* Effect.sleep("10 seconds")

      const lagNow = yield* once(
        "lag of every partition",
        currentLag!,
        ([row]) => row?.["partition_count"] === 4
      )
      yield* show("View Current Lag", lagNow)
      assert.lengthOf(lagNow, 1)
      assert.deepInclude(lagNow[0], { service_name: "my-service", topic, partition_count: 4 })

      const alertsNow = yield* once("a critical alert", alerts!, ([row]) => row?.["alert_level"] === "critical")
      yield* show("Check for Alerts", alertsNow)
      assert.lengthOf(alertsNow, 1)
      assert.deepInclude(alertsNow[0], {
        service_name: "my-geocoder",
        topic: geocodes,
        max_poll_records: 10,
        alert_level: "critical"
      })

      const figures = ["avg_throughput", "avg_processing_time", "peak_memory"]
      const metricsNow = yield* once(
        "figures of both",
        processing!,
        (rows) => rows.length === 2 && rows.every((row) => figures.every((name) => Number(row[name]) > 0))
      )
      yield* show("View Processing Metrics", metricsNow)
      assert.sameMembers(metricsNow.map((row) => row["service_name"]), ["my-service", "my-geocoder"])

      const recommendations = yield* Recommendations.Recommendations
      const isAdvised = Effect.map(
        recommendations.refresh("my-geocoder"),
        (advice) => advice.some(({ rule }) => rule === "growing-lag")
      )
      yield* until("a recommendation", isAdvised)
        .pipe(
          Effect.onError(() =>
            Effect.orDie(Effect.forEach([
              "SELECT undecided::text FROM consumer_recommendation_runs",
              "SELECT rule, reason, evidence::text FROM consumer_recommendations",
              "SELECT member, applied_at, last_seen, left_at FROM consumer_applied_configs WHERE service_name = 'my-geocoder'",
              "SELECT timestamp, interval_ms, partitions FROM consumer_member_metrics WHERE service_name = 'my-geocoder'",
              "SELECT timestamp, partition, lag FROM consumer_lag_history WHERE service_name = 'my-geocoder' ORDER BY 1"
            ], (statement) => Effect.flatMap(query(statement), (rows) => show(statement, rows))))
          )
        )
      const advice = yield* recommendations.list("my-geocoder")
      yield* show(
        "Get Optimization Recommendations",
        advice.map(({ priority, reason, rule, service }) => ({ service, rule, priority, reason }))
      )

      const isRunning = (row: Record<string, unknown>) => row["configuration_source"] === "applied"
      const fits = yield* once(
        "three members that have measured themselves",
        `SELECT service_name, member, configuration_source, max_poll_records, max_poll_interval_ms,
        round(avg_messages_per_second::numeric) AS avg_messages_per_second,
        round(processing_time_p99_ms::numeric, 1) AS processing_time_p99_ms, round(batch_fill::numeric, 2) AS batch_fill,
        rebalances, partitions, total_lag, fit FROM v_consumer_config_monitoring ORDER BY service_name, member`,
        (rows) =>
          rows.filter(isRunning).length === 3
          && rows.filter(isRunning).every((row) => row["partitions"] === 2 && row["fit"] !== "no data")
      )
      yield* show("Use Monitoring Views: v_consumer_config_monitoring", fits)
      const running = fits.filter(isRunning)
      assert.deepStrictEqual(running.map((row) => row["service_name"]), ["my-geocoder", "my-service", "my-service"])
      assert.strictEqual(running[0]!["fit"], "behind")
      // The one that was there first has seen the other come; the rows that nobody runs with are there, too.
      assert.deepStrictEqual(running.slice(1).map((row) => Number(row["rebalances"])).toSorted((a, b) => a - b), [
        0,
        1
      ])
      assert.deepStrictEqual(running.slice(1).map((row) => row["partitions"]), [2, 2])
      assert.lengthOf(fits, 5)

      const health = yield* once(
        "a service that keeps up beside one that does not",
        "SELECT service_name, status, reason, members, partitions, total_lag, "
          + "round(messages_per_second::numeric) AS messages_per_second FROM v_service_health ORDER BY 1",
        (rows) => ["critical", "ok"].every((status) => rows.some((row) => row["status"] === status))
      )
      yield* show("v_service_health", health)
      const statusOf = Object.fromEntries(health.map((row) => [row["service_name"], row["status"]]))
      assert.deepStrictEqual(statusOf, {
        "my-geocoder": "critical",
        "my-service": "ok",
        "my-vad-service": "unknown",
        "my-vision-service": "unknown"
      })

      // One member goes; what is left is done, and every record was counted once, by whoever settled it.
      yield* Scope.close(second, Exit.void)
      yield* Fiber.interrupt(load)
      yield* until("the last record", Effect.sync(() => done >= sent))
      const counted = Effect.map(
        query(
          "SELECT sum(messages_processed)::int AS n FROM consumer_processing_metrics WHERE service_name = 'my-service'"
        ),
        ([row]) => row!["n"]
      )
      yield* until("the count of all records", Effect.map(counted, (n) => n === sent))
      yield* Effect.sleep("2500 millis")
      assert.strictEqual(yield* counted, sent)
      const history = yield* MetricsHistory.MetricsHistory
      const merged = yield* history.topics({ service: "my-service", since: 0, step: "1 hour" })
      assert.strictEqual(merged.reduce((sum, { messagesProcessed }) => sum + messagesProcessed, 0), sent)
      const [settled] = yield* once("no lag", currentLag!, ([row]) => row?.["total_lag"] === 0n)
      assert.deepInclude(settled, { partition_count: 4 })
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.suspend(() =>
        Layer.provideMerge(
          services,
          Layer.merge(
            migrated,
            Layer.provideMerge(Producer.layer(), KafkaJs.layer({ brokers: brokers() }))
          )
        )
      ))
    ))
})
