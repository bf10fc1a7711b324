/** `@weft/kafka` on either transport, one level below pipelines: batches, and single records. */
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { InvalidSettingError, KafkaError } from "@weft/kafka/KafkaError"
import * as Subscription from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Contender, type Progress, type Task } from "./Contender.ts"
import { weftSettings } from "./weftSettings.ts"

type MakeTransport = (task: Task) => Layer.Layer<Transport, InvalidSettingError>

const onKafkajs: MakeTransport = ({ brokers }) => KafkaJs.layer({ brokers })
const byKafkajsDecoder: MakeTransport = ({ brokers }) => KafkaJs.layer({ brokers, decoder: "kafkajs" })
const withoutCrcs: MakeTransport = ({ brokers }) => KafkaJs.layer({ brokers, checkCrcs: false })
const onPlatformatic: MakeTransport = ({ brokers }) => Platformatic.layer({ brokers })

const layer = (task: Task, transport: MakeTransport) =>
  Consumer.layer({
    subscription: Subscription.topics(task.topic),
    settings: ConsumerSettings.make({ groupId: task.group, ...weftSettings })
  }).pipe(Layer.provide(transport(task)))

const running = (
  task: Task,
  progress: Progress,
  transport: MakeTransport,
  use: (consumer: Consumer.Consumer["Service"]) => Effect.Effect<void, KafkaError>
) =>
  Effect.flatMap(Consumer.Consumer, (consumer) =>
    // What is handed out is settled and committed; the end of the scope commits the rest.
    Effect.raceFirst(use(consumer), Effect.promise(() => progress.done))).pipe(
      Effect.provide(layer(task, transport)),
      Effect.runPromise
    )

const batchesOn = (transport: MakeTransport): Contender => (task, progress) =>
  running(
    task,
    progress,
    transport,
    (consumer) =>
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
        }))
  )

export const batches = batchesOn(onKafkajs)
export const batchesByKafkajsDecoder = batchesOn(byKafkajsDecoder)
export const batchesWithoutCrcs = batchesOn(withoutCrcs)
export const batchesOnPlatformatic = batchesOn(onPlatformatic)

export const stream: Contender = (task, progress) =>
  running(
    task,
    progress,
    onKafkajs,
    (consumer) =>
      Stream.runForEachArray(consumer.stream(), (records) =>
        Effect.sync(() => {
          for (const { batch, index, record } of records) {
            progress.seen(1, record.value?.length ?? 0)
            batch.settle(index)
          }
        }))
  )
