/** A broker that crashes and comes back, on a Kafka of this file's own. */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { startKafkaInJvm } from "../../../scripts/servers/kafkaInJvm.ts"
import { canHaveKafkaJars, findJava } from "../../../scripts/servers/kafkaJars.ts"
import { freshGroup, freshName } from "../../../test-support/servers.ts"
import { member, producerSettings, records, until, valuesOf } from "./support.ts"

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
          const probe = yield* member(topic, group, { with: { sessionTimeoutMs: 30_000 } })
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
    90_000
  )
})
