/**
 * effect-kafka on its engine kafkajs, in both of its forms. Plain JavaScript, since it is loaded from a place of its own, where
 * Effect is version 3.
 */
import * as Consumer from "effect-kafka/Consumer"
import * as ConsumerRecord from "effect-kafka/ConsumerRecord"
import * as KafkaJS from "effect-kafka/KafkaJS"
import * as MessageRouter from "effect-kafka/MessageRouter"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"

const optionsOf = (task, fetchSettings) => ({
  groupId: task.group,
  fromBeginning: true,
  minBytes: fetchSettings.minBytes,
  maxWaitTimeInMs: fetchSettings.maxWaitMs,
  maxBytes: fetchSettings.maxBytes,
  maxBytesPerPartition: fetchSettings.maxBytesPerPartition
})

/** It has kafkajs tell everything and sorts that by Effect's own level, which is set where its layer is built. */
const running = (task, progress, effect) =>
  Effect.raceFirst(effect, Effect.promise(() => progress.done)).pipe(
    Effect.scoped,
    Effect.provide(KafkaJS.KafkaJS.layer({ brokers: task.brokers })),
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.runPromise
  )

export const stream = (task, progress, fetchSettings) =>
  running(
    task,
    progress,
    Consumer.serveStream(task.topic).pipe(
      Stream.runForEach(({ value }) => Effect.sync(() => progress.seen(1, value?.length ?? 0))),
      Effect.provide(Consumer.layer(optionsOf(task, fetchSettings)))
    )
  )

export const handler = (task, progress, fetchSettings) =>
  running(
    task,
    progress,
    MessageRouter.empty.pipe(
      MessageRouter.subscribe(
        task.topic,
        Effect.map(ConsumerRecord.ConsumerRecord, ({ value }) => progress.seen(1, value?.length ?? 0))
      ),
      Consumer.serve(optionsOf(task, fetchSettings)),
      Layer.launch
    )
  )
