/** A broker that is frozen keeps its connections and says nothing: on both transports, and three brokers of this file's own. */
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Probe from "@weft/testing/Probe"
import * as Effect from "effect/Effect"
import { startKafkaInJvm } from "../../../scripts/servers/kafkaInJvm.ts"
import { canHaveKafkaJars, findJava } from "../../../scripts/servers/kafkaJars.ts"
import { freshGroup, freshName } from "../../../test-support/servers.ts"
import { producerSettings } from "./support/secured.ts"

const java = await findJava()

const transports = { kafkajs: KafkaJs.layer, platformatic: Platformatic.layer }

const partitions = [0, 1, 2]

/** Well below the request timeout of a consumer, which is five minutes. */
const withinMs = 90_000

const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let ms = 0; ms < withinMs; ms += 50) {
      if (holds()) return
      yield* Effect.sleep(50)
    }
    assert.fail(`it never came to ${what}`)
  })

describe.skipIf(java === undefined || !canHaveKafkaJars())("a broker that is frozen", () => {
  for (const [name, layer] of Object.entries(transports)) {
    it.live(
      `holds up neither what others know nor what others lead by then: ${name}`,
      () =>
        Effect.gen(function*() {
          const kafka = yield* Effect.acquireRelease(
            Effect.promise(() => startKafkaInJvm(java!, { nodes: 3, port: undefined })),
            (server) => Effect.promise(() => server.stop())
          )
          yield* Effect.gen(function*() {
            const transport = yield* Transport
            const topic = freshName("frozen")
            const admin = yield* transport.admin
            yield* admin.createTopics([{ name: topic, partitions: partitions.length, replicationFactor: 3 }])
            const producer = yield* transport.producer({ ...producerSettings, deliveryTimeoutMs: 80_000 })
            const write = (value: string) =>
              producer.send(
                partitions.map((partition) => ({
                  topic,
                  partition,
                  records: [{ key: null, value: Buffer.from(value), headers: [] }]
                }))
              )
            const probe = yield* Probe.open({
              subscription: { _tag: "Topics", topics: [topic] },
              settings: Settings.make({ groupId: freshGroup("frozen"), sessionTimeoutMs: 60_000 })
            })
            // Two of the brokers hear of the topic a moment after the one that was asked.
            yield* Effect.retry(write("before"), { while: ({ _tag }) => _tag === "UnknownTopicError" })
            yield* until("a record of each partition", () => probe.records.length === 3)
            const [description] = yield* admin.describeTopics([topic])
            const leaders = new Set(description!.partitions.map(({ leader }) => leader))
            // The one that was asked first, as far as that can be known, unless it was too busy to become a leader.
            const frozen = kafka.nodes.find(({ id }) => leaders.has(id))
            process.kill(frozen!.pid!, "SIGSTOP")
            const [listed] = yield* Effect.timed(admin.listTopics)
            yield* Effect.logInfo(`${name}: topics listed after ${String(listed)}`)
            yield* write("after")
            yield* until("a record of each partition again", () => probe.records.length >= 6)
            const [again] = yield* Effect.timed(admin.listTopics)
            yield* Effect.logInfo(`${name}: topics listed after ${String(again)}`)
            assert.isUndefined(probe.ended())
          }).pipe(Effect.scoped, Effect.timeout(2 * withinMs), Effect.provide(layer({ brokers: kafka.brokers })))
        }).pipe(Effect.scoped),
      300_000
    )
  }
})
