/**
 * A pipeline with everything that a service has in its database, and the same pipeline without one: settings from its row,
 * followed; metrics, lag and the applied configuration written; turns to rejoin; recommendations judged.
 */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Setting from "@weft/config/Setting"
import * as Codec from "@weft/kafka/Codec"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { type Contender, Progress, type Task } from "./Contender.ts"
import { countingBatches } from "./countingBatches.ts"
import type { Laps } from "./laps.ts"
import { lapSettings, quietly, startInLaps } from "./weftLaps.ts"
import { withRow } from "./weftService.ts"

/** From one measurement to the next, where the row says nothing. */
const defaultIntervalMs = Setting.settings.metricsIntervalMs.default

/** Longer than from one measurement to the next, and from one look at the recommendations to the next: eleven seconds at most. */
const lastsMs = 11_500

type Make = (task: Task, laps: Laps) => Pipeline.Pipeline

const byBatch: Make = (task, laps) => countingBatches(task.group, task.topic, laps)

const byRecord: Make = (task, laps) =>
  Pipeline.make({
    service: task.group,
    topics: [task.topic],
    value: Codec.bytes,
    process: (record) => Effect.sync(() => laps.seen(1, record.value?.length ?? 0))
  })

const reading = (task: Task, progress: Progress, make: Make) =>
  Effect.scoped(Effect.gen(function*() {
    const { failure } = yield* startInLaps(task, progress, (laps) => make(task, laps))
    yield* Effect.raceFirst(failure, Effect.promise(() => progress.done))
  })).pipe(quietly, Effect.provide(KafkaJs.layer({ brokers: task.brokers })))

export const withoutDatabase = (make: "batch" | "record"): Contender => async (task) => {
  const progress = new Progress(task.records, lastsMs)
  await reading(task, progress, make === "batch" ? byBatch : byRecord).pipe(
    Effect.provide(Layer.mergeAll(
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...lapSettings }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )
  return progress.result()
}

/** What is written once more at the end, when the member has no partitions any more and so no lag. */
const atEnd = ["consumer_processing_metrics", "consumer_member_metrics"]
const measured = [...atEnd, "consumer_lag_history"]
const once = ["consumer_applied_configs", "consumer_recommendation_runs"]

/** That what is to be measured was done: a run without rows would be one without a database. */
const checkRows = Effect.fnUntraced(function*(task: Task, intervalMs: number) {
  const sql = yield* SqlClient.SqlClient
  const whileReading = Math.max(1, Math.floor(0.8 * lastsMs / intervalMs))
  for (const table of measured) {
    const times = whileReading + (atEnd.includes(table) ? 1 : 0)
    const [found] = yield* sql<{ readonly times: number }>`
      SELECT count(DISTINCT "timestamp")::int AS times FROM ${sql(table)} WHERE service_name = ${task.group}`
    if (found!.times < times) {
      return yield* Effect.die(new Error(`${table} was written ${found!.times} times, not ${times}`))
    }
  }
  // Who is measured every ten seconds is not judged within them.
  for (const table of intervalMs < defaultIntervalMs ? once : once.slice(0, 1)) {
    const rows = yield* sql`SELECT service_name FROM ${sql(table)} WHERE service_name = ${task.group}`
    if (rows.length === 0) return yield* Effect.die(new Error(`${table} has no row of this run`))
  }
})

export const withDatabase = (make: "batch" | "record", metricsIntervalMs?: number): Contender => async (task) => {
  const progress = new Progress(task.records, lastsMs)
  await withRow(
    task,
    { metricsIntervalMs, ...lapSettings },
    Effect.andThen(
      Effect.provide(reading(task, progress, make === "batch" ? byBatch : byRecord), PostgresPipeline.layer),
      checkRows(task, metricsIntervalMs ?? defaultIntervalMs)
    )
  )
  return progress.result()
}
