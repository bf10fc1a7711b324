/**
 * Pause and resume.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import type * as Probe from "../../Probe.ts"
import {
  check,
  same,
  pass,
  eventually,
  bench,
  numbered,
  offsetsOf,
  upTo,
  keptTheRules,
  joined,
  behaviour
} from "./bench.ts"

export const pausing: ReadonlyArray<Behaviour> = [
  behaviour(
    "pause: at most one batch of a partition comes after it, and nothing is missing after the resume",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(600, { partitions: 2 }))
        let pausedAt: number | undefined
        const batchesOf = (partition: number) =>
          probe.batches.filter((x) => x.partition === partition && x.count > 0).length
        const probe: Probe.Probe = yield* b.member({
          with: { maxPartitionFetchBytes: 1_024 },
          onBatch: (batch, consumer) => {
            if (batch.partition !== 0 || pausedAt !== undefined) return
            consumer.pause([b.partition(0)])
            pausedAt = batchesOf(0)
          }
        })
        // The other partition is not held up by the pause.
        yield* eventually("all of the other partition", () => offsetsOf(probe, 1).length === 300)
        yield* pass("1 second")
        yield* check(batchesOf(0) <= pausedAt! + 1, `${batchesOf(0) - pausedAt!} batches after the pause`)
        probe.consumer.resume([b.partition(0)])
        yield* eventually("all of the paused partition", () => offsetsOf(probe, 0).length >= 300)
        yield* same(offsetsOf(probe, 0), upTo(300), "offsets of partition 0")
        yield* same(offsetsOf(probe, 1), upTo(300), "offsets of partition 1")
        yield* keptTheRules(probe)
      })
  ),

  behaviour("pause: a consumer that pauses at each batch gets every record once", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(1_000))
      const probe = yield* b.member({
        with: { maxPartitionFetchBytes: 4_096 },
        onBatch: (_, consumer) => consumer.pause([b.partition(0)])
      })
      yield* joined(probe)
      yield* eventually("all records", () => {
        probe.consumer.resume([b.partition(0)])
        return probe.records.length >= 1_000
      })
      yield* same(offsetsOf(probe, 0), upTo(1_000), "offsets")
      yield* keptTheRules(probe)
    })),

  behaviour(
    "pause: with all partitions paused, the membership lives on beyond the session timeout",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const probe = yield* b.member({ with: { sessionTimeoutMs: 6_000 } })
        yield* joined(probe)
        probe.consumer.pause([b.partition(0)])
        // It may have been let in before there was anything for it.
        const assignments = probe.assignments.length
        yield* b.write(numbered(5))
        yield* pass("7500 millis")
        yield* check(probe.records.length === 0 || probe.batches.length === 1, "at most one batch after the pause")
        yield* same(
          [probe.assignments.length - assignments, probe.lost.length, probe.ended()],
          [0, 0, undefined],
          "the membership"
        )
        probe.consumer.resume([b.partition(0)])
        yield* eventually("the records", () => probe.records.length === 5)
        yield* keptTheRules(probe)
      })
  )
]
