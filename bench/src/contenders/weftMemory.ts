/**
 * What a process holds that is far behind and slow: alive, against the formula of the settings, and in all, against what V8
 * has not collected yet on top of it. The handler is slow until there is no more to learn; then the rest is read, so that
 * nothing was lost on the way.
 */
import * as ConfigStore from "@weft/config/ConfigStore"
import type { Values } from "@weft/config/WorkloadProfile"
import * as Codec from "@weft/kafka/Codec"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { aliveBytes, allowedBytes, mebibyte } from "../../../scripts/memoryFormula.ts"
import { collectGarbage } from "../garbage.ts"
import { runLength } from "../topic.ts"
import type { Contender } from "./Contender.ts"

export type MemorySettings = Pick<
  Values,
  "queueMaxBytes" | "bufferMaxBytes" | "fetchMaxBytes" | "maxPartitionFetchBytes"
>

/** How long the handler takes for a batch while it is slow: all queues fill up. */
const work = "1 second"

/** How long it is left alone, for what V8 does by itself. */
const undisturbed = "8 seconds"

/** Then garbage is collected so often, and what is alive looked at. */
const looks = 30
const betweenLooks = "200 millis"

/** The most of all looks: buffers are what the formula is about. */
const highestAlive = Effect.gen(function*() {
  let highest = 0
  for (let look = 0; look < looks; look++) {
    yield* Effect.sleep(betweenLooks)
    collectGarbage()
    highest = Math.max(highest, process.memoryUsage().arrayBuffers)
  }
  return highest
})

export const slow = (settings: MemorySettings): Contender => (task, progress) =>
  Effect.gen(function*() {
    collectGarbage()
    const before = process.memoryUsage()
    let isSlow = true
    const { failure } = yield* Pipeline.startWithin(Pipeline.make({
      service: "bench",
      topics: [task.topic],
      value: Codec.bytes,
      processBatch: (records) =>
        Effect.suspend(() => {
          let bytes = 0
          for (const { value } of records) bytes += value?.length ?? 0
          progress.seen(records.length, bytes)
          return isSlow ? Effect.sleep(work) : Effect.void
        })
    }))
    const watched = Effect.gen(function*() {
      yield* Effect.sleep(undisturbed)
      const alive = yield* highestAlive
      isSlow = false
      yield* Effect.promise(() => progress.done)
      return alive
    })
    const alive = yield* Effect.raceFirst(watched, failure)
    const load = {
      settings: ConsumerSettings.make({ groupId: task.group, ...settings }),
      partitions: task.partitions,
      brokers: 1,
      bytes: task.bytes,
      batchRecords: runLength(task)
    }
    const result = progress.result()
    return {
      ...result,
      figures: {
        "formula, alive MiB": aliveBytes(load) / mebibyte,
        "alive MiB": (alive - before.arrayBuffers) / mebibyte,
        "formula, in all MiB": allowedBytes(load) / mebibyte,
        "in all MiB": result.peakRssMb! - before.rss / mebibyte
      }
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...settings }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )
