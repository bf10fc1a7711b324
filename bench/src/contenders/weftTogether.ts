/** Many pipelines in one process, each of a group of its own, on one transport and one store of settings. */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Contender, Progress, type Task } from "./Contender.ts"
import { countingBatches } from "./countingBatches.ts"
import { groupOf, idle, type Seen, together, withConnections } from "./together.ts"
import { lapSettings, quietly, startInLaps } from "./weftLaps.ts"
import { weftSettings } from "./weftSettings.ts"

const lastsMs = 5_000

const pipelineOf = (task: Task, index: number, counter: Seen): Pipeline.Pipeline =>
  countingBatches(groupOf(task.group, index), task.topic, counter)

const shared = (task: Task, settings: typeof weftSettings) =>
  Layer.mergeAll(KafkaJs.layer({ brokers: task.brokers }), ConfigStore.layerStatic(settings), MetricsSink.layerNone)

export const reading = (count: number): Contender => async (task) => {
  const progress = new Progress(task.records, lastsMs)
  return await Effect.gen(function*() {
    const started = yield* Effect.forEach(
      together(count, progress),
      (own, index) => startInLaps(task, own, (laps) => pipelineOf(task, index, laps)),
      { concurrency: "unbounded" }
    )
    yield* Effect.raceAllFirst([
      ...started.map(({ failure }) => failure),
      Effect.promise(() => progress.done)
    ])
    return withConnections(progress.result())
  }).pipe(Effect.scoped, quietly, Effect.provide(shared(task, lapSettings)), Effect.runPromise)
}

export const waiting = (count: number): Contender => async (task) => {
  const progress = new Progress(count * task.records)
  return await Effect.gen(function*() {
    const started = yield* Effect.forEach(
      Array.from({ length: count }, (_, index) => pipelineOf(task, index, progress)),
      Pipeline.startWithin,
      { concurrency: "unbounded" }
    )
    return yield* Effect.raceAllFirst([
      ...started.map(({ failure }) => failure),
      Effect.promise(() => progress.done.then(() => idle(progress)))
    ])
  }).pipe(Effect.scoped, quietly, Effect.provide(shared(task, weftSettings)), Effect.runPromise)
}
