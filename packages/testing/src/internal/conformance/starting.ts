/**
 * Where a partition starts.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import {
  same,
  pass,
  drive,
  eventually,
  bench,
  numbered,
  offsetsOf,
  upTo,
  keptTheRules,
  joined,
  behaviour
} from "./bench.ts"

export const starting: ReadonlyArray<Behaviour> = [
  behaviour(
    "start: nothing is fetched of a partition before it is named, and then from there",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        const probe = yield* b.member({ startAt: "nowhere" })
        yield* joined(probe, 2)
        yield* pass("1 second")
        yield* same(probe.records.length, 0, "records before the start")
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 3n }])
        yield* eventually("the records from offset 3 on", () => offsetsOf(probe, 0).length >= 7)
        yield* pass("500 millis")
        yield* same(offsetsOf(probe, 0), upTo(7, 3), "offsets of partition 0")
        yield* same(offsetsOf(probe, 1), [], "offsets of partition 1")
        yield* keptTheRules(probe)
      })
  ),

  behaviour("start: the first record of an empty partition arrives", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      yield* pass("1 second")
      yield* b.write(numbered(1))
      yield* eventually("the record", () => probe.records.length === 1)
      yield* keptTheRules(probe)
    })),

  behaviour("start: a seek goes there, and nothing fetched before it arrives after it", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(200))
      let after: number | undefined
      const probe = yield* b.member({
        with: { maxPartitionFetchBytes: 512 },
        onBatch: (batch, consumer) => {
          if (after !== undefined || batch.count === 0) return
          consumer.start([{ topic: b.topic, partition: 0, offset: 150n }])
          after = probe.records.length
        }
      })
      // The first batch may well hold all records: what counts is what came after the seek.
      yield* eventually("the end", () => after !== undefined && probe.records.length - after >= 50)
      yield* same(offsetsOf(probe, 0).slice(after), upTo(50, 150), "offsets after the seek")
      const before = probe.records.length
      probe.consumer.start([{ topic: b.topic, partition: 0, offset: 10n }])
      yield* eventually("the records again", () => probe.records.length - before >= 190)
      yield* pass("500 millis")
      yield* same(offsetsOf(probe, 0).slice(before), upTo(190, 10), "offsets after the seek back")
      yield* keptTheRules(probe)
    })),

  behaviour(
    "start: a position beyond the end is told, and fetched no more until it is named again",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        yield* b.write(numbered(5))
        const probe = yield* b.member({ startAt: "nowhere" })
        yield* joined(probe)
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 1000n }])
        yield* eventually("the position is told", () => probe.outOfRange.length > 0)
        yield* pass("1 second")
        yield* same(probe.outOfRange.map((o) => [o.partition.key, o.position]), [[b.partition(0).key, 1000n]], "told")
        yield* same(probe.records.length, 0, "records")
        yield* same(probe.ended(), undefined, "the end of run")
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 0n }])
        yield* eventually("all records", () => probe.records.length === 5)
        yield* keptTheRules(probe)
      })
  ),

  behaviour(
    "start: a position before the beginning is told, and moves no committed offset",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        yield* b.write(numbered(10))
        yield* drive(b.admin.setOffsets(b.group, [{ topic: b.topic, partition: 0, offset: 2n }]))
        yield* drive(b.admin.deleteRecords([{ topic: b.topic, partition: 0, offset: 6n }]))
        const probe = yield* b.member()
        yield* eventually("the position is told", () => probe.outOfRange.length > 0)
        yield* same(probe.outOfRange[0]!.position, 2n, "position")
        yield* pass("1 second")
        const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
        yield* same(committed!.offset, 2n, "the committed offset")
        const [beginning] = yield* drive(probe.consumer.listOffsets([b.partition(0)], "earliest"))
        yield* same(beginning!.offset, 6n, "the beginning")
        probe.consumer.start([beginning!])
        yield* eventually("what is left", () => probe.records.length === 4)
        yield* same(offsetsOf(probe, 0), upTo(4, 6), "offsets")
        yield* keptTheRules(probe)
      })
  )
]
