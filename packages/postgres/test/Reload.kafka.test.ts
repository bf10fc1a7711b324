/** A committed change of a row reaches a pipeline that runs on a real Kafka: what concerns the work of it. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { brokers, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"
import { migrated } from "./support/database.ts"
import { until } from "./support/until.ts"

const services = Layer.mergeAll(
  // Polling is off: what arrives came by NOTIFY. A reading that a busy machine was too slow for would be the last one.
  PostgresConfigStore.layerWith({
    pollInterval: "1 hour",
    queryTimeout: "30 seconds",
    lastKnownGood: LastKnownGood.layerNone
  }),
  PostgresAppliedConfigs.layer,
  PostgresMetricsSink.layer
)

describe("a row, committed in PostgreSQL, and a pipeline on Kafka", { timeout: 300_000 }, () => {
  it.live("concurrency, order, in-flight bound, buffers and the metrics interval apply while it runs", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const topic = yield* Effect.promise(() => freshTopic("reload-work", 4))
      const [service, group] = [freshName("reload-work"), freshGroup("reload-work")]
      const set = (columns: Record<string, unknown>) =>
        sql`UPDATE pipeline_consumer_configs SET ${sql.update(columns)} WHERE service_name = ${service}`
      yield* sql`INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id, metrics_interval_ms)
        VALUES (${service}, ${group}, 3600000)`
      const done = new Map<string, number>()
      let [running, most] = [0, 0]
      const pipeline = yield* Pipeline.startWithin(Pipeline.make({
        service,
        topics: [topic],
        value: Codec.string,
        order: "none",
        concurrency: 2,
        process: (record) =>
          Effect.suspend(() => {
            most = Math.max(most, ++running)
            return Effect.map(Effect.sleep("10 millis"), () => {
              const place = `${record.partition}@${record.offset}`
              done.set(place, (done.get(place) ?? 0) + 1)
              running--
            })
          })
      }))
      const producer = yield* Producer.Producer
      // However long a change takes on its way, there is work meanwhile.
      let produced = 0
      const produce = Effect.gen(function*() {
        const count = done.size + 500 - produced
        if (count < 100) return yield* Effect.sleep("20 millis")
        yield* producer.sendAll(
          Array.from({ length: count }, (_, n) => ({ topic, partition: n % 4, value: String(n) }))
        )
        produced += count
      })
      const mostWhile = (records: number) =>
        Effect.gen(function*() {
          const from = done.size
          most = 0
          yield* until(`${records} more records`, Effect.sync(() => done.size >= from + records))
          return most
        })

      const producing = yield* Effect.forkScoped(Effect.forever(Effect.uninterruptible(produce)))
      assert.strictEqual(yield* mostWhile(100), 2)
      const { given, provenance } = yield* pipeline.configuration
      assert.strictEqual(provenance.concurrency.source, "code")
      // Read from the broker, whatever they are there.
      assert.isAbove(given.broker!.groupMaxSessionTimeoutMs, given.broker!.groupMinSessionTimeoutMs)

      yield* set({ concurrency: 12 })
      const config = Effect.map(pipeline.configuration, (resolved) => resolved.config)
      yield* until("the new concurrency", Effect.map(config, ({ concurrency }) => concurrency === 12))
      assert.strictEqual(yield* mostWhile(300), 12)

      yield* set({ concurrency: null, max_in_flight: 5, processing_order: "partition" })
      yield* until("the new order", Effect.map(config, ({ processingOrder }) => processingOrder === "partition"))
      const inFlight = Effect.map(pipeline.totals, (totals) => totals.inFlight)
      yield* until("as few in flight as there may be", Effect.map(inFlight, (records) => records <= 5 && running <= 2))
      assert.isAtMost(yield* mostWhile(100), 2)
      assert.isAtMost(yield* inFlight, 5)

      yield* set({ queue_max_records: 17, queue_max_bytes: 65_536, buffer_max_bytes: 1_048_576, concurrency: 9 })
      yield* until(
        "the new buffers",
        Effect.map(
          pipeline.consumer.settings,
          (settings) =>
            settings.queueMaxRecords === 17 && settings.queueMaxBytes === 65_536 &&
            settings.bufferMaxBytes === 1_048_576
        )
      )
      yield* mostWhile(300)
      const queued = (yield* pipeline.consumer.snapshot).map(({ queuedBytes }) => queuedBytes)
      assert.isAtMost(queued.reduce((sum, bytes) => sum + bytes, 0), 4 * (65_536 + 1_048_576))

      const measured = Effect.map(
        sql<{ n: number }>`SELECT count(*)::int AS n FROM consumer_processing_metrics WHERE service_name = ${service}`,
        ([row]) => row!.n
      )
      assert.strictEqual(yield* measured, 0)
      yield* set({ metrics_interval_ms: 200, processing_order: null })
      yield* until("measurements five times a second", Effect.map(measured, (n) => n >= 5))

      yield* Fiber.interrupt(producing)
      yield* until("the last record", Effect.sync(() => done.size === produced))
      assert.deepStrictEqual([...new Set(done.values())], [1])
      yield* until(
        "the member's report",
        Effect.map(
          sql`SELECT 1 FROM consumer_applied_configs WHERE service_name = ${service}
            AND configuration #>> '{settings,metrics_interval_ms,value}' = '200'
            AND configuration #>> '{settings,metrics_interval_ms,source}' = 'row'
            AND configuration #>> '{settings,processing_order,source}' = 'code'
            AND configuration #>> '{defaults,processing_order}' = 'none'`,
          ({ length }) => length === 1
        )
      )
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.suspend(() =>
        Layer.provideMerge(
          services,
          Layer.merge(migrated, Layer.provideMerge(Producer.layer(), KafkaJs.layer({ brokers: brokers() })))
        )
      ))
    ))
})
