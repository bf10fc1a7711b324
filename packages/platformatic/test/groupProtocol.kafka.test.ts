/** Members of which some speak the protocol of KIP-848, some the classic one, on brokers that allow it and on others. */
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import { Transport, type SettingWarning } from "@weft/kafka/Transport"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Probe from "@weft/testing/Probe"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { findKafka } from "../../../scripts/servers/kafka.ts"
import { startKafkaInJvm } from "../../../scripts/servers/kafkaInJvm.ts"
import { brokers, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"

const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let i = 0; i < 4_500; i++) {
      if (holds()) return
      yield* Effect.sleep(20)
    }
    assert.fail(`it never came to ${what}`)
  })

const settingsOf = (groupId: string, over: Partial<Settings.ConsumerSettings>) =>
  Settings.make({
    groupId,
    // A busy machine does not end it by itself.
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 300,
    maxPollIntervalMs: 20_000,
    fetchMaxWaitMs: 200,
    ...over
  })

/** What members are told that the cluster does not have. */
const listening = (heard: Array<SettingWarning>) =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport): Transport["Service"] => ({
      ...transport,
      consumer: ({ handler, ...options }) =>
        transport.consumer({ ...options, handler: { ...handler, onAdapted: (warning) => void heard.push(warning) } })
    }))
  )

const member = (topic: string, settings: Settings.ConsumerSettings) =>
  Probe.open({ subscription: { _tag: "Topics", topics: [topic] }, settings })

describe("a group whose members change their protocol one by one", () => {
  it.live(
    "goes from classic to KIP-848's and back, and each partition has one owner",
    () =>
      Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("migrating", 4, {}))
        const group = freshGroup("migrating")
        const heard: Array<SettingWarning> = []
        const join = (groupProtocol: Settings.GroupProtocol) =>
          Effect.gen(function*() {
            const scope = yield* Scope.fork(yield* Scope.Scope)
            const probe = yield* Scope.provide(member(topic, settingsOf(group, { groupProtocol })), scope)
            return { probe, leave: Scope.close(scope, Exit.void) }
          })
        const share = (...members: ReadonlyArray<Probe.Probe>) =>
          until(`${members.length} members share the partitions`, () => {
            const held = members.map((probe) => probe.held())
            return held.every(({ size }) => size > 0) && held.reduce((sum, { size }) => sum + size, 0) === 4 &&
              new Set(held.flatMap((keys) => [...keys])).size === 4
          })
        yield* Effect.gen(function*() {
          const first = yield* join("classic")
          const second = yield* join("classic")
          yield* share(first.probe, second.probe)
          yield* first.leave
          const third = yield* join("consumer")
          yield* share(second.probe, third.probe)
          yield* second.leave
          const fourth = yield* join("consumer")
          yield* share(third.probe, fourth.probe)
          yield* third.leave
          const fifth = yield* join("classic")
          yield* share(fourth.probe, fifth.probe)
          for (const { probe } of [first, second, third, fourth, fifth]) {
            assert.deepStrictEqual([probe.lost, probe.violations], [[], []])
          }
          assert.deepStrictEqual([fourth.probe.ended(), fifth.probe.ended()], [undefined, undefined])
        }).pipe(Effect.provide(Layer.provide(listening(heard), Platformatic.layer({ brokers: brokers() }))))
        assert.deepStrictEqual(heard, [])
      }).pipe(Effect.scoped),
    240_000
  )

  it.live(
    "a classic member that is a generation behind may commit while the group is KIP-848's, and not once it is classic again",
    () =>
      Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("behind", 2, {}))
        const group = freshGroup("behind")
        // By its heartbeats it would hear of the others much later.
        const slow = settingsOf(group, { heartbeatIntervalMs: 60_000, sessionTimeoutMs: 200_000 })
        const first = yield* member(topic, slow)
        yield* until("the first assignment", () => first.held().size === 2)
        const commit = (offset: bigint) =>
          Effect.result(first.consumer.commit([{ topic, partition: 0, offset, metadata: "" }]))
        const scope = yield* Scope.make()
        const other = yield* Scope.provide(member(topic, settingsOf(group, { groupProtocol: "consumer" })), scope)
        yield* until("a group that is KIP-848's", () => other.assignments.length > 0)
        const converted = yield* commit(0n)
        yield* Scope.close(scope, Exit.void)
        const again = yield* commit(0n)
        assert.deepStrictEqual(
          [
            converted._tag,
            again._tag,
            again._tag === "Failure" && again.failure._tag === "CommitError" && again.failure.code
          ],
          ["Success", "Failure", "ILLEGAL_GENERATION"]
        )
        assert.deepStrictEqual(first.lost.map(({ length }) => length), [2])
        yield* until("the partitions in a generation of the classic group", () => first.held().size === 2)
        assert.deepStrictEqual([first.ended(), first.violations], [undefined, []])
      }).pipe(Effect.provide(Platformatic.layer({ brokers: brokers() })), Effect.scoped),
    240_000
  )

  it.live(
    "a static member that changes its protocol keeps its place for nobody",
    () =>
      Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("static-change", 2, {}))
        const group = freshGroup("static-change")
        const before = settingsOf(group, { groupInstanceId: "one", sessionTimeoutMs: 600_000 })
        const after = { ...before, groupProtocol: "consumer" } as const
        const scope = yield* Scope.make()
        const first = yield* Scope.provide(member(topic, before), scope)
        yield* until("the first assignment", () => first.held().size === 2)
        first.consumer.applySettings?.(after)
        yield* Scope.close(scope, Exit.void)
        const second = yield* member(topic, after)
        // Long before the session of the one that is gone would have ended.
        yield* until("the assignment of the same member, in the other protocol", () => second.held().size === 2)
      }).pipe(Effect.provide(Platformatic.layer({ brokers: brokers() })), Effect.scoped),
    240_000
  )
})

/** A Kafka of its own, with these settings of the broker. */
const kafkaWith = (settings: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const way = await findKafka()
      return way?.kind === "jvm" ? startKafkaInJvm(way.java, { nodes: 1, port: undefined, settings }) : undefined
    }),
    (kafka) => Effect.promise(async () => kafka?.stop())
  )

describe("brokers that do not let a member speak KIP-848's protocol", () => {
  it.live(
    "the member speaks the classic one, and says so",
    () =>
      Effect.gen(function*() {
        const cases = [
          ["of which the group's members may not change it", { "group.consumer.migration.policy": "disabled" }, true],
          ["that do not have it", { "group.coordinator.rebalance.protocols": "classic" }, false]
        ] as const
        for (const [about, settings, isShared] of cases) {
          yield* Effect.gen(function*() {
            const kafka = yield* kafkaWith(settings)
            if (kafka === undefined) return console.warn("*** SKIPPED: it needs a Kafka of its own, in a JVM")
            const heard: Array<SettingWarning> = []
            yield* Effect.gen(function*() {
              const [topic, group] = [freshName("refused"), freshGroup("refused")]
              const admin = yield* (yield* Transport).admin
              yield* admin.createTopics([{ name: topic, partitions: 2 }])
              const first = isShared ? yield* member(topic, settingsOf(group, { groupProtocol: "classic" })) : undefined
              if (first !== undefined) yield* until("the first assignment", () => first.held().size === 2)
              const second = yield* member(topic, settingsOf(group, { groupProtocol: "consumer" }))
              yield* until(`a member of brokers ${about}`, () => second.held().size === (isShared ? 1 : 2))
              assert.strictEqual(second.ended(), undefined)
            }).pipe(Effect.provide(Layer.provide(listening(heard), Platformatic.layer({ brokers: kafka.brokers }))))
            assert.deepStrictEqual(heard.map(({ setting, value }) => [setting, value]), [["groupProtocol", "consumer"]])
            assert.match(heard[0]!.instead, /^classic: /)
          }).pipe(Effect.scoped)
        }
      }),
    240_000
  )
})
