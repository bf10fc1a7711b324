/**
 * What a service writes to its database while records come at a rate: all rows of all tables, all transactions, and the bytes
 * of the write-ahead log, from its start to its end. It measures itself every second, ten times as often as by default.
 */
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import { Kafka, logLevel } from "kafkajs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Contender, Task } from "./Contender.ts"
import { quietly } from "./weftLaps.ts"
import { optionsOf } from "./weftPipeline.ts"
import { withRow } from "./weftService.ts"

/** The records of a task are written within so long, evenly. */
const lastsSeconds = 30

const metricsIntervalMs = 1_000

/** From one look at what is due to the next. */
const tickMs = 10

/** Of one send, where more is due. */
const atMost = 1_000

const write = async (task: Task): Promise<void> => {
  const producer = new Kafka({ brokers: [...task.brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const value = Buffer.alloc(task.bytes, "x")
  const from = performance.now()
  let written = 0
  while (written < task.records) {
    const share = (performance.now() - from) / 1_000 / lastsSeconds
    const due = Math.min(task.records, Math.ceil(share * task.records)) - written
    const messages = Array.from({ length: Math.min(due, atMost) }, () => ({ value }))
    if (due > 0) await producer.send({ topic: task.topic, acks: 1, messages })
    written += messages.length
    if (due < atMost) await sleep(tickMs)
  }
  await producer.disconnect()
}

interface Written {
  readonly rows: number
  readonly transactions: number
  readonly bytes: number
}

/** PostgreSQL counts what a connection did some time after it has done it, and at the latest when that ends: all others have. */
const written = (url: string): Promise<Written> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.repeat(
      sql<{ readonly others: number }>`
        SELECT count(*)::int AS others FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      { schedule: Schedule.spaced("200 millis"), until: ([found]) => found!.others === 0 }
    )
    const [found] = yield* sql<Written>`
      SELECT
        (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables)::float8 AS rows,
        (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS transactions,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS bytes`
    return found!
  }).pipe(Effect.provide(Postgres.layerUrl(Redacted.make(url))), Effect.runPromise)

const serving = (task: Task, seen: (records: number, bytes: number) => void, done: Promise<void>) =>
  Effect.gen(function*() {
    const from = performance.now()
    const { failure } = yield* Pipeline.startWithin(Pipeline.make({
      ...optionsOf(task),
      service: task.group,
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const { value } of records) bytes += value?.length ?? 0
          seen(records.length, bytes)
        })
    }))
    yield* Effect.raceFirst(Effect.promise(() => Promise.all([write(task), done])), failure)
    return (performance.now() - from) / 1_000
  }).pipe(
    Effect.scoped,
    quietly,
    Effect.provide([KafkaJs.layer({ brokers: task.brokers }), PostgresPipeline.layer])
  )

export const run: Contender = async (task, progress) => {
  const { postgres: url } = task
  if (url === undefined) throw new Error("there is no database")
  const before = await written(url)
  const seconds = await withRow(
    task,
    { metricsIntervalMs },
    serving(task, (records, bytes) => progress.seen(records, bytes), progress.done)
  )
  const after = await written(url)
  const perSecond = (of: (written: Written) => number) => (of(after) - of(before)) / seconds
  return {
    ...progress.result(),
    figures: {
      "asked records/s": task.records / lastsSeconds,
      "rows/s": perSecond(({ rows }) => rows),
      "transactions/s": perSecond(({ transactions }) => transactions),
      "WAL kB/s": perSecond(({ bytes }) => bytes) / 1_000
    }
  }
}
