/** Weft, committing as soon as records are settled, every five seconds, and after each batch before the next one. */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { commitIntervalMs, Commits } from "./commits.ts"
import type { Contender } from "./Contender.ts"
import { countingBatches } from "./countingBatches.ts"
import { lapSettings, makeLaps, quietly, startInLaps } from "./weftLaps.ts"

type Cadence = "as settled" | "every 5 s"

const settingsOf = (cadence: Cadence) => ({
  ...lapSettings,
  enableAutoCommit: cadence === "every 5 s",
  autoCommitIntervalMs: commitIntervalMs
})

export const processBatch = (cadence: Cadence): Contender => async (task) => {
  const commits = new Commits(task)
  await Effect.gen(function*() {
    const { consumer, failure } = yield* startInLaps(
      task,
      commits.progress,
      (laps) => countingBatches("bench", task.topic, laps)
    )
    yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "Committed") commits.made()
      })))
    yield* Effect.raceFirst(failure, Effect.promise(() => commits.progress.done))
  }).pipe(
    Effect.scoped,
    quietly,
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...settingsOf(cadence) }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )
  return commits.result()
}

/** The same one level below pipelines; with `awaited` the next batch waits until the broker has the last one's offset. */
export const batches = (cadence: "awaited" | "every 5 s"): Contender => async (task) => {
  const commits = new Commits(task)
  await Effect.gen(function*() {
    const { laps, run } = yield* makeLaps(task, commits.progress)
    const consumer = yield* Consumer.make({
      subscription: Subscription.topics(task.topic),
      settings: ConsumerSettings.make({ groupId: task.group, ...settingsOf("every 5 s") }),
      onEvent: (event) => {
        if (event._tag === "Committed") commits.made()
      }
    })
    const reading = Stream.runForEach(consumer.batches, (batch) =>
      Effect.gen(function*() {
        let bytes = 0
        for (let i = batch.from; i < batch.to; i++) {
          const value = batch.fetched.value(i)
          if (value !== undefined) bytes += value.end - value.start
        }
        if (cadence === "awaited") yield* consumer.commit(batch)
        else batch.settleAll()
        laps.seen(batch.size, bytes)
      }))
    yield* Effect.raceAllFirst([run(consumer), reading, Effect.promise(() => commits.progress.done)])
  }).pipe(
    Effect.scoped,
    quietly,
    Effect.provide(KafkaJs.layer({ brokers: task.brokers })),
    Effect.runPromise
  )
  return commits.result()
}
