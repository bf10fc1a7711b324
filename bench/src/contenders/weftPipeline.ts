/** `@weft/pipeline` on kafkajs, with everything that it does by default save that no database is there. */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contender, Progress, Task } from "./Contender.ts"
import { weftSettings } from "./weftSettings.ts"

const running = (task: Task, progress: Progress, pipeline: Pipeline.Pipeline) =>
  Effect.raceFirst(Pipeline.run(pipeline), Effect.promise(() => progress.done)).pipe(
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...weftSettings }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )

export const processBatch: Contender = (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      service: "bench",
      topics: [task.topic],
      value: Codec.bytes,
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const record of records) bytes += record.value?.length ?? 0
          progress.seen(records.length, bytes)
        })
    })
  )

export const process: Contender = (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      service: "bench",
      topics: [task.topic],
      value: Codec.bytes,
      process: (record) => Effect.sync(() => progress.seen(1, record.value?.length ?? 0))
    })
  )
