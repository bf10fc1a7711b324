/** `@weft/kafka` on kafkajs, one level below pipelines: batches, and single records. */
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Subscription from "@weft/kafka/Subscription"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Contender, type Progress, type Task } from "./Contender.ts"
import { weftSettings } from "./weftSettings.ts"

const layer = (task: Task) =>
  Consumer.layer({
    subscription: Subscription.topics(task.topic),
    settings: ConsumerSettings.make({ groupId: task.group, ...weftSettings })
  }).pipe(Layer.provide(KafkaJs.layer({ brokers: task.brokers })))

const running = (
  task: Task,
  progress: Progress,
  use: (consumer: Consumer.Consumer["Service"]) => Effect.Effect<void, KafkaError>
) =>
  Effect.flatMap(Consumer.Consumer, (consumer) =>
    // What is handed out is settled and committed; the end of the scope commits the rest.
    Effect.raceFirst(use(consumer), Effect.promise(() => progress.done))).pipe(
      Effect.provide(layer(task)),
      Effect.runPromise
    )

export const batches: Contender = (task, progress) =>
  running(task, progress, (consumer) =>
    Stream.runForEachArray(consumer.batches, (batches) =>
      Effect.sync(() => {
        for (const batch of batches) {
          let bytes = 0
          for (let i = batch.from; i < batch.to; i++) {
            const value = batch.fetched.value(i)
            if (value !== undefined) bytes += value.end - value.start
          }
          batch.settleAll()
          progress.seen(batch.size, bytes)
        }
      })))

export const stream: Contender = (task, progress) =>
  running(task, progress, (consumer) =>
    Stream.runForEachArray(consumer.stream(), (records) =>
      Effect.sync(() => {
        for (const { batch, index, record } of records) {
          progress.seen(1, record.value?.length ?? 0)
          batch.settle(index)
        }
      })))
