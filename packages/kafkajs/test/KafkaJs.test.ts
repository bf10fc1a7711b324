import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import { Transport, type TransportHandler } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createServer } from "node:net"

const fromEnvironment = (env: Readonly<Record<string, string>>) =>
  Effect.flip(Effect.provide(Effect.asVoid(Transport), KafkaJs.layerConfig)).pipe(
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
  )

const handler: TransportHandler = {
  onBatch: () => undefined,
  onAssignment: () => [],
  beforeRevoke: () => Effect.void,
  onLost: () => undefined,
  onOutOfRange: () => undefined,
  onAlive: () => undefined
}

/** Nothing listens there: one that was found free may be somebody else's by now. */
const closed = ["127.0.0.1:1", "127.0.0.1:2"]

/** Takes connections, and never says a word. */
const silentPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<{ destroy: () => void }>()
    const server = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      resume(Effect.succeed({
        port,
        close: () => {
          sockets.forEach((socket) => socket.destroy())
          server.close()
        }
      }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const quiet = Logger.layer([])

const consumerOf = Effect.gen(function*() {
  const transport = yield* Transport
  const consumer = yield* transport.consumer({
    subscription: { _tag: "Topics", topics: ["t"] },
    settings: Settings.make({ groupId: "g", reconnectBackoffMs: 20 }),
    handler
  })
  return yield* Effect.flip(consumer.run)
})

const producerSettings = {
  clientId: "p",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 20,
  deliveryTimeoutMs: 60_000
} as const

describe("layerConfig", () => {
  const refusals: ReadonlyArray<readonly [Readonly<Record<string, string>>, string, RegExp]> = [
    [{}, "KAFKA_BROKERS", /is not set/],
    [{ KAFKA_BROKERS: " , " }, "KAFKA_BROKERS", /names no broker/],
    [{ KAFKA_BROKERS: "localhost" }, "KAFKA_BROKERS", /host:port/],
    [{ KAFKA_BROKERS: "localhost:9092,kafka://b:9092" }, "KAFKA_BROKERS", /kafka:\/\/b:9092/],
    [{ KAFKA_BROKERS: "localhost:99999" }, "KAFKA_BROKERS", /host:port/],
    [{ KAFKA_BROKERS: "b:1", KAFKA_SSL: "maybe" }, "KAFKA_SSL", /neither true nor false/],
    [{ KAFKA_BROKERS: "b:1", KAFKA_SASL_MECHANISM: "gssapi" }, "KAFKA_SASL_MECHANISM", /scram-sha-512/],
    [{ KAFKA_BROKERS: "b:1", KAFKA_SASL_USERNAME: "u" }, "KAFKA_SASL_MECHANISM", /KAFKA_SASL_USERNAME is/],
    [{ KAFKA_BROKERS: "b:1", KAFKA_SASL_MECHANISM: "plain" }, "KAFKA_SASL_USERNAME", /is not set/],
    [
      { KAFKA_BROKERS: "b:1", KAFKA_SASL_MECHANISM: "PLAIN", KAFKA_SASL_USERNAME: "u" },
      "KAFKA_SASL_PASSWORD",
      /is not set/
    ]
  ]
  for (const [env, setting, message] of refusals) {
    it.effect(`${JSON.stringify(env)} fails with an error that names ${setting}`, () =>
      Effect.gen(function*() {
        const error = yield* fromEnvironment(env)
        assert.strictEqual(error._tag, "InvalidSettingError")
        assert.strictEqual(error.setting, setting)
        assert.match(error.message, message)
      }))
  }

  it.effect("a password is in no error", () =>
    Effect.gen(function*() {
      const error = yield* fromEnvironment({ KAFKA_BROKERS: "b:1", KAFKA_SASL_PASSWORD: "secret" })
      assert.notInclude(JSON.stringify(error) + error.message, "secret")
    }))

  it.effect("all that is needed makes a transport, and connects to nothing", () =>
    Effect.gen(function*() {
      const { name } = yield* Transport
      assert.strictEqual(name, "kafkajs")
    }).pipe(
      Effect.provide(KafkaJs.layerConfig.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({
        env: {
          KAFKA_BROKERS: "nowhere.invalid:9092, other.invalid:9093",
          KAFKA_SSL: "true",
          KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
          KAFKA_SASL_USERNAME: "u",
          KAFKA_SASL_PASSWORD: "p"
        }
      })))))
    ))
})

describe("brokers that cannot be reached", () => {
  it.live("a consumer fails with the addresses, soon", () =>
    Effect.gen(function*() {
      const error = yield* Effect.scoped(consumerOf).pipe(
        Effect.provide([KafkaJs.layer({ brokers: closed }), quiet]),
        Effect.timeout("30 seconds")
      )
      assert.strictEqual(error._tag, "ConnectionError")
      assert.include(error.message, closed.join(", "))
    }))

  it.live("a producer and an admin request too", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const producer = yield* transport.producer(producerSettings)
      const sent = yield* Effect.flip(
        producer.send([{ topic: "t", partition: 0, records: [{ key: null, value: null, headers: [] }] }])
      )
      assert.strictEqual(sent._tag, "ConnectionError")
      assert.strictEqual((yield* Effect.flip(producer.partitionCount("t")))._tag, "ConnectionError")
      const admin = yield* transport.admin
      assert.strictEqual((yield* Effect.flip(admin.listTopics))._tag, "ConnectionError")
      assert.strictEqual((yield* Effect.flip(admin.describeGroups(["g"])))._tag, "ConnectionError")
    }).pipe(
      Effect.scoped,
      Effect.provide([KafkaJs.layer({ brokers: closed.slice(0, 1) }), quiet]),
      Effect.timeout("30 seconds")
    ))

  it.live("a server that says nothing is no broker", () =>
    Effect.gen(function*() {
      const { port } = yield* silentPort
      const error = yield* Effect.scoped(consumerOf).pipe(
        Effect.provide([
          KafkaJs.layer({ brokers: [`127.0.0.1:${port}`], connectionTimeoutMs: 300, authenticationTimeoutMs: 300 }),
          quiet
        ]),
        Effect.timeout("30 seconds")
      )
      assert.strictEqual(error._tag, "ConnectionError")
    }).pipe(Effect.scoped))

  it.live("settings that contradict each other are refused before anything connects", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const settings = Settings.make({ groupId: "g", heartbeatIntervalMs: 10, sessionTimeoutMs: 10 })
      const error = yield* Effect.flip(
        transport.consumer({ subscription: { _tag: "Topics", topics: ["t"] }, settings, handler })
      )
      assert.strictEqual(error._tag, "InvalidSettingError")
      const refused = yield* Effect.flip(transport.producer({ ...producerSettings, acks: 1 }))
      assert.strictEqual(refused._tag, "InvalidSettingError")
    }).pipe(Effect.scoped, Effect.provide(KafkaJs.layer({ brokers: ["nowhere.invalid:1"] }))))
})
