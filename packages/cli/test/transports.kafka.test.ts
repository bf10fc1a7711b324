/** The client library is chosen on the command line or by the environment, and need not be installed. */
import { assert, describe, it } from "@effect/vitest"
import * as Backends from "@weft/cli/Backends"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Producer from "@weft/kafka/Producer"
import * as Subscription from "@weft/kafka/Subscription"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { run, timeout } from "./support/process.ts"
import { weft } from "./support/weft.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

const named = (env: Readonly<Record<string, string>>) =>
  Layer.merge(
    Backends.layer,
    Layer.succeed(
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromEnv({ env: { KAFKA_BROKERS: brokers().join(","), ...env } })
    )
  )

const parsed = Effect.fnUntraced(function*(line: string, transport = "platformatic") {
  const { code, err, out } = yield* weft(`${line} --json --transport ${transport}`)
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as unknown
})

const until = Effect.fnUntraced(function*<E, R>(what: string, isTrue: Effect.Effect<boolean, E, R>) {
  for (let i = 0; i < 1_200; i++) {
    if (yield* isTrue) return
    yield* Effect.sleep("100 millis")
  }
  assert.fail(`it never came to ${what}`)
})

const platformatic = Layer.suspend(() => Platformatic.layer({ brokers: brokers() }))

describe("weft by @platformatic/kafka", { timeout }, () => {
  it.live("shows the members of a group that speaks KIP-848's protocol, and moves it when they are gone", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("cli-kip848", 2))
      const group = freshGroup("cli-kip848")
      const described = Effect.map(
        parsed(`groups describe ${group}`),
        (answer) =>
          answer as { readonly state: string; readonly members: ReadonlyArray<{ readonly assignment: unknown }> }
      )
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.provide(
          Producer.sendAll([0, 1].map((partition) => ({ topic, partition, value: "v" }))),
          Producer.layer()
        )
        const consumer = yield* Consumer.make({
          subscription: Subscription.topics(topic),
          settings: ConsumerSettings.make({ groupId: group, groupProtocol: "consumer", clientId: "member" })
        })
        yield* until("both partitions", Effect.map(consumer.snapshot, ({ length }) => length === 2))
        yield* until("a stable group", Effect.map(described, ({ state }) => state === "Stable"))
        assert.deepStrictEqual((yield* described).members.map(({ assignment }) => assignment), [[
          { topic, partition: 0 },
          { topic, partition: 1 }
        ]])
        assert.deepStrictEqual(yield* parsed(`groups describe ${group}`, "kafkajs"), yield* described)
        const reset = yield* weft(
          `groups reset ${group} --to latest --topic ${topic} --execute --transport platformatic`
        )
        assert.strictEqual(reset.code, 5)
        assert.include(reset.err, "stop all members")
      }))
      yield* until("an empty group", Effect.map(described, ({ state }) => state === "Empty"))
      const reset = yield* weft(`groups reset ${group} --to latest --topic ${topic} --execute --transport platformatic`)
      assert.strictEqual(reset.code, 0, reset.err)
      assert.deepInclude(yield* parsed(`lag ${group}`), { group })
      assert.include((yield* weft(`lag ${group} --transport platformatic`)).out, "nothing to catch up on")
    }).pipe(Effect.provide([named({}), platformatic])))

  it.live("reads dead letters", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("cli-letters", 1))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.provide(Producer.sendOne({ topic, value: "poison" }), Producer.layer())
        const running = yield* Pipeline.startWithin(Pipeline.make({
          service: topic,
          topics: [topic],
          value: Codec.string,
          process: () => Effect.fail(new Refused({ message: "not this one" }))
        }))
        yield* until("a dead letter", Effect.map(running.totals, ({ deadLetters }) => deadLetters === 1))
      })).pipe(Effect.provide([ConfigStore.layerStatic(), MetricsSink.layerNone]))
      const listed = yield* parsed("dlq list")
      assert.deepInclude(listed as ReadonlyArray<unknown>, { topic: `${topic}.dlq`, records: 1 })
      const [shown] = (yield* parsed(`dlq show ${topic}.dlq`)) as ReadonlyArray<{ readonly failure: unknown }>
      assert.deepInclude(shown!.failure, { exception: "Refused", message: "not this one" })
      const { code, out } = yield* weft(`monitor --once --group ${topic}-consumer-group --transport platformatic`)
      assert.strictEqual(code, 0)
      assert.include(out, topic)
    }).pipe(Effect.provide([named({}), platformatic])))
})

describe("the choice of the client library", { timeout }, () => {
  it.live("a name that is none is told before anything connects", () =>
    Effect.gen(function*() {
      const flag = yield* weft("topics list --transport librdkafka")
      assert.deepStrictEqual([flag.code, flag.out], [2, ""])
      assert.include(flag.err, "librdkafka")
      const variable = yield* weft("topics list")
      assert.strictEqual(variable.code, 2)
      assert.include(variable.err, "KAFKA_TRANSPORT: rdkafka is none of kafkajs, platformatic")
      // The command line comes before the environment.
      assert.strictEqual((yield* weft("topics list --transport kafkajs")).code, 0)
    }).pipe(Effect.provide(named({ KAFKA_TRANSPORT: "rdkafka" }))))

  it("one that is not installed says what to install", async () => {
    const without = fileURLToPath(new URL("../../../test-support/withoutPlatformatic.mjs", import.meta.url))
    const env = { KAFKA_BROKERS: brokers().join(","), NODE_OPTIONS: `--import=${without}` }
    const missing = await run(["topics", "list", "--transport", "platformatic"], env)
    assert.deepStrictEqual([missing.code, missing.out], [2, ""])
    assert.include(missing.err, "npm install @weft/platformatic")
    assert.strictEqual((await run(["topics", "list"], env)).code, 0)
  })
})
