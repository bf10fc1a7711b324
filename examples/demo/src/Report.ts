/** What the demo tells at its end, read back from the database. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { service } from "@weft/example-georegion-detector/Georegions"
import * as Effect from "effect/Effect"
import { table } from "./Table.ts"

type Row = Readonly<Record<string, string | number | bigint | Date | null>>

const titled = (title: string, rows: ReadonlyArray<Row>): ReadonlyArray<string> => [
  "",
  title,
  ...(rows.length === 0 ? ["  no rows"] : table(rows).map((line) => `  ${line}`))
]

/** What was stored for the service since `since`. */
export const stored = Effect.fnUntraced(function*(since: Date) {
  const sql = yield* PgClient.PgClient
  const metrics = yield* sql<Row>`
    SELECT
      count(*) AS rows, coalesce(sum(messages_processed), 0)::bigint AS messages_processed,
      avg(messages_per_second)::double precision AS avg_per_second,
      (sum(processing_time_ms * messages_processed) / nullif(sum(messages_processed), 0))::double precision
        AS avg_processing_ms,
      max(memory_usage_mb)::double precision AS peak_memory_mb
    FROM consumer_processing_metrics WHERE service_name = ${service} AND timestamp >= ${since}`
  const history = yield* sql<Row>`
    SELECT topic, partition, count(*) AS rows, max(lag) AS largest_lag, max(consumer_offset) AS consumer_offset
    FROM consumer_lag_history WHERE service_name = ${service} AND timestamp >= ${since}
    GROUP BY topic, partition ORDER BY topic, partition`
  const current = yield* sql<Row>`
    SELECT topic, partition_count, total_lag, max_partition_lag
    FROM v_current_consumer_lag WHERE service_name = ${service}`
  const alerts = yield* sql<Row>`
    SELECT topic, avg_lag, max_lag, max_poll_records, alert_level
    FROM v_consumer_lag_alerts WHERE service_name = ${service}`
  return [
    ...titled("consumer_processing_metrics", metrics),
    ...titled("consumer_lag_history", history),
    ...titled("v_current_consumer_lag", current),
    ...titled("v_consumer_lag_alerts", alerts)
  ]
})
