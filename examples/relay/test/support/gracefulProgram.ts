/** A program over the streams of a consumer, to be told to end: `gracefulProgram.ts BROKERS TOPIC GROUP WORK_MS`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const [brokers, topic, groupId, workMs] = process.argv.slice(2) as [string, string, string, string]

const program = Effect.gen(function*() {
  const consumer = yield* Consumer.Consumer
  yield* Stream.runForEach(
    consumer.stream(),
    (record) =>
      Effect.sync(() => console.log(`record ${record.record.offset}`)).pipe(
        Effect.andThen(Effect.sleep(record.record.offset < 3n ? 1 : Number(workMs))),
        Effect.andThen(consumer.commit(record.offset))
      )
  )
})

const live = Consumer.layer({
  subscription: Subscription.topics(topic),
  settings: ConsumerSettings.make({ groupId, maxPollRecords: 1, fetchMaxWaitMs: 100 })
}).pipe(Layer.provide(KafkaJs.layer({ brokers: brokers.split(",") })))

NodeRuntime.runMain(Consumer.gracefully(program).pipe(Effect.provide(live)))
