import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@weft/kafka/Codec"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { BatchRecordError } from "../src/BatchRecordError.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import type { PipelineRecord } from "../src/PipelineRecord.ts"
import { advance, committedOf, common, dlqOf, start, uneven, until, withCluster } from "./fixtures.ts"

class Refused extends Data.TaggedError("Refused")<{}> {}

type Batch = ReadonlyArray<PipelineRecord<string, unknown>>

const offsets = (records: Batch): ReadonlyArray<number> => records.map(({ offset }) => Number(offset))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe("processBatch", () => {
  it.effect("a record whose codec throws is a dead letter, and costs no other", () =>
    withCluster({ records: 5 }, (cluster) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        const value: Codec.Codec<string> = {
          ...Codec.string,
          decode: (buffer, start, end) => {
            if (Buffer.from(buffer).toString("utf8", start, end) === "2") throw new Error("a bug")
            return Codec.string.decode(buffer, start, end)
          }
        }
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          value,
          processBatch: (records) => Effect.sync(() => void seen.push(...offsets(records)))
        }))
        yield* advance(5_000)
        assert.deepStrictEqual(seen, [0, 1, 3, 4])
        assert.lengthOf(yield* dlqOf(cluster), 1)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 5 })
        assert.isTrue((yield* running.health).live)
        yield* stop
      })))

  it.effect("a batch is full by size, or handed over when its window is over", () =>
    withCluster({ records: 25 }, (cluster) =>
      Effect.gen(function*() {
        const batches: Array<{ readonly at: number; readonly offsets: ReadonlyArray<number> }> = []
        let now = 0
        const { stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10, window: "200 millis" },
          processBatch: (records) =>
            Effect.sync(() => {
              batches.push({ at: now, offsets: offsets(records) })
            })
        }))
        for (; now < 400; now += 10) yield* advance(10)
        assert.deepStrictEqual(batches.map((batch) => batch.offsets), [range(0, 10), range(10, 20), range(20, 25)])
        assert.isBelow(batches[1]!.at, 50)
        assert.isAtLeast(batches[2]!.at, 200)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 25 })
        yield* cluster.append("in", [{ key: "k", value: "late" }])
        for (; now < 800; now += 10) yield* advance(10)
        assert.deepStrictEqual(batches.slice(3).map((batch) => batch.offsets), [[25]])
        yield* stop
      })))

  it.effect("2 order: a batch whose window is over goes on filling until a worker comes to it, and no further than its size", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        const batches: Array<ReadonlyArray<number>> = []
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10, window: "20 millis" },
          processBatch: (records) =>
            Effect.andThen(Effect.sync(() => batches.push(offsets(records))), Effect.sleep(500))
        }))
        // A record every 30 ms, each in a window of its own.
        for (let i = 0; i < 50; i++) {
          yield* cluster.append("in", [{ key: "k", value: "v" }])
          yield* advance(30)
        }
        yield* until(() => batches.flat().length === 50, "all are done")
        assert.deepStrictEqual(batches.flat(), range(0, 50))
        const sizes = batches.map(({ length }) => length)
        assert.strictEqual(Math.max(...sizes), 10)
        assert.isAtMost(batches.length, 8, `sizes ${sizes.join(" ")}`)
        yield* advance(1_000)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 50 })
        assert.deepInclude(yield* running.totals, { processed: 50, inFlight: 0 })
        yield* stop
      })))

  it.effect("without a window a batch is what there is, at once", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        const batches: Array<ReadonlyArray<number>> = []
        const { stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10, window: 0 },
          processBatch: (records) => Effect.sync(() => batches.push(offsets(records)))
        }))
        yield* advance(1000)
        yield* cluster.append("in", Array.from({ length: 3 }, () => ({ key: "k", value: "v" })))
        // What the cluster takes to answer.
        yield* advance(10)
        assert.deepStrictEqual(batches, [[0, 1, 2]])
        yield* stop
      })))

  it.effect("2 order: batches of a partition one after the other, of several partitions side by side", () =>
    withCluster({ partitions: 3, records: 300 }, (cluster) =>
      Effect.gen(function*() {
        const done = new Map<number, Array<number>>()
        const running = new Set<number>()
        let atOnce = 0
        const { stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 7, window: "20 millis" },
          processBatch: Effect.fnUntraced(function*(records) {
            const { partition } = records[0]
            assert.isFalse(running.has(partition))
            assert.isTrue(records.every((record) => record.partition === partition))
            running.add(partition)
            atOnce = Math.max(atOnce, running.size)
            yield* Effect.sleep(uneven(records[0]))
            running.delete(partition)
            done.set(partition, [...(done.get(partition) ?? []), ...offsets(records)])
          })
        }))
        yield* until(() => [...done.values()].flat().length === 300, "all are done")
        assert.strictEqual(atOnce, 3)
        for (const partition of [0, 1, 2]) assert.deepStrictEqual(done.get(partition), range(0, 100))
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100, 1: 100, 2: 100 })
        yield* stop
      })))

  it.effect("2 order: without any, several batches of a partition at a time, and never a commit past a gap", () =>
    withCluster({ records: 100 }, (cluster) =>
      Effect.gen(function*() {
        const done: Array<number> = []
        let running = 0
        let atOnce = 0
        const { stop } = yield* start(Pipeline.make({
          ...common,
          order: "none",
          concurrency: 4,
          batch: { size: 10 },
          processBatch: Effect.fnUntraced(function*(records) {
            atOnce = Math.max(atOnce, ++running)
            yield* Effect.sleep(records[0].offset === 0n ? 5_000 : 20)
            running--
            done.push(...offsets(records))
          })
        }))
        yield* until(() => done.length === 90, "all but the first are done")
        yield* advance(100)
        assert.strictEqual(atOnce, 4)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 0 })
        yield* until(() => done.length === 100, "the first is done")
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100 })
        yield* stop
      })))

  it.effect("6 bad input: records that cannot be decoded and tombstones are taken out before", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", [
          { value: "1" },
          { value: "{" },
          { value: null },
          { value: "2" },
          { value: "" },
          { value: "3" }
        ])
        const batches: Array<ReadonlyArray<number>> = []
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          value: Codec.json(Schema.Finite),
          tombstones: "skip",
          batch: { size: 10, window: "50 millis" },
          processBatch: (records) =>
            Effect.sync(() => {
              batches.push(records.map(({ value }) => value))
            })
        }))
        yield* until(() => batches.length === 1, "the batch is done")
        yield* advance(100)
        assert.deepStrictEqual(batches, [[1, 2, 3]])
        assert.deepStrictEqual((yield* dlqOf(cluster)).map(({ offset }) => Number(offset)), [0, 1])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 6 })
        assert.deepInclude(yield* running.totals, { processed: 6, skipped: 1, deadLetters: 2, inFlight: 0 })
        yield* stop
      })))

  it.effect("a failed batch is retried as one, then its policy is applied to each of its records", () =>
    withCluster({ records: 20 }, (cluster) =>
      Effect.gen(function*() {
        const attempts: Array<readonly [number, number]> = []
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10 },
          processBatch: (records) => {
            attempts.push([Number(records[0].offset), records[0].attempt])
            return records[0].offset === 0n ? Effect.fail(new Refused()) : Effect.sleep(10)
          },
          onFailure: { Refused: FailurePolicy.retry({ attempts: 3 }) }
        }))
        yield* advance(3_000)
        assert.deepStrictEqual(attempts, [[0, 1], [0, 2], [0, 3], [10, 1]])
        assert.deepStrictEqual(
          (yield* dlqOf(cluster)).map(({ value }) => Buffer.from(value!).toString()),
          range(0, 10).map(String)
        )
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 20 })
        assert.deepInclude(yield* running.totals, { processed: 20, deadLetters: 10, retries: 20, inFlight: 0 })
        yield* stop
      })))

  it.effect("a BatchRecordError: those before it are settled, it goes to the policy, those after it come again", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const calls: Array<ReadonlyArray<number>> = []
        const processed = new Set<number>()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10 },
          processBatch: Effect.fnUntraced(function*(records) {
            calls.push(offsets(records))
            yield* Effect.sleep(5)
            for (const [index, record] of records.entries()) {
              if (record.offset === 3n || (record.offset === 6n && record.attempt < 3)) {
                return yield* new BatchRecordError({ index, cause: new Refused() })
              }
              assert.isFalse(processed.has(Number(record.offset)))
              processed.add(Number(record.offset))
            }
          }),
          onFailure: { Refused: FailurePolicy.retry({ attempts: 3 }) }
        }))
        yield* advance(5_000)
        assert.deepStrictEqual(calls, [
          range(0, 10),
          range(3, 10),
          range(3, 10),
          range(4, 10),
          range(6, 10),
          range(6, 10)
        ])
        assert.deepStrictEqual([...processed].toSorted((a, b) => a - b), range(0, 10).filter((i) => i !== 3))
        assert.deepStrictEqual((yield* dlqOf(cluster)).map(({ value }) => Buffer.from(value!).toString()), ["3"])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
        yield* stop
      })))

  it.effect("skipping single records of batches leaves nothing in flight: the shutdown does not wait", () =>
    withCluster({ records: 30 }, (cluster) =>
      Effect.gen(function*() {
        const done: Array<number> = []
        const { stop } = yield* start(Pipeline.make({
          ...common,
          batch: { size: 10 },
          processBatch: Effect.fnUntraced(function*(records) {
            yield* Effect.sleep(5)
            const index = records.findIndex(({ offset }) => offset % 4n === 1n)
            if (index >= 0) return yield* new BatchRecordError({ index, cause: new Refused() })
            done.push(...offsets(records))
          }),
          onFailure: { Refused: FailurePolicy.skip }
        }))
        yield* advance(1_000)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 30 })
        yield* cluster.append("in", [{ value: "x" }])
        const closing = yield* Effect.forkChild(stop)
        yield* advance(100)
        assert.isDefined(closing.pollUnsafe())
      })))
})
