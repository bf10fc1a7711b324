/** A row changes the group protocol of members that run: on a real Kafka, one member after the other. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as Codec from "@weft/kafka/Codec"
import type { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import * as Producer from "@weft/kafka/Producer"
import type { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Kafka, logLevel } from "kafkajs"
import { brokers, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"
import { migrated } from "./support/database.ts"
import { until } from "./support/until.ts"

const services = Layer.mergeAll(
  // Without polls, a reading that a busy machine was too slow for would be the last one.
  PostgresConfigStore.layerWith({
    pollInterval: "1 hour",
    queryTimeout: "30 seconds",
    lastKnownGood: LastKnownGood.layerNone
  }),
  PostgresAppliedConfigs.layer,
  PostgresRejoinTurns.layer,
  MetricsSink.layerNone
)

const on = (transport: Layer.Layer<Transport, unknown>) =>
  Layer.provideMerge(
    services,
    Layer.merge(migrated, Layer.provideMerge(Producer.layer(), transport))
  )

/** Two members of one group, and what they did. */
const scene = Effect.fnUntraced(function*(about: string) {
  const sql = yield* PgClient.PgClient
  const producer = yield* Producer.Producer
  const topic = yield* Effect.promise(() => freshTopic(about, 4))
  const [service, group] = [freshName(about), freshGroup(about)]
  yield* sql`INSERT INTO pipeline_consumer_configs (service_name, consumer_group_id, session_timeout_ms)
    VALUES (${service}, ${group}, 10000)`
  const done = new Map<string, number>()
  const events: Array<ConsumerEvent> = []
  const member = Effect.gen(function*() {
    const pipeline = yield* Pipeline.startWithin(Pipeline.make({
      service,
      topics: [topic],
      value: Codec.string,
      process: (record) =>
        Effect.suspend(() => {
          const place = `${record.partition}@${record.offset}`
          done.set(place, (done.get(place) ?? 0) + 1)
          return Effect.sleep("2 millis")
        })
    }))
    yield* Effect.forkScoped(Stream.runForEach(pipeline.consumer.events, (event) =>
      Effect.sync(() => {
        events.push(event)
      })))
    return pipeline
  })
  const members = [yield* member, yield* member] as const
  return {
    done,
    events,
    produce: (count: number) =>
      producer.sendAll(Array.from({ length: count }, (_, n) => ({ topic, partition: n % 4, value: String(n) }))),
    set: (columns: Record<string, unknown>) =>
      sql`UPDATE pipeline_consumer_configs SET ${sql.update(columns)} WHERE service_name = ${service}`,
    applied: (protocol: string) =>
      Effect.map(
        sql`SELECT 1 FROM consumer_applied_configs WHERE service_name = ${service}
          AND configuration #>> '{settings,group_protocol,value}' = ${protocol}`,
        ({ length }) => length === 2
      ),
    speak: (protocol: string) =>
      Effect.map(
        Effect.forEach(members, ({ consumer }) => consumer.settings),
        (all) => all.every(({ groupProtocol }) => groupProtocol === protocol)
      ),
    sharedOut: Effect.map(
      Effect.forEach(members, ({ consumer }) => consumer.snapshot),
      (all) => all.every(({ length }) => length === 2)
    ),
    stateInClassic: Effect.promise(async () => {
      const admin = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      const { groups: [described] } = await admin.describeGroups([group])
      await admin.disconnect()
      return described!.state
    })
  }
})

describe("group_protocol of a row, changed while two members run", () => {
  it.live(
    "on @platformatic/kafka they go over to KIP-848's and back, one after the other; nothing is lost or repeated",
    () =>
      Effect.gen(function*() {
        const { applied, done, events, produce, set, sharedOut, speak, stateInClassic } = yield* scene("protocol")
        const total = 3 * 1_200
        yield* produce(1_200)
        yield* until("both at work", sharedOut)
        const states = { consumer: "Dead", classic: "Stable" } as const
        for (const protocol of ["consumer", "classic"] as const) {
          yield* set({ group_protocol: protocol })
          yield* until(`both speak ${protocol}`, speak(protocol))
          yield* produce(1_200)
          yield* until(`both say that they run with ${protocol}`, applied(protocol))
          yield* until("both at work again", sharedOut)
          // To whoever asks about classic groups, one of KIP-848's protocol is dead.
          yield* until(`a group of ${protocol}`, Effect.map(stateInClassic, (is) => is === states[protocol]))
        }
        yield* until("the last record", Effect.sync(() => done.size === total))
        assert.deepStrictEqual([...new Set(done.values())], [1])
        assert.deepStrictEqual(
          events.filter(({ _tag }) => ["Lost", "Crashed", "SettingsRefused"].includes(_tag)).map(({ _tag }) => _tag),
          []
        )
      }).pipe(Effect.scoped, Effect.provide(Layer.suspend(() => on(Platformatic.layer({ brokers: brokers() }))))),
    600_000
  )

  it.live("on kafkajs they say that they go on with classic, and nothing stops", () =>
    Effect.gen(function*() {
      const { applied, done, events, produce, set, sharedOut } = yield* scene("protocol-kafkajs")
      yield* produce(400)
      yield* until("both at work", sharedOut)
      yield* set({ group_protocol: "consumer" })
      yield* until("both have taken it over", applied("consumer"))
      yield* until("both at work again", sharedOut)
      yield* produce(400)
      yield* until("the last record", Effect.sync(() => done.size === 800))
      assert.deepStrictEqual([...new Set(done.values())], [1])
      const adapted = events.flatMap((event) => event._tag === "SettingAdapted" ? [event.warning] : [])
      assert.deepStrictEqual(adapted.map(({ setting, value }) => [setting, value]), [
        ["groupProtocol", "consumer"],
        ["groupProtocol", "consumer"]
      ])
      assert.match(adapted[0]!.instead, /^classic/)
    }).pipe(Effect.scoped, Effect.provide(Layer.suspend(() => on(KafkaJs.layer({ brokers: brokers() }))))), 600_000)
})
