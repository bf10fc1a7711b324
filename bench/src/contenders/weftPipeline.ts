/**
 * `@weft/pipeline` on kafkajs, with everything that it does by default save that no database is there; and, to see what
 * metrics cost, without any, and with more of them than anybody wants: measured, encoded and scraped every second.
 */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as PrometheusMetrics from "@weft/pipeline/PrometheusMetrics"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Contender, Progress, Task } from "./Contender.ts"
import { weftSettings } from "./weftSettings.ts"

type Metrics = "default" | "none" | "every second"

/** Writes what it is given as JSON, as a database's client does, and drops it. */
const encoding = Layer.succeed(MetricsSink.MetricsSink, {
  write: (measurements) =>
    Effect.sync(() => {
      JSON.stringify(measurements, (_, value: unknown) => typeof value === "bigint" ? String(value) : value)
    })
})

export const running = (task: Task, progress: Progress, pipeline: Pipeline.Pipeline, metrics: Metrics = "default") =>
  Effect.gen(function*() {
    if (metrics === "every second") {
      yield* Effect.forkScoped(Effect.repeat(PrometheusMetrics.format, Schedule.spaced("1 second")))
    }
    yield* Effect.raceFirst(Pipeline.run(pipeline), Effect.promise(() => progress.done))
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...weftSettings }),
      metrics === "every second" ? encoding : MetricsSink.layerNone
    )),
    Effect.runPromise
  )

export const optionsOf = (task: Task, metrics: Metrics = "default") => ({
  service: "bench",
  topics: [task.topic],
  value: Codec.bytes,
  ...(metrics === "none" ? { metrics } : {}),
  ...(metrics === "every second" ? { metricsInterval: "1 second" as const } : {})
})

export const processBatch = (
  metrics: Metrics = "default",
  options: { readonly tracing?: "batch" | "none" | undefined } = {}
): Contender =>
(task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      ...optionsOf(task, metrics),
      ...options,
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const record of records) bytes += record.value?.length ?? 0
          progress.seen(records.length, bytes)
        })
    }),
    metrics
  )

export const process = (metrics: Metrics = "default"): Contender => (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      ...optionsOf(task, metrics),
      process: (record) => Effect.sync(() => progress.seen(1, record.value?.length ?? 0))
    }),
    metrics
  )
