import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TestClock from "effect/testing/TestClock"
import * as Consumer from "../src/Consumer.ts"
import * as ConsumerSettings from "../src/ConsumerSettings.ts"
import { OffsetBatch } from "../src/Offset.ts"
import * as Subscription from "../src/Subscription.ts"
import { make as topicPartition } from "../src/TopicPartition.ts"
import {
  advance,
  codecs,
  collectEvents,
  committedOf,
  member,
  numbered,
  settings,
  untilDone,
  valueOf,
  withCluster
} from "./fixtures.ts"

describe("Consumer", () => {
  it.effect("1 at least once: hands out every record, in order per partition, and commits nothing by itself", () =>
    withCluster({ partitions: 3, records: 300 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member()
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(300), Stream.runCollect))
        const records = yield* untilDone(fiber)
        for (let partition = 0; partition < 3; partition++) {
          const values = records.filter(({ record }) => record.partition === partition).map(valueOf)
          assert.deepStrictEqual(values, Array.from({ length: 100 }, (_, i) => String(i * 3 + partition)))
        }
        yield* advance(20_000, 500)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
      })))

  it.effect("1 at least once: a commit moves as far as records are settled without a gap", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member()
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(10), Stream.runCollect))
        const records = yield* untilDone(fiber)
        yield* consumer.commit(records[1]!.offset)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 0 })
        yield* consumer.commit(records[0]!.offset)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 2 })
        yield* consumer.commitBatch(OffsetBatch.from(records.slice(2).reverse().map(({ offset }) => offset)))
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
      })))

  it.effect("2 order: what is settled beyond a gap is not repeated after a restart, the gap is", () =>
    withCluster({ records: 20 }, (cluster) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const consumer = yield* member()
          const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(20), Stream.runCollect))
          const records = yield* untilDone(fiber)
          const settled = records.filter((_, i) => i !== 3 && i !== 11 && i < 17)
          yield* consumer.commitBatch(OffsetBatch.from(settled.map(({ offset }) => offset)))
        }))
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 3 })
        const again = yield* member()
        const fiber = yield* Effect.forkChild(again.stream(codecs).pipe(Stream.take(5), Stream.runCollect))
        const records = yield* untilDone(fiber)
        assert.deepStrictEqual(records.map(valueOf), ["3", "11", "17", "18", "19"])
        yield* again.commit(records[0]!.offset)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 11 })
      })))

  it.effect("2 order: metadata that a tool carried over to another offset is ignored, nothing is passed over", () =>
    withCluster({ records: 20 }, (cluster) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const consumer = yield* member()
          const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(20), Stream.runCollect))
          const records = yield* untilDone(fiber)
          yield* consumer.commitBatch(OffsetBatch.from(records.slice(4, 12).map(({ offset }) => offset)))
        }))
        const { metadata } = (yield* cluster.commits("group")).at(-1)!
        assert.isNotEmpty(metadata)
        yield* Effect.scoped(Effect.gen(function*() {
          const tool = yield* cluster.transport.consumer({
            subscription: { _tag: "Manual", partitions: [topicPartition("in", 0)] },
            settings: settings(),
            handler: {
              onBatch: () => undefined,
              onAssignment: () => [],
              beforeRevoke: () => Effect.void,
              onLost: () => undefined,
              onOutOfRange: () => undefined,
              onAlive: () => undefined
            }
          })
          yield* tool.commit([{ topic: "in", partition: 0, offset: 2n, metadata }])
        }))
        const consumer = yield* member({ drainTimeoutMs: 0 })
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(18), Stream.runCollect))
        const values = (yield* untilDone(fiber)).map(valueOf)
        assert.deepStrictEqual(values, Array.from({ length: 18 }, (_, i) => String(i + 2)))
      })))

  it.effect("commitWithin commits by count, by time, and at the end", () =>
    withCluster({ records: 25 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member()
        const fiber = yield* consumer.stream(codecs).pipe(
          Stream.map((record) => record.offset),
          Consumer.commitWithin(1_000, "15 seconds"),
          Stream.take(100),
          Stream.runDrain,
          Effect.provideService(Consumer.Consumer, consumer),
          Effect.forkChild
        )
        yield* advance(5_000)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        yield* advance(15_000)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 25 })
        yield* cluster.append("in", numbered(75, 1))
        yield* untilDone(fiber)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100 })
      })))

  it.effect("2 order: intake stops before the metadata of settled records is full, and goes on when the gap closes", () =>
    withCluster({ records: 60_000 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 500, drainTimeoutMs: 0 })
        const stuck = yield* Latch.make(false)
        let seen = 0
        yield* consumer.batches.pipe(
          Stream.runForEach((batch) =>
            Effect.gen(function*() {
              for (let i = 0; i < batch.size; i++) {
                seen++
                // The first record waits; behind it every other one is settled: the worst that metadata can be asked to hold.
                if (batch.from + i > 0 && i % 2 === 0) batch.settle(i)
                else yield* Effect.forkDetach(Effect.andThen(stuck.await, Effect.sync(() => batch.settle(i))))
              }
              yield* Effect.sleep(15)
            })
          ),
          Effect.forkChild
        )
        yield* advance(10_000)
        assert.isBelow(seen, 60_000)
        const metadata = (yield* cluster.commits("group")).map(({ metadata }) => metadata.length)
        assert.isAtMost(Math.max(...metadata), 4096)
        assert.isAtLeast(Math.max(...metadata), 3072)
        yield* stuck.open
        yield* advance(10_000)
        assert.strictEqual(seen, 60_000)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 60_000 })
      })))

  it.effect("3 bounded memory: a slow reader pauses the fetching and loses nothing", () =>
    withCluster({ partitions: 4 }, (cluster) =>
      Effect.gen(function*() {
        const value = "x".repeat(400)
        yield* cluster.append("in", Array.from({ length: 4_000 }, (_, i) => ({ partition: i % 4, value })))
        const limits = { maxPollRecords: 5, queueMaxRecords: 8, maxPartitionFetchBytes: 2_000, fetchMaxBytes: 4_000 }
        const consumer = yield* member(limits)
        const most = yield* Ref.make({ records: 0, bytes: 0 })
        const fiber = yield* consumer.batches.pipe(
          Stream.mapEffect((batch) =>
            Effect.gen(function*() {
              const snapshot = yield* consumer.snapshot
              const records = Math.max(...snapshot.map((partition) => partition.queuedRecords))
              const bytes = snapshot.reduce((sum, partition) => sum + partition.queuedBytes, 0)
              yield* Ref.update(
                most,
                (m) => ({ records: Math.max(m.records, records), bytes: Math.max(m.bytes, bytes) })
              )
              yield* Effect.sleep(7)
              batch.settleAll()
              return batch.size
            })
          ),
          Stream.scan(() => 0, (a, b) => a + b),
          Stream.takeUntil((total) => total === 4_000),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* untilDone(fiber)
        const { bytes, records } = yield* Ref.get(most)
        const { partitionRecords, totalBytes } = ConsumerSettings.queueLimits(settings(limits))
        // A decoded record costs 160 bytes beyond the 400 of its value.
        assert.isAtMost(bytes, (totalBytes + limits.fetchMaxBytes) * 560 / 400)
        assert.isAtMost(records, partitionRecords + limits.maxPartitionFetchBytes / 400)
      })))

  it.effect("4 rebalance: the drain holds the join until what is in flight is committed; nothing is lost or repeated", () =>
    withCluster({ partitions: 4, records: 400 }, (cluster) =>
      Effect.gen(function*() {
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        const run = (consumer: Consumer.Consumer["Service"]) =>
          consumer.partitionedStream(codecs).pipe(
            Stream.flatMap(([, records]) =>
              records.pipe(
                Stream.mapEffect((record) =>
                  Effect.gen(function*() {
                    yield* Effect.sleep(yield* Random.nextIntBetween(1, 60))
                    yield* Ref.update(seen, (all) => [...all, valueOf(record)])
                    record.offset.settle()
                  })
                )
              ), { concurrency: "unbounded" }),
            Stream.runDrain
          )
        const scopes: Array<Scope.Closeable> = []
        for (let i = 0; i < 3; i++) {
          const scope = yield* Scope.make()
          scopes.push(scope)
          const consumer = yield* Scope.provide(member({ maxPollRecords: 3 }), scope)
          yield* Effect.forkIn(run(consumer), scope)
          yield* advance(400)
        }
        const leaving = yield* Effect.forkChild(
          Effect.forEach(scopes.slice(1), (scope) => Scope.close(scope, Exit.void))
        )
        yield* untilDone(leaving)
        yield* advance(60_000)
        const values = yield* Ref.get(seen)
        assert.strictEqual(new Set(values).size, 400, "lost")
        assert.strictEqual(values.length, 400, "repeated")
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 100, 1: 100, 2: 100, 3: 100 })
        yield* Effect.forkChild(Scope.close(scopes[0]!, Exit.void))
        yield* advance(1_000)
      })))

  it.effect("4 rebalance: a member without a partition stays in the group and takes over", () =>
    withCluster({ records: 4 }, (cluster) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const scopes: Array<Scope.Closeable> = []
        for (const name of ["first", "second"]) {
          const scope = yield* Scope.make()
          scopes.push(scope)
          const consumer = yield* Scope.provide(member({ clientId: name }), scope)
          yield* consumer.stream(codecs).pipe(
            Stream.runForEach((record) =>
              Effect.sync(() => {
                seen.push(`${name} ${valueOf(record)}`)
                record.offset.settle()
              })
            ),
            Effect.forkIn(scope)
          )
          yield* advance(5_000)
        }
        const idle = (yield* cluster.members).filter(({ assignment }) => assignment.length === 0)
        assert.strictEqual(idle.length, 1)
        const owner = idle[0]!.clientId === "first" ? 1 : 0
        yield* Effect.forkChild(Scope.close(scopes[owner]!, Exit.void))
        yield* advance(5_000)
        yield* cluster.append("in", [{ value: "last" }])
        yield* advance(2_000)
        assert.strictEqual(seen.length, 5)
        assert.strictEqual(seen.at(-1), `${idle[0]!.clientId} last`)
      })))

  it.effect("4 rebalance: what ends after its partition was lost is fenced, never committed", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ sessionTimeoutMs: 10_000 })
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(3), Stream.runCollect))
        const records = yield* untilDone(fiber)
        yield* cluster.expireSession({ groupId: "group" })
        yield* advance(30_000, 200)
        const refused = yield* Effect.flip(consumer.commit(records[0]!.offset))
        assert.strictEqual(refused._tag, "FencedError")
        assert.isFalse(records[1]!.offset.settle())
        assert.deepStrictEqual(yield* committedOf(cluster), {})
      })))

  it.effect("5 stall: a partition without progress is reported with its record, and others go on", () =>
    withCluster({ partitions: 2, records: 20 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollIntervalMs: 60_000, maxPollRecords: 1, drainTimeoutMs: 0 })
        const events = yield* collectEvents(consumer)
        const done = yield* Ref.make(0)
        yield* consumer.partitionedStream(codecs).pipe(
          Stream.flatMap(([partition, records]) =>
            Stream.mapEffect(records, (record) =>
              partition.partition === 1 && record.record.offset === 4n
                ? Effect.never
                : Effect.andThen(Ref.update(done, (n) => n + 1), Effect.sync(() => record.offset.settle()))), {
            concurrency: "unbounded"
          }),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* advance(62_000, 500)
        const stalled = (yield* Ref.get(events)).filter((event) =>
          event._tag === "Stalled"
        )
        assert.strictEqual(stalled.length, 1)
        assert.deepInclude(stalled[0], { topic: "in", partition: 1, offset: 4n })
        assert.strictEqual(yield* Ref.get(done), 14)
      })))

  it.effect("5 stall: the policy halts that partition, or leaves the group with a typed failure", () =>
    withCluster({ partitions: 2, records: 20 }, (cluster) =>
      Effect.gen(function*() {
        const stuckAt = (consumer: Consumer.Consumer["Service"], offset: bigint, seen: Ref.Ref<number>) =>
          consumer.partitionedStream(codecs).pipe(
            Stream.flatMap(([, records]) =>
              Stream.mapEffect(records, (record) =>
                record.record.partition === 1 && record.record.offset === offset
                  ? Effect.never
                  : Effect.andThen(Ref.update(seen, (n) => n + 1), Effect.sync(() => record.offset.settle()))), {
              concurrency: "unbounded"
            }),
            Stream.runDrain
          )
        const stall = { maxPollIntervalMs: 60_000, maxPollRecords: 1, drainTimeoutMs: 0 }
        const seen = yield* Ref.make(0)
        const halting = yield* member({ ...stall, stallPolicy: "halt" })
        yield* Effect.forkChild(stuckAt(halting, 4n, seen))
        yield* advance(62_000, 500)
        assert.deepStrictEqual(
          (yield* halting.snapshot).map(({ halted }) =>
            halted
          ),
          [false, true]
        )
        yield* cluster.append("in", numbered(10, 2))
        yield* advance(2_000)
        assert.strictEqual(yield* Ref.get(seen), 14 + 5)
        yield* halting.shutdown

        const leaving = yield* member({ ...stall, stallPolicy: "leave", groupId: "leaving" })
        const fiber = yield* Effect.forkChild(Effect.flip(stuckAt(leaving, 4n, seen)))
        const error = yield* untilDone(fiber)
        assert.deepInclude(error, { _tag: "StalledError", topic: "in", partition: 1, offset: 4n })
        assert.strictEqual((yield* cluster.group("leaving")).members.length, 0)
        assert.deepStrictEqual(yield* committedOf(cluster, "leaving"), { 0: 15, 1: 4 })
      })))

  it.effect("6 shutdown: streams end once what is in flight is settled, and the group is left", () =>
    withCluster({ partitions: 2, records: 200 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member()
        const seen = yield* Ref.make(0)
        const program = consumer.stream(codecs).pipe(
          Stream.mapEffect((record) =>
            Effect.andThen(
              Effect.sleep(20),
              Effect.andThen(Ref.update(seen, (n) => n + 1), Effect.sync(() => record.offset.settle()))
            )
          ),
          Stream.runDrain
        )
        const fiber = yield* Effect.forkChild(
          Consumer.gracefully(program).pipe(Effect.provideService(Consumer.Consumer, consumer))
        )
        yield* advance(500)
        const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* untilDone(stopping)
        const offsets = yield* committedOf(cluster)
        const done = yield* Ref.get(seen)
        assert.isTrue(done > 0 && done < 200 + 1)
        assert.strictEqual((offsets[0] ?? 0) + (offsets[1] ?? 0), done)
        assert.strictEqual((yield* cluster.group("group")).members.length, 0)
      })))

  it.effect("6 shutdown: with nobody reading it does not wait for records that nobody will settle", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const consumer = yield* Scope.provide(member(), scope)
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(3), Stream.runCollect))
        yield* untilDone(fiber)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* untilDone(closing, 2_000)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
      })))

  it.effect("7 failure is typed: an unknown topic fails the stream", () =>
    withCluster({}, () =>
      Effect.gen(function*() {
        const consumer = yield* member({}, Subscription.topics("nowhere"))
        const fiber = yield* Effect.forkChild(Effect.flip(Stream.runDrain(consumer.stream())))
        const error = yield* untilDone(fiber)
        assert.strictEqual(error._tag, "UnknownTopicError")
      })))

  it.effect("7 failure is typed: a crash of the client is answered by a fresh one; then by its error", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* Consumer.make({
          subscription: Subscription.topics("in"),
          settings: settings({ sessionTimeoutMs: 10_000 }),
          restart: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 3 }))
        })
        const events = yield* collectEvents(consumer)
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        const fiber = yield* consumer.stream(codecs).pipe(
          Stream.mapEffect((record) =>
            Effect.andThen(
              Ref.update(seen, (all) => [...all, valueOf(record)]),
              Effect.orDie(consumer.commit(record.offset))
            )
          ),
          Stream.runDrain,
          Effect.flip,
          Effect.forkChild
        )
        yield* advance(2_000)
        yield* cluster.crash({ groupId: "group" })
        yield* advance(20_000, 200)
        yield* cluster.append("in", numbered(5, 1))
        yield* advance(2_000)
        assert.strictEqual((yield* Ref.get(seen)).length, 15)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 15 })
        yield* cluster.brokerAway(0, "10 minutes")
        const error = yield* untilDone(fiber, 900_000)
        assert.include(["ConnectionError", "TransportError", "GroupError"], error._tag)
        const crashes = (yield* Ref.get(events)).filter((event) => event._tag === "Crashed")
        assert.isUndefined(crashes.at(-1)!.restartInMs)
      })))

  it.effect("auto_offset_reset none is a typed failure; latest begins at the end", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const none = yield* member({ autoOffsetReset: "none", groupId: "none" })
        const error = yield* untilDone(yield* Effect.forkChild(Effect.flip(Stream.runDrain(none.stream()))))
        assert.strictEqual(error._tag, "NoOffsetError")
        const latest = yield* member({ autoOffsetReset: "latest", groupId: "latest" })
        const fiber = yield* Effect.forkChild(latest.stream(codecs).pipe(Stream.take(1), Stream.runCollect))
        yield* advance(2_000)
        yield* cluster.append("in", [{ value: "new" }])
        assert.deepStrictEqual((yield* untilDone(fiber)).map(valueOf), ["new"])
      })))

  it.effect("a committed offset that the log no longer holds is reported and reset by the policy", () =>
    withCluster({ records: 20 }, (cluster) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const consumer = yield* member()
          const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(2), Stream.runCollect))
          const records = yield* untilDone(fiber)
          yield* consumer.commitBatch(OffsetBatch.from(records.map(({ offset }) => offset)))
        }))
        yield* cluster.deleteRecords("in", 0, 8n)
        const consumer = yield* member()
        const events = yield* collectEvents(consumer)
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(1), Stream.runCollect))
        assert.deepStrictEqual((yield* untilDone(fiber)).map(valueOf), ["8"])
        const reset = (yield* Ref.get(events)).find((event) => event._tag === "OffsetReset")
        assert.deepInclude(reset, { committed: 2n, beginning: 8n, end: 20n, policy: "earliest" })
      })))

  it.effect("seek goes to an offset, the beginning, the end and a time", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ drainTimeoutMs: 0 })
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach((record) => Ref.update(seen, (all) => [...all, valueOf(record)])),
          Effect.forkChild
        )
        yield* advance(1_000)
        const after = Effect.fnUntraced(function*(to: Parameters<typeof consumer.seek>[1]) {
          yield* Ref.set(seen, [])
          yield* consumer.seek(topicPartition("in", 0), to)
          yield* advance(1_000)
          return yield* Ref.get(seen)
        })
        assert.deepStrictEqual(yield* after(7n), ["7", "8", "9"])
        assert.strictEqual((yield* after("earliest")).length, 10)
        assert.deepStrictEqual(yield* after("latest"), [])
        const now = yield* TestClock.testClockWith((clock) => Effect.succeed(clock.currentTimeMillisUnsafe()))
        yield* cluster.append("in", [{ value: "late", timestamp: now + 5 }])
        yield* advance(1_000)
        assert.deepStrictEqual(yield* after({ timestamp: now + 1 }), ["late"])
      })))

  it.effect("seek ends a pause that back-pressure made", () =>
    withCluster({ records: 500 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ drainTimeoutMs: 0, maxPollRecords: 1, queueMaxRecords: 20 })
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach((record) =>
            Effect.andThen(Effect.sleep(100), Ref.update(seen, (all) => [...all, valueOf(record)]))
          ),
          Effect.forkChild
        )
        yield* advance(1_000)
        assert.isTrue((yield* consumer.snapshot)[0]!.backPressured)
        yield* consumer.seek(topicPartition("in", 0), 490n)
        yield* advance(10_000)
        assert.deepStrictEqual((yield* Ref.get(seen)).slice(-3), ["497", "498", "499"])
      })))

  it.effect("pause holds records back without losing the membership; resume goes on", () =>
    withCluster({ partitions: 2, records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ sessionTimeoutMs: 10_000, drainTimeoutMs: 0 })
        const seen = yield* Ref.make<ReadonlyArray<number>>([])
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach(({ record }) => Ref.update(seen, (all) => [...all, record.partition])),
          Effect.forkChild
        )
        yield* advance(1_000)
        yield* consumer.pause([topicPartition("in", 1)])
        yield* Ref.set(seen, [])
        yield* cluster.append("in", numbered(10, 2))
        yield* advance(60_000, 500)
        assert.deepStrictEqual(yield* Ref.get(seen), [0, 0, 0, 0, 0])
        yield* consumer.resume([topicPartition("in", 1)])
        yield* advance(1_000)
        assert.deepStrictEqual((yield* Ref.get(seen)).filter((partition) => partition === 1).length, 5)
        assert.strictEqual((yield* cluster.group("group")).generation, 1)
      })))

  it.effect("manual assignment reads just these partitions and commits for its group", () =>
    withCluster({ partitions: 3, records: 9 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({}, Subscription.manual(topicPartition("in", 2)))
        const fiber = yield* Effect.forkChild(consumer.stream(codecs).pipe(Stream.take(3), Stream.runCollect))
        const records = yield* untilDone(fiber)
        assert.deepStrictEqual(records.map(valueOf), ["2", "5", "8"])
        yield* consumer.commitBatch(OffsetBatch.from(records.map(({ offset }) => offset)))
        assert.deepStrictEqual(yield* committedOf(cluster), { 2: 3 })
      })))

  it.effect("a pattern picks up topics that appear later, without losing its place in the others", () =>
    withCluster({ records: 4 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ metadataMaxAgeMs: 5_000 }, Subscription.pattern(/in.*/))
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        yield* consumer.stream(codecs).pipe(
          Stream.mapEffect((record) =>
            Effect.andThen(
              Ref.update(seen, (all) => [...all, `${record.record.topic}:${valueOf(record)}`]),
              Effect.sync(() => record.offset.settle())
            )
          ),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* advance(1_000)
        yield* cluster.createTopic("in-2")
        yield* cluster.append("in-2", [{ value: "x" }])
        yield* advance(12_000, 200)
        assert.deepStrictEqual(yield* Ref.get(seen), ["in:0", "in:1", "in:2", "in:3", "in-2:x"])
        assert.strictEqual((yield* SubscriptionRef.get(consumer.assignment)).length, 2)
      })))

  it.effect("fetch sizes change without a rejoin", () =>
    withCluster({ records: 2_000 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPartitionFetchBytes: 300, queueMaxRecords: 5, drainTimeoutMs: 0 })
        const most = yield* Ref.make(0)
        yield* consumer.batches.pipe(
          Stream.runForEach((batch) =>
            Effect.andThen(Ref.update(most, (size) => Math.max(size, batch.fetched.count)), Effect.sleep(50))
          ),
          Effect.forkChild
        )
        yield* advance(1_000)
        const before = yield* Ref.get(most)
        yield* consumer.reconfigure(settings({ maxPartitionFetchBytes: 3_000, queueMaxRecords: 5, drainTimeoutMs: 0 }))
        yield* advance(2_000)
        assert.isAbove(yield* Ref.get(most), before * 3)
        assert.strictEqual((yield* cluster.group("group")).generation, 1)
      })))

  it.effect("settings that the group refuses fall back to those before; nothing is lost or repeated", () =>
    withCluster({ records: 200 }, () =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 5 })
        const events = yield* collectEvents(consumer)
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        yield* consumer.stream(codecs).pipe(
          Stream.runForEach((record) =>
            Effect.sleep(10).pipe(
              Effect.andThen(Ref.update(seen, (all) => [...all, valueOf(record)])),
              Effect.andThen(Effect.sync(() => record.offset.settle()))
            )
          ),
          Effect.forkChild
        )
        yield* advance(500)
        // Below the broker's group.min.session.timeout.ms.
        yield* consumer.reconfigure(settings({ maxPollRecords: 5, sessionTimeoutMs: 1_000, heartbeatIntervalMs: 300 }))
        yield* advance(20_000, 100)
        const values = yield* Ref.get(seen)
        assert.strictEqual(values.length, 200)
        assert.strictEqual(new Set(values).size, 200)
        assert.isTrue((yield* Ref.get(events)).some((event) => event._tag === "SettingsRefused"))
        assert.strictEqual((yield* consumer.settings).sessionTimeoutMs, 60_000)
      })))

  it.effect("members rejoin in turn: consumption goes on while one waits", () =>
    withCluster({ partitions: 3, records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const turns = yield* Semaphore.make(1)
        const out: Array<string> = []
        let most = 0
        let away = 0
        const rejoinTurn = Effect.acquireRelease(
          Effect.andThen(
            turns.take(1),
            Effect.sync(() => {
              most = Math.max(most, ++away)
            })
          ),
          () =>
            Effect.andThen(
              turns.release(1),
              Effect.sync(() => {
                away--
              })
            )
        )
        const members = yield* Effect.forEach(["a", "b", "c"], (clientId) =>
          Consumer.make({
            subscription: Subscription.topics("in"),
            settings: settings({ clientId, drainTimeoutMs: 0 }),
            rejoinTurn: Effect.asVoid(rejoinTurn)
          }))
        for (const consumer of members) {
          yield* Effect.forkChild(Stream.runForEach(consumer.stream(codecs), (record) =>
            Effect.sync(() => {
              out.push(valueOf(record))
              record.offset.settle()
            })))
        }
        yield* advance(15_000)
        for (const [i, consumer] of members.entries()) {
          yield* consumer.reconfigure(settings({ clientId: "abc"[i]!, drainTimeoutMs: 0, sessionTimeoutMs: 45_000 }))
        }
        yield* advance(60_000, 100)
        yield* cluster.append("in", numbered(3, 3))
        yield* advance(5_000)
        assert.strictEqual(most, 1)
        assert.strictEqual(away, 0)
        assert.strictEqual(out.length, 6)
        assert.strictEqual((yield* cluster.group("group")).members.length, 3)
      })))

  it.effect("a member that has had its turn waits for the next one, whatever rebalances the others bring meanwhile", () =>
    withCluster({ partitions: 2, records: 2 }, (cluster) =>
      Effect.gen(function*() {
        const turns = yield* Semaphore.make(1)
        const rejoinTurn = Effect.gen(function*() {
          const began = yield* Latch.make(false)
          yield* Effect.forkScoped(turns.withPermits(1)(Effect.andThen(began.open, Effect.never)))
          yield* began.await
        })
        const members = yield* Effect.forEach(["a", "b"], (clientId) =>
          Consumer.make({
            subscription: Subscription.topics("in"),
            settings: settings({ clientId, drainTimeoutMs: 0 }),
            rejoinTurn
          }))
        const events = yield* Effect.forEach(members, collectEvents)
        yield* advance(15_000)
        for (const [round, sessionTimeoutMs] of [45_000, 50_000, 40_000].entries()) {
          for (const [i, consumer] of members.entries()) {
            yield* consumer.reconfigure(settings({ clientId: "ab"[i]!, drainTimeoutMs: 0, sessionTimeoutMs }))
          }
          yield* advance(60_000, 100)
          for (const of of events) {
            const accepted = (yield* Ref.get(of)).filter(({ _tag }) => _tag === "SettingsAccepted")
            assert.lengthOf(accepted, round + 1)
          }
        }
        assert.strictEqual((yield* cluster.group("group")).members.length, 2)
      })))

  it.effect("new settings apply in place, or by a rejoin that loses and repeats nothing", () =>
    withCluster({ partitions: 2, records: 400 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* member({ maxPollRecords: 5 })
        const events = yield* collectEvents(consumer)
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        const sizes = yield* Ref.make<ReadonlyArray<number>>([])
        yield* consumer.batches.pipe(
          Stream.mapEffect((batch) =>
            Effect.gen(function*() {
              yield* Ref.update(sizes, (all) => [...all, batch.size])
              for (const [i, record] of batch.records.entries()) {
                yield* Effect.sleep(10)
                yield* Ref.update(seen, (all) => [...all, Buffer.from(record.value!).toString()])
                batch.settle(i)
              }
            })
          ),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* advance(500)
        yield* consumer.reconfigure(settings({ maxPollRecords: 20 }))
        yield* advance(1_000)
        assert.include(yield* Ref.get(sizes), 20)
        assert.strictEqual((yield* cluster.group("group")).generation, 1)
        yield* consumer.reconfigure(settings({ maxPollRecords: 20, sessionTimeoutMs: 45_000 }))
        yield* advance(20_000, 100)
        assert.isAbove((yield* cluster.group("group")).generation, 1)
        const values = yield* Ref.get(seen)
        assert.strictEqual(values.length, 400)
        assert.strictEqual(new Set(values).size, 400)
        assert.isTrue((yield* Ref.get(events)).some((event) => event._tag === "Reconfigured" && event.rejoin))
      })))
})
