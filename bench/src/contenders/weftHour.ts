/**
 * A pipeline with the default settings that finds an hour of records: how soon it is through, and what memory it takes above
 * the same process with nothing to do. More than the memory formula allows fails the run.
 */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import type { Consumer } from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { aliveBytes, allowedBytes, type Load, mebibyte } from "../../../scripts/memoryFormula.ts"
import type { Contender, Progress, Result, Task } from "./Contender.ts"
import { quietly, rewind } from "./weftLaps.ts"

/** How long the process is looked at with nothing to do. */
const idleMs = 3_000

const peakBytes = (): number => process.resourceUsage().maxRSS * 1024

const queuedBytes = ({ snapshot }: Consumer["Service"]) =>
  Effect.map(snapshot, (partitions) => partitions.reduce((sum, one) => sum + one.queuedBytes, 0))

/** `workMs` is what the handler takes for each batch: the queues are full while it is slower than the fetches. */
const pipelineOf = (task: Task, progress: Progress, workMs: number) =>
  Pipeline.make({
    service: task.group,
    topics: [task.topic],
    value: Codec.bytes,
    // At the end: what is there is read only when it is told to begin.
    settings: { autoOffsetReset: "latest" },
    processBatch: (records) => {
      const seen = Effect.sync(() => {
        let bytes = 0
        for (const record of records) bytes += record.value?.length ?? 0
        progress.seen(records.length, bytes)
      })
      return workMs === 0 ? seen : Effect.andThen(Effect.sleep(workMs), seen)
    }
  })

/** Throws where the formula is broken: by the queues themselves, or by the process above its idle self. */
export const judged = (
  task: Task,
  result: Result,
  { above, queued }: { readonly above: number; readonly queued: number }
) => {
  const load: Load = {
    settings: ConsumerSettings.make({ groupId: task.group }),
    partitions: task.partitions,
    brokers: task.brokers.length,
    bytes: task.bytes
  }
  const [alive, allowed] = [aliveBytes(load), allowedBytes(load)]
  if (queued > alive) throw new Error(`${queued} bytes were in the queues; the formula allows ${alive}`)
  if (above > allowed) throw new Error(`${above} bytes above the idle process; the formula allows ${allowed}`)
  return {
    ...result,
    figures: {
      "records/s": result.recordsPerSecond,
      "s to drain": result.records / result.recordsPerSecond,
      "MiB above idle": above / mebibyte,
      "MiB allowed": allowed / mebibyte,
      "MiB queued": queued / mebibyte
    }
  }
}

export const drain = (workMs: number): Contender => (task, progress) =>
  Effect.gen(function*() {
    const { consumer, failure } = yield* Pipeline.startWithin(pipelineOf(task, progress, workMs))
    const hasStarted = Effect.map(
      consumer.snapshot,
      (partitions) => partitions.length === task.partitions && partitions.every(({ state }) => state === "active")
    )
    yield* Effect.repeat(hasStarted, { until: (is) => is, schedule: Schedule.spaced("50 millis") })
    yield* Effect.sleep(idleMs)
    const idle = peakBytes()
    let queued = 0
    const looking = queuedBytes(consumer).pipe(
      Effect.tap((now) =>
        Effect.sync(() => {
          queued = Math.max(queued, now)
        })
      ),
      Effect.repeat(Schedule.spaced("20 millis"))
    )
    yield* rewind(consumer)
    yield* Effect.raceAllFirst([failure, looking, Effect.promise(() => progress.done)])
    const above = peakBytes() - idle
    return judged(task, progress.result(), { above, queued })
  }).pipe(
    Effect.scoped,
    quietly,
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({}),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )
