import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Producer from "@weft/kafka/Producer"
import * as Admin from "@weft/kafka/Admin"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { brokers, freshDatabase, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import * as GeoregionDetector from "../src/GeoregionDetector.ts"
import { between, service } from "../src/Georegions.ts"
import * as Tables from "../src/Tables.ts"

const count = 300

const locationOf = (i: number) => ({
  trace_id: `trace-${i}`,
  device_id: `device-${i % 7}`,
  timestamp: "2026-03-01T12:00:00Z",
  schema_version: "v1",
  // Two of three stand on the Alexanderplatz, which is in the district of Mitte; the others are in Munich.
  data: i % 3 === 0 ? { latitude: 48.1371, longitude: 11.5754 } : { latitude: 52.5219, longitude: 13.4132 }
})

/** Waits for what is true soon, and fails with what it is otherwise. */
const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  effect.pipe(
    Effect.repeat({ until: isSo, schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("1 minute")
  )

describe("the georegion detector on a real Kafka and a real PostgreSQL", () => {
  it.live(
    "consumes, detects, commits, and leaves its metrics and its lag in the database",
    () =>
      Effect.gen(function*() {
        const from = yield* Effect.promise(() => freshTopic("locations", 4))
        const to = yield* Effect.promise(() => freshTopic("detected", 2))
        const group = freshGroup("georegion")
        const url = yield* Effect.promise(freshDatabase)

        const database = Postgres.layerUrl(Redacted.make(url))
        const kafka = KafkaJs.layer({ brokers: brokers() })
        const clients = Layer.mergeAll(Producer.layer(), Admin.layer).pipe(Layer.provideMerge(kafka))

        yield* Effect.gen(function*() {
          const sql = yield* PgClient.PgClient
          yield* Tables.create
          yield* sql`UPDATE pipeline_consumer_configs SET consumer_group_id = ${group} WHERE service_name = ${service}`

          const running = Pipeline.layer(between(from, to, { metricsInterval: "1 second" })).pipe(
            Layer.provide([GeoregionDetector.layerPostgres, PostgresConfigStore.layer, PostgresMetricsSink.layer])
          )
          yield* Effect.gen(function*() {
            yield* Producer.sendAll(
              Array.from({ length: count }, (_, i) => ({
                topic: from,
                key: `device-${i % 7}`,
                value: JSON.stringify(locationOf(i))
              }))
            )
            const places = yield* eventually(
              Admin.lag(group, [from]),
              (lags) => lags.reduce((sum, { committed }) => sum + Number(committed ?? 0), 0) === count
            )
            assert.isTrue(places.every(({ lag }) => lag === 0n))
            const lag = yield* eventually(
              sql`SELECT * FROM v_current_consumer_lag WHERE service_name = ${service}`,
              ([row]) => row?.["total_lag"] === 0n && row["partition_count"] === 4
            )
            assert.deepInclude(lag[0], { topic: from })
          }).pipe(Effect.provide(running))

          const admin = yield* Admin.Admin
          const ends = yield* admin.listOffsets(yield* Admin.partitionsOf([to]), "latest")
          assert.strictEqual(ends.reduce((sum, { offset }) => sum + Number(offset), 0), 400)

          // The pipeline has ended, and told what it did since the last interval before it did.
          const metrics = yield* sql<{ processed: bigint }>`
          SELECT sum(messages_processed)::bigint AS processed FROM consumer_processing_metrics
          WHERE service_name = ${service}`
          assert.strictEqual(metrics[0]!.processed, 300n)
          const lag = yield* sql`SELECT * FROM v_current_consumer_lag WHERE service_name = ${service}`
          assert.deepInclude(lag[0], { topic: from, partition_count: 4, total_lag: 0n })
          const alerts = yield* sql`SELECT * FROM v_consumer_lag_alerts WHERE service_name = ${service}`
          assert.deepInclude(alerts[0], { alert_level: "ok", max_poll_records: 200 })
        }).pipe(Effect.provide(Layer.mergeAll(clients, database)))
      }),
    300_000
  )
})
