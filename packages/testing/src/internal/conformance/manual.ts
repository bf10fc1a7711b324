/**
 * Partitions by hand.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import { same, drive, eventually, bench, numbered, offsetsOf, keptTheRules, endsWith, behaviour } from "./bench.ts"

export const manual: ReadonlyArray<Behaviour> = [
  behaviour("manual: exactly these partitions, with commits and without a rebalance", () =>
    Effect.gen(function*() {
      const b = yield* bench(3)
      yield* b.write(numbered(30, { partitions: 3 }))
      const subscription = { _tag: "Manual" as const, partitions: [b.partition(0), b.partition(2)] }
      const probe = yield* b.member({ subscription })
      yield* eventually("the records", () => probe.records.length >= 20)
      yield* same(probe.assignments.length, 1, "assignments")
      yield* same(probe.assignments[0]!.partitions.map(String).sort(), [b.partition(0).key, b.partition(2).key], "held")
      yield* same(offsetsOf(probe, 1), [], "offsets of partition 1")
      yield* drive(probe.consumer.commit([{ topic: b.topic, partition: 2, offset: 4n, metadata: "by hand" }]))
      const [committed] = yield* drive(probe.consumer.committed([b.partition(2)]))
      yield* same([committed!.offset, committed!.metadata], [4n, "by hand"], "the committed offset")
      yield* keptTheRules(probe)
    })),

  behaviour("manual: a partition that does not exist ends run", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member({ subscription: { _tag: "Manual", partitions: [b.partition(7)] } })
      yield* endsWith(probe, "UnknownTopicError")
    }))
]
