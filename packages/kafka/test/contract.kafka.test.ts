import { assert, describe, it } from "@effect/vitest"
import { KafkaJs } from "@weft/kafkajs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import * as Admin from "../src/Admin.ts"
import * as Codec from "../src/Codec.ts"
import * as Consumer from "../src/Consumer.ts"
import type { ConsumerEvent } from "../src/ConsumerEvent.ts"
import * as ConsumerSettings from "../src/ConsumerSettings.ts"
import { OffsetBatch } from "../src/Offset.ts"
import * as Producer from "../src/Producer.ts"
import * as Subscription from "../src/Subscription.ts"

const codecs = { key: Codec.string, value: Codec.string }
const live = () => Layer.provideMerge(Layer.merge(Producer.layer(), Admin.layer), KafkaJs.layer({ brokers: brokers() }))

const settings = (groupId: string, overrides: Partial<ConsumerSettings.ConsumerSettings> = {}) =>
  ConsumerSettings.make({
    groupId,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 500,
    maxPollIntervalMs: 60_000,
    fetchMaxWaitMs: 100,
    ...overrides
  })

const produce = (topic: string, count: number, partitions: number) =>
  Producer.sendAll(
    Array.from({ length: count }, (_, i) => ({ topic, partition: i % partitions, key: `k${i % 7}`, value: String(i) }))
  )

const valueOf = (record: Consumer.CommittableRecord<string, string>): string =>
  record.value._tag === "Success" ? record.value.success! : assert.fail("not decoded")

const until = (done: Effect.Effect<boolean>) =>
  done.pipe(
    Effect.repeat({ until: (yes) => yes, schedule: Schedule.spaced(50) }),
    Effect.timeout("2 minutes")
  )

/** Seconds, but where the processor is shared by many. */
const testMs = 300_000

/** How late this process is, altogether: what cannot be asked of what is timed. */
const lateness = Effect.gen(function*() {
  const everyMs = 50
  let lateMs = 0
  yield* Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    yield* Effect.sleep(everyMs)
    lateMs += (yield* Clock.currentTimeMillis) - begin - everyMs
  }).pipe(Effect.forever, Effect.forkScoped)
  return () => lateMs
})

describe("Consumer on a real Kafka", () => {
  it.live("1 at least once: every record in order per partition; a restart goes on where commits left off", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("contract", 4))
      const group = freshGroup("contract")
      yield* produce(topic, 4_000, 4)
      const read = (count: number) =>
        Effect.scoped(Effect.gen(function*() {
          const consumer = yield* Consumer.make({ subscription: Subscription.topics(topic), settings: settings(group) })
          const records = yield* Stream.runCollect(Stream.take(consumer.stream(codecs), count))
          yield* consumer.commitBatch(OffsetBatch.from(records.map(({ offset }) => offset)))
          return records
        }))
      const records = [...yield* read(1_500), ...yield* read(2_500)]
      for (let partition = 0; partition < 4; partition++) {
        assert.deepStrictEqual(
          records.filter(({ record }) => record.partition === partition).map(valueOf),
          Array.from({ length: 1_000 }, (_, i) => String(i * 4 + partition))
        )
      }
    }).pipe(Effect.provide(live())))

  it.live("2 order: what is settled beyond a gap travels in the commit and is not repeated", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("gap", 1))
      const group = freshGroup("gap")
      yield* produce(topic, 20, 1)
      const consumer = Consumer.make({ subscription: Subscription.topics(topic), settings: settings(group) })
      yield* Effect.scoped(Effect.gen(function*() {
        const member = yield* consumer
        const records = yield* Stream.runCollect(Stream.take(member.stream(codecs), 20))
        const settled = records.filter((_, i) => i !== 3 && i !== 11 && i < 17)
        yield* member.commitBatch(OffsetBatch.from(settled.map(({ offset }) => offset)))
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const records = yield* Stream.runCollect(Stream.take((yield* consumer).stream(codecs), 5))
        assert.deepStrictEqual(records.map(valueOf), ["3", "11", "17", "18", "19"])
      }))
    }).pipe(Effect.provide(live())))

  it.live(
    "4 rebalance and 6 shutdown: members come and go under uneven latency; 0 lost, 0 repeated",
    () =>
      Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("rebalance", 6))
        const group = freshGroup("rebalance")
        const total = 3_000
        yield* produce(topic, total, 6)
        const seen = yield* Ref.make<ReadonlyArray<string>>([])
        const join = Effect.gen(function*() {
          const scope = yield* Scope.make()
          const consumer = yield* Scope.provide(
            Consumer.make({
              subscription: Subscription.topics(topic),
              settings: settings(group, { maxPollRecords: 20 })
            }),
            scope
          )
          const reading = consumer.partitionedStream(codecs).pipe(
            Stream.flatMap(([, records]) =>
              Stream.mapEffect(records, (record) =>
                Effect.gen(function*() {
                  yield* Effect.sleep(yield* Random.nextIntBetween(0, 20))
                  yield* Ref.update(seen, (all) => [...all, valueOf(record)])
                  record.offset.settle()
                })), { concurrency: "unbounded" }),
            Stream.runDrain
          )
          yield* Effect.forkIn(reading, scope)
          return scope
        })
        // Each of them comes and goes while the others are at work.
        const more = Effect.gen(function*() {
          const before = (yield* Ref.get(seen)).length
          yield* until(Effect.map(Ref.get(seen), (all) => all.length >= Math.min(before + total / 6, total)))
        })
        const first = yield* join
        yield* more
        const second = yield* join
        yield* more
        const third = yield* join
        yield* more
        yield* Scope.close(second, Exit.void)
        yield* until(Effect.map(Ref.get(seen), (all) => new Set(all).size === total))
        yield* Effect.all([Scope.close(first, Exit.void), Scope.close(third, Exit.void)], { concurrency: 2 })
        const all = yield* Ref.get(seen)
        assert.strictEqual(all.length - new Set(all).size, 0, "repeated")
        const lags = yield* Admin.lag(group, [topic])
        assert.deepStrictEqual(lags.map(({ lag }) => lag), [0n, 0n, 0n, 0n, 0n, 0n])
        const admin = yield* Admin.Admin
        assert.strictEqual((yield* admin.describeGroups([group]))[0]!.members.length, 0)
      }).pipe(Effect.provide(live())),
    testMs
  )

  it.live("3 bounded memory: a slow reader of a large backlog stays within the formula", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("backlog", 8))
      const value = "x".repeat(1_000)
      yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Producer.sendAll(Array.from({ length: 2_000 }, (_, i) => ({ topic, partition: i % 8, value }))), {
        discard: true
      })
      const own = settings(freshGroup("backlog"), {
        maxPollRecords: 10,
        maxPartitionFetchBytes: 100_000,
        fetchMaxBytes: 400_000,
        bufferMaxBytes: 500_000,
        drainTimeoutMs: 0
      })
      yield* Effect.scoped(Effect.gen(function*() {
        const consumer = yield* Consumer.make({ subscription: Subscription.topics(topic), settings: own })
        let most = 0
        const read = yield* consumer.batches.pipe(
          Stream.mapEffect((batch) =>
            Effect.gen(function*() {
              const snapshot = yield* consumer.snapshot
              most = Math.max(
                most,
                snapshot.reduce((sum, partition) =>
                  sum + partition.queuedBytes, 0)
              )
              yield* Effect.sleep(1)
              batch.settleAll()
              return batch.size
            })
          ),
          Stream.scan(() =>
            0, (a, b) => a + b),
          Stream.takeUntil((count) => count >= 20_000),
          Stream.runLast
        )
        assert.strictEqual(read._tag, "Some")
        assert.isAtMost(most, (500_000 + 400_000) * 1.2)
      }))
    }).pipe(Effect.provide(live())), testMs)

  it.live(
    "5 stall: a handler that never returns is told within max_poll_interval_ms plus a second; others go on",
    () =>
      Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("stall", 3))
        const group = freshGroup("stall")
        yield* produce(topic, 300, 3)
        const maxPollIntervalMs = 7_000
        const consumer = yield* Consumer.make({
          subscription: Subscription.topics(topic),
          settings: settings(group, {
            maxPollIntervalMs,
            maxPollRecords: 10,
            drainTimeoutMs: 0
          })
        })
        const done = [0, 0, 0]
        const lateMs = yield* lateness
        let begunAt = 0
        const stalls: Array<{ readonly atMs: number; readonly event: Extract<ConsumerEvent, { _tag: "Stalled" }> }> = []
        const others: Array<string> = []
        yield* Effect.forkChild(Stream.runForEach(consumer.events, (event) =>
          Effect.map(Clock.currentTimeMillis, (atMs) => {
            if (event._tag === "Stalled") stalls.push({ atMs, event })
            if (event._tag === "Lost" || event._tag === "Crashed") others.push(event._tag)
          })))
        const handle = Effect.fn("askTheBank")(function*(partition: number, offset: bigint) {
          if (partition === 1 && offset === 42n) {
            begunAt = yield* Clock.currentTimeMillis
            return yield* Effect.never
          }
          done[partition]!++
        })
        yield* consumer.partitionedStream(codecs).pipe(
          Stream.flatMap(([{ partition }, records]) =>
            Stream.mapEffect(records, (record) =>
              Effect.map(handle(partition, record.record.offset), () => {
                record.offset.settle()
              })), { concurrency: "unbounded" }),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* until(Effect.sync(() =>
          stalls.length > 0
        ))
        const [{ atMs, event }] = stalls as [typeof stalls[number]]
        assert.deepInclude(event, { topic, partition: 1, offset: 42n })
        assert.isAtLeast(event.ageMs, maxPollIntervalMs)
        assert.isAtMost(atMs - begunAt, maxPollIntervalMs + 1_000 + lateMs())
        assert.isTrue(
          event.fiber?.stack.some((frame) =>
            frame.startsWith("askTheBank")
          )
        )
        // The member is alive to the broker, and what comes to the other partitions is processed.
        yield* produce(topic, 30, 3)
        yield* until(Effect.sync(() => done[0] === 110 && done[2] === 110))
        assert.strictEqual(done[1], 42)
        assert.isEmpty(others)
        yield* consumer.flush
        const lags = yield* Admin.lag(group, [topic])
        assert.deepStrictEqual(lags.map(({ lag }) => Number(lag)), [0, 110 - 42, 0])
      }).pipe(Effect.scoped, Effect.provide(live())),
    testMs
  )

  it.live("a pattern picks up topics that appear later", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("pattern", 1))
      yield* produce(topic, 3, 1)
      yield* Effect.scoped(Effect.gen(function*() {
        const consumer = yield* Consumer.make({
          subscription: Subscription.pattern(new RegExp(`${topic}.*`)),
          settings: settings(freshGroup("pattern"), { metadataMaxAgeMs: 500 })
        })
        const fiber = yield* consumer.stream(codecs).pipe(
          Stream.tap((record) => Effect.sync(() => record.offset.settle())),
          Stream.take(5),
          Stream.map(valueOf),
          Stream.runCollect,
          Effect.forkChild
        )
        // It reads before the other topic is there.
        yield* until(Effect.map(consumer.snapshot, (partitions) => partitions.length === 1))
        const admin = yield* Admin.Admin
        yield* admin.createTopics([{ name: `${topic}-2`, partitions: 1 }])
        yield* produce(`${topic}-2`, 2, 1)
        assert.deepStrictEqual(yield* Fiber.join(fiber), ["0", "1", "2", "0", "1"])
      }))
    }).pipe(Effect.provide(live())))

  it.live("7 failure is typed: unreachable brokers, an unknown topic", () =>
    Effect.gen(function*() {
      const failure = (topic: string, options: Parameters<typeof KafkaJs.layer>[0]) =>
        Effect.scoped(Effect.gen(function*() {
          const consumer = yield* Consumer.make({
            subscription: Subscription.topics(topic),
            settings: settings(freshGroup("failure")),
            restart: Schedule.recurs(1)
          })
          return yield* Effect.flip(Stream.runDrain(consumer.stream()))
        })).pipe(Effect.provide(KafkaJs.layer(options)))
      const away = { brokers: ["127.0.0.1:1"], connectionTimeoutMs: 500 }
      assert.strictEqual((yield* failure("any", away))._tag, "ConnectionError")
      const unknown = yield* failure(freshGroup("no-such-topic"), { brokers: brokers() })
      assert.strictEqual(unknown._tag, "UnknownTopicError")
    }), testMs)
})
