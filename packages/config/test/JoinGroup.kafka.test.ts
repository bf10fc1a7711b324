/** Whatever a row holds, a real broker takes the member that runs with what became of it. */
import { assert, describe, it } from "@effect/vitest"
import { toConsumerSettings } from "@weft/config/ConsumerConfig"
import * as Resolution from "@weft/config/Resolution"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { Kafka, logLevel } from "kafkajs"
import { brokers, freshName, freshTopic } from "../../../test-support/servers.ts"
import { environments, namedProfile, plausibleColumns, profiles, programs, tables } from "./arbitraries.ts"

const members = 40

/** Given, a failure is repeated by it. */
const seed = Number(process.env["WEFT_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

const scenes = () =>
  fc.sample(
    fc.record({
      columns: fc.tuple(plausibleColumns, namedProfile).map(([row, named]) => ({ ...row, ...named })),
      profile: profiles,
      environment: environments,
      table: tables,
      program: programs
    }),
    { seed, numRuns: members }
  )

/** Joins a group of its own, answers with what it was assigned, and leaves. */
const join = (topic: string, settings: ConsumerSettings.ConsumerSettings) =>
  Effect.scoped(Effect.gen(function*() {
    const met = yield* Deferred.make<string>()
    yield* Consumer.make({
      subscription: Subscription.topics(topic),
      settings,
      onEvent: ({ _tag }) => {
        if (_tag === "Assigned" || _tag === "SettingsRefused" || _tag === "Crashed") {
          Deferred.doneUnsafe(met, Effect.succeed(_tag))
        }
      }
    })
    return yield* Effect.timeout(Deferred.await(met), "100 seconds")
  }))

const removeGroups = async (groups: ReadonlyArray<string>) => {
  const admin = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.deleteGroups([...groups]).catch(() => undefined)
  await admin.disconnect()
}

const transports = { kafkajs: KafkaJs.layer, platformatic: Platformatic.layer } as const

// Only the second speaks what a random group_protocol may ask for.
describe.each(["kafkajs", "platformatic"] as const)("a real broker's coordinator, by %s", (transport) => {
  it.live(`takes each of ${members} members with random configurations`, () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("join"))
      const prefix = freshName("join-group")
      const groups: Array<string> = []
      let refused = 0
      // A broker without groups first makes the topic of their offsets, and refuses each for so long: who has a long
      // retry_backoff_ms would wait for that.
      yield* join(topic, ConsumerSettings.make({ groupId: prefix }))
      groups.push(prefix)
      yield* Effect.forEach(
        scenes(),
        Effect.fnUntraced(function*({ columns, environment, profile, program, table }, i) {
          const resolved = Resolution.resolve({
            service: `${prefix}-${i}`,
            row: { _tag: "Row", columns, table },
            profile,
            environment,
            ...program
          })
          refused += resolved.issues.filter((issue) => "setting" in issue).length
          const settings = ConsumerSettings.make({
            ...toConsumerSettings(resolved.config, "host"),
            // Members of one group would wait for each other: names that came out equal are kept apart.
            groupId: `${resolved.config.consumerGroupId.slice(0, 200)}-${prefix}-${i}`,
            clientId: prefix
          })
          groups.push(settings.groupId)
          const met = yield* Effect.catchCause(join(topic, settings), (cause) => Effect.succeed(String(cause)))
          assert.strictEqual(met, "Assigned", `WEFT_TEST_SEED=${seed}, member ${i}: ${JSON.stringify(settings)}`)
        }),
        { concurrency: 8 }
      ).pipe(Effect.ensuring(Effect.promise(() => removeGroups(groups))))
      // The rows were no harmless ones.
      assert.isAbove(refused, members)
    }).pipe(Effect.provide(Layer.suspend(() => transports[transport]({ brokers: brokers() })))), 600_000)
})
