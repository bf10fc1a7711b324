/** A broker that crashes and comes back, and one with other settings: on Kafkas of this file's own. */
import { assert, describe, it } from "@effect/vitest"
import * as Consumer from "@weft/kafka/Consumer"
import * as Subscription from "@weft/kafka/Subscription"
import { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { startKafkaInJvm } from "../../../scripts/servers/kafkaInJvm.ts"
import { canHaveKafkaJars, findJava } from "../../../scripts/servers/kafkaJars.ts"
import { freshGroup, freshName } from "../../../test-support/servers.ts"
import { member, producerSettings, records, settings, until, valuesOf } from "./support.ts"

const java = await findJava()

describe.skipIf(java === undefined || !canHaveKafkaJars())("a broker that crashes and comes back", () => {
  it.live(
    "costs the members nothing: no record twice or never, no rebalance, no failure",
    () =>
      Effect.gen(function*() {
        const kafka = yield* Effect.acquireRelease(
          Effect.promise(() => startKafkaInJvm(java!, { nodes: 1, port: undefined })),
          (server) => Effect.promise(() => server.stop())
        )
        yield* Effect.gen(function*() {
          const transport = yield* Transport
          const [topic, group] = [freshName("crash"), freshGroup("crash")]
          yield* (yield* transport.admin).createTopics([{ name: topic, partitions: 2 }])
          const producer = yield* transport.producer(producerSettings)
          const probe = yield* member(topic, group, { with: { sessionTimeoutMs: 120_000 } })
          yield* until(() => probe.held().size === 2)
          const write = Effect.forEach(
            Array.from({ length: 300 }, (_, n) => n),
            (n) =>
              Effect.andThen(
                producer.send([0, 1].map((partition) => ({ topic, partition, records: records(1, n) }))),
                Effect.sleep(5)
              ),
            { discard: true }
          )
          const writing = yield* Effect.forkChild(write)
          yield* until(() => probe.records.length > 20)
          yield* Effect.promise(() => kafka.nodes[0]!.kill())
          yield* Effect.sleep("1 second")
          yield* Effect.promise(() => kafka.nodes[0]!.restart())
          yield* Fiber.join(writing)
          yield* until(() => probe.records.length >= 600)
          const numbers = Array.from({ length: 300 }, (_, n) => n)
          assert.deepStrictEqual([0, 1].map((partition) => valuesOf(probe, partition).map(Number)), [numbers, numbers])
          assert.deepStrictEqual([probe.assignments.length, probe.lost.length, probe.ended()], [1, 0, undefined])
          yield* probe.consumer.commit([{ topic, partition: 0, offset: 300n, metadata: "" }])
          const [committed] = yield* probe.consumer.committed([probe.assignments[0]!.partitions[0]!])
          assert.strictEqual(committed!.offset, 300n)
        }).pipe(Effect.scoped, Effect.provide(KafkaJs.layer({ brokers: kafka.brokers })))
      }).pipe(Effect.scoped),
    300_000
  )
})

describe.skipIf(java === undefined || !canHaveKafkaJars())("a broker that takes little metadata with commits", () => {
  const limit = 100
  it.live(
    "gets the commit all the same, with as much of it as there is room for",
    () =>
      Effect.gen(function*() {
        const kafka = yield* Effect.acquireRelease(
          Effect.promise(() =>
            startKafkaInJvm(java!, { nodes: 1, port: undefined, settings: { "offset.metadata.max.bytes": limit } })
          ),
          (server) => Effect.promise(() => server.stop())
        )
        yield* Effect.gen(function*() {
          const transport = yield* Transport
          const [topic, group] = [freshName("metadata"), freshGroup("metadata")]
          yield* (yield* transport.admin).createTopics([{ name: topic, partitions: 1 }])
          const producer = yield* transport.producer(producerSettings)
          yield* producer.send([{ topic, partition: 0, records: records(2_000) }])
          const join = Consumer.make({
            subscription: Subscription.topics(topic),
            settings: { ...settings(group), drainTimeoutMs: 0 }
          })
          const told: Array<string> = []
          const settled = new Set<bigint>()
          yield* Effect.scoped(Effect.gen(function*() {
            const consumer = yield* join
            yield* Effect.forkChild(
              Stream.runForEach(consumer.events, ({ _tag }) => Effect.sync(() => told.push(_tag)))
            )
            yield* Effect.forkChild(Stream.runForEach(consumer.batches, (batch) =>
              Effect.sync(() => {
                batch.records.forEach(({ offset }, i) => {
                  if (offset % 2n === 1n && batch.settle(i)) settled.add(offset)
                })
              })))
            yield* until(() => told.includes("MetadataLimited"))
            yield* Effect.sleep("1 second")
          }))
          assert.notInclude(told, "CommitFailed")
          assert.lengthOf(told.filter((tag) => tag === "MetadataLimited"), 1)

          const seen = new Set<bigint>()
          yield* Effect.scoped(Effect.gen(function*() {
            const again = yield* join
            yield* Effect.forkChild(Stream.runForEach(again.batches, (batch) =>
              Effect.sync(() => {
                for (const { offset } of batch.records) seen.add(offset)
                batch.settleAll()
              })))
            yield* until(() => seen.has(1_999n))
          }))
          const repeated = [...settled].filter((offset) => seen.has(offset)).length
          assert.strictEqual(seen.size, 2_000 - settled.size + repeated, "nothing is lost")
          assert.isBelow(repeated, settled.size, "what the metadata told is not repeated")
        }).pipe(Effect.scoped, Effect.provide(KafkaJs.layer({ brokers: kafka.brokers })))
      }).pipe(Effect.scoped),
    300_000
  )
})
