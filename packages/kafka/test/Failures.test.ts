import { assert, describe, it } from "@effect/vitest"
import { Transport } from "../src/Transport.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Consumer from "../src/Consumer.ts"
import type { FetchedBatch } from "../src/FetchedBatch.ts"
import type { KafkaError } from "../src/KafkaError.ts"
import * as Subscription from "../src/Subscription.ts"
import { advance, collectEvents, committedOf, member, settings, untilDone, withCluster } from "./fixtures.ts"

describe("a client library", () => {
  it.effect("5 stall: that never joins is replaced", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        let made = 0
        const stuck: Transport["Service"] = {
          ...cluster.transport,
          consumer: (options) =>
            Effect.map(cluster.transport.consumer(options), (one) => made++ === 0 ? { ...one, run: Effect.never } : one)
        }
        const consumer = yield* Effect.provideService(
          member({ sessionTimeoutMs: 10_000, maxPollIntervalMs: 30_000 }),
          Transport,
          stuck
        )
        const events = yield* collectEvents(consumer)
        const fiber = yield* Effect.forkChild(consumer.stream().pipe(Stream.take(3), Stream.runCollect))
        yield* untilDone(fiber, 60_000)
        const crash = (yield* Ref.get(events)).find((event) => event._tag === "Crashed")
        assert.deepInclude(crash?.error, { _tag: "TransportError", reason: "silent" })
      })))

  it.effect("5 stall: that is a member and gets no fetch answered is replaced; a slow handler is no such thing", () =>
    withCluster({ records: 300 }, (cluster) =>
      Effect.gen(function*() {
        let made = 0
        const deaf: Transport["Service"] = {
          ...cluster.transport,
          consumer: (options) => {
            const isDeaf = made++ === 0
            const handler = {
              ...options.handler,
              onBatch: (batch: FetchedBatch) => isDeaf ? undefined : options.handler.onBatch(batch),
              onAlive: (sign: "fetch" | "heartbeat") =>
                isDeaf && sign === "fetch" ? undefined : options.handler.onAlive(sign)
            }
            return cluster.transport.consumer({ ...options, handler })
          }
        }
        const consumer = yield* Effect.provideService(
          member({
            sessionTimeoutMs: 10_000,
            maxPollIntervalMs: 30_000,
            maxPollRecords: 1,
            queueMaxRecords: 10,
            drainTimeoutMs: 0
          }),
          Transport,
          deaf
        )
        const events = yield* collectEvents(consumer)
        const crashes = Effect.map(Ref.get(events), (all) => all.filter((event) => event._tag === "Crashed"))
        let done = 0
        // Slower than the watchdog's patience for all that the queue holds.
        yield* Effect.forkChild(Stream.runForEach(consumer.batches, (batch) =>
          Effect.map(Effect.sleep(done === 0 ? 1 : 20_000), () => {
            done++
            batch.settleAll()
          })))
        yield* advance(35_000, 500)
        assert.isEmpty(yield* crashes)
        yield* advance(10_000, 500)
        const [crash] = yield* crashes
        assert.deepInclude(crash?._tag === "Crashed" ? crash.error : {}, { _tag: "TransportError", reason: "silent" })
        yield* advance(300_000, 500)
        assert.isAbove(done, 10)
        assert.lengthOf(yield* crashes, 1)
      })))

  for (const what of ["consumer", "committed", "listOffsets", "commit", "start"] as const) {
    it.effect(`7 failure is typed: that dies in ${what} is replaced, and never leaves a consumer that only looks alive`, () =>
      withCluster({ records: 3 }, (cluster) =>
        Effect.gen(function*() {
          let lives = 1
          const dying = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
            Effect.suspend(() => name === what && lives-- > 0 ? Effect.die(new Error("a bug")) : effect)
          const mortal: Transport["Service"] = {
            ...cluster.transport,
            consumer: (options) =>
              dying(
                "consumer",
                Effect.map(cluster.transport.consumer(options), (one) => ({
                  ...one,
                  commit: (offsets) => dying("commit", one.commit(offsets)),
                  committed: (partitions) => dying("committed", one.committed(partitions)),
                  listOffsets: (partitions, at) => dying("listOffsets", one.listOffsets(partitions, at)),
                  start: (positions) => {
                    if (what === "start" && lives-- > 0) throw new Error("a bug")
                    one.start(positions)
                  }
                }))
              )
          }
          const crashes: Array<KafkaError> = []
          const consumer = yield* Consumer.make({
            subscription: Subscription.topics("in"),
            settings: settings(),
            onEvent: (event) => void (event._tag === "Crashed" && crashes.push(event.error))
          }).pipe(Effect.provideService(Transport, mortal))
          yield* Effect.forkChild(
            Stream.runForEach(consumer.batches, (batch) => Effect.sync(() => batch.settleAll()))
          )
          yield* advance(30_000)
          assert.lengthOf(crashes, 1)
          assert.deepInclude(crashes[0], { _tag: "TransportError", reason: "defect" })
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 3 })
        })))
  }

  it.effect("7 failure is typed: that joins and dies, again and again, is given up", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* Consumer.make({
          subscription: Subscription.topics("in"),
          settings: settings({ sessionTimeoutMs: 10_000, drainTimeoutMs: 0 }),
          restart: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 5 }))
        })
        const fiber = yield* Effect.forkChild(Effect.flip(Stream.runDrain(consumer.stream())))
        for (let i = 0; i < 6; i++) {
          yield* advance(15_000)
          yield* cluster.crash({ groupId: "group" })
        }
        yield* advance(1_000)
        assert.strictEqual((yield* untilDone(fiber, 1_000))._tag, "TransportError")
      })))

  it.effect("7 failure is typed: that dies once a day is not given up", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const consumer = yield* Consumer.make({
          subscription: Subscription.topics("in"),
          settings: settings({ sessionTimeoutMs: 10_000, drainTimeoutMs: 0 }),
          restart: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))
        })
        const fiber = yield* Effect.forkChild(Effect.flip(Stream.runDrain(consumer.stream())))
        for (let i = 0; i < 5; i++) {
          yield* advance(120_000, 1_000)
          yield* cluster.crash({ groupId: "group" })
        }
        yield* advance(20_000)
        assert.isUndefined(fiber.pollUnsafe())
        assert.lengthOf(yield* cluster.members, 1)
      })))
})

describe("a shutdown", () => {
  it.effect("does not wait for brokers that do not tell which topics match", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        const silent: Transport["Service"] = { ...cluster.transport, admin: Effect.never }
        const scope = yield* Scope.make()
        yield* member({}, Subscription.pattern(/in.*/)).pipe(
          Effect.provideService(Transport, silent),
          Scope.provide(scope)
        )
        yield* advance(1_000)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* advance(1_000)
        assert.isDefined(closing.pollUnsafe())
      })))
})
