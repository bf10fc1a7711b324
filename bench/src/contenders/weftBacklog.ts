/**
 * A process that is warm comes to a backlog: what each of its records costs, from the seek to its begin until the last one is
 * processed. A short backlog is read again and again until there is something to measure; before that as many records are
 * read without being counted, so that what is measured is no compiler at work.
 */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { Contender } from "./Contender.ts"
import { Laps } from "./laps.ts"
import { lapSettings, quietly, rewind } from "./weftLaps.ts"
import { optionsOf } from "./weftPipeline.ts"

/** So many are read before anything is measured, and at least so many are measured. */
const enoughRecords = 1_000_000

/** Between two readings: what the last one left to commit, and to fetch, is done. */
const rest = "50 millis"

const now = () => ({ at: performance.now(), cpu: process.cpuUsage() })

export const run: Contender = (task) =>
  Effect.gen(function*() {
    const ends = yield* Queue.unbounded<ReturnType<typeof now>>()
    let bytes = 0
    const laps = new Laps(
      task.records,
      { seen: (_, size) => void (bytes += size) },
      () => Queue.offerUnsafe(ends, now())
    )
    const { consumer, failure } = yield* Pipeline.startWithin(Pipeline.make({
      ...optionsOf(task),
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const { value } of records) bytes += value?.length ?? 0
          laps.seen(records.length, bytes)
        })
    }))
    const lap = Effect.gen(function*() {
      yield* Effect.sleep(rest)
      const begin = now()
      yield* rewind(consumer)
      const end = yield* Queue.take(ends)
      return {
        seconds: (end.at - begin.at) / 1_000,
        cpuSeconds: (end.cpu.user + end.cpu.system - begin.cpu.user - begin.cpu.system) / 1e6
      }
    })
    const times = Math.ceil(enoughRecords / task.records)
    const reading = Effect.gen(function*() {
      // The first reading is what the group begins with.
      yield* Queue.take(ends)
      yield* Effect.replicateEffect(lap, times - 1, { discard: true })
      bytes = 0
      return yield* Effect.replicateEffect(lap, times)
    })
    const measured = yield* Effect.raceFirst(reading, failure)
    const sum = (of: (one: typeof measured[number]) => number) => measured.reduce((all, one) => all + of(one), 0)
    const records = times * task.records
    return {
      records,
      bytes,
      recordsPerSecond: records / sum((one) => one.seconds),
      cpuSecondsPerMillion: sum((one) => one.cpuSeconds) / (records / 1e6),
      peakRssMb: process.resourceUsage().maxRSS / 1024
    }
  }).pipe(
    Effect.scoped,
    quietly,
    Effect.provide(Layer.mergeAll(
      KafkaJs.layer({ brokers: task.brokers }),
      ConfigStore.layerStatic({ consumerGroupId: task.group, ...lapSettings }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )
