import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Consumer } from "../src/Consumer.ts"
import { type CommittableBatch, OffsetBatch } from "../src/Offset.ts"
import { advance, collectEvents, committedOf, member, withCluster } from "./fixtures.ts"

const recordBytes = 1_000
const records = 2_000
const inFlightMaxBytes = 100_000

const full = { partitions: 4, records: 0 }
const value = "x".repeat(recordBytes)
const backlog = Array.from({ length: records }, (_, i) => ({ partition: i % 4, value }))

const merged = (consumer: Consumer["Service"], f: (batch: CommittableBatch) => void) =>
  Stream.runForEach(consumer.batches, (batch) => Effect.sync(() => f(batch)))

const byPartition = (consumer: Consumer["Service"], f: (batch: CommittableBatch) => void) =>
  Stream.runForEach(
    Stream.flatMap(consumer.partitions, ({ batches }) => batches, { concurrency: "unbounded" }),
    (batch) => Effect.sync(() => f(batch))
  )

describe("3 bounded memory: a stream whose records nobody settles", () => {
  for (const [name, read] of Object.entries({ merged, byPartition })) {
    it.effect(`hands out no more than the bound, says so once, and goes on when something is settled (${name})`, () =>
      withCluster(full, (cluster) =>
        Effect.gen(function*() {
          yield* cluster.append("in", backlog)
          const consumer = yield* member({ inFlightMaxBytes, maxPollRecords: 10, drainTimeoutMs: 0 })
          const events = yield* collectEvents(consumer)
          const held: Array<CommittableBatch> = []
          const reading = yield* Effect.forkChild(read(consumer, (batch) => held.push(batch)))
          const handedOut = () => held.reduce((sum, batch) => sum + batch.size, 0)
          const told = Effect.map(Ref.get(events), (all) => all.filter((event) => event._tag === "Unsettled").length)
          yield* advance(5_000)
          const most = (inFlightMaxBytes / recordBytes) + 10
          assert.isAtLeast(handedOut(), 80)
          assert.isAtMost(handedOut(), most)
          assert.strictEqual(yield* told, 1)

          const first = handedOut()
          for (const batch of held.slice()) batch.settleAll()
          yield* advance(5_000)
          assert.isAtLeast(handedOut(), first + 40)
          assert.isAtMost(handedOut(), first + most)
          assert.strictEqual(yield* told, 2)

          for (let i = 0; i < 100 && handedOut() < records; i++) {
            for (const batch of held.slice()) batch.settleAll()
            yield* advance(200)
          }
          for (const batch of held.slice()) batch.settleAll()
          yield* advance(1_000)
          assert.strictEqual(handedOut(), records)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 500, 1: 500, 2: 500, 3: 500 })
          yield* Fiber.interrupt(reading)
        })))
  }

  for (const [name, read] of Object.entries({ merged, byPartition })) {
    it.effect(`goes on when the bound is raised, with nothing settled (${name})`, () =>
      withCluster(full, (cluster) =>
        Effect.gen(function*() {
          yield* cluster.append("in", backlog)
          const consumer = yield* member({ inFlightMaxBytes, maxPollRecords: 10, drainTimeoutMs: 0 })
          let handedOut = 0
          yield* Effect.forkChild(read(consumer, (batch) => {
            handedOut += batch.size
          }))
          yield* advance(2_000)
          const first = handedOut
          yield* consumer.reconfigure({ ...yield* consumer.settings, inFlightMaxBytes: 4 * inFlightMaxBytes })
          yield* advance(2_000)
          assert.isAtLeast(handedOut, 3 * first)
        })))
  }

  it.effect("counts nothing of partitions that were given up", () =>
    withCluster(full, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", backlog)
        const consumer = yield* member({ clientId: "a", inFlightMaxBytes, maxPollRecords: 10, drainTimeoutMs: 0 })
        let handedOut = 0
        const reading = yield* Effect.forkChild(merged(consumer, (batch) => {
          handedOut += batch.size
        }))
        yield* advance(2_000)
        const first = handedOut
        yield* cluster.expireSession({ clientId: "a" })
        yield* advance(30_000, 500)
        assert.isAtLeast(handedOut, 2 * first - 10)
        yield* Fiber.interrupt(reading)
      })))
})

describe("OffsetBatch", () => {
  it.effect("grows by one in the same time, however large it is, and keeps the order", () =>
    withCluster({ records: 50 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 1, drainTimeoutMs: 0 })
        const held: Array<CommittableBatch> = []
        yield* Effect.forkChild(merged(consumer, (batch) => held.push(batch)))
        yield* advance(1_000)
        assert.lengthOf(held, 50)
        const many = 200_000
        let batch = OffsetBatch.empty
        // In quadratic time this would take minutes.
        for (let i = 0; i < many; i++) batch = batch.add(held[i % 50]!)
        assert.strictEqual(batch.size, many)
        assert.isTrue(batch.offsets.every((one, i) => one === held[i % 50]))
        const both = OffsetBatch.from(held.slice(0, 3)).merge(OffsetBatch.empty).merge(
          OffsetBatch.from(held.slice(3, 5))
        )
        assert.deepStrictEqual(both.offsets, held.slice(0, 5))
        assert.isTrue(OffsetBatch.empty.merge(OffsetBatch.empty).isEmpty)
      })))
})
