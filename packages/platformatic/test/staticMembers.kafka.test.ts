/** Members that go by a name of their own. */
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Probe from "@weft/testing/Probe"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!holds()) yield* Effect.sleep(20)
  })

for (const groupProtocol of ["classic", "consumer"] as const) {
  describe(`static members, group.protocol=${groupProtocol}`, () => {
    it.live(
      "a restart within the session moves nothing, and is no rebalance for the others",
      () =>
        Effect.gen(function*() {
          const topic = yield* Effect.promise(() => freshTopic("static", 2, {}))
          const group = freshGroup("static")
          const member = (groupInstanceId: string) =>
            Probe.open({
              subscription: { _tag: "Topics", topics: [topic] },
              settings: Settings.make({
                groupId: group,
                groupProtocol,
                groupInstanceId,
                sessionTimeoutMs: 60_000,
                heartbeatIntervalMs: 300,
                maxPollIntervalMs: 20_000,
                fetchMaxWaitMs: 200
              })
            }).pipe(Effect.provide(Platformatic.layer({ brokers: brokers() })))
          const first = yield* member("one")
          yield* until(() => first.held().size === 2)
          const scope = yield* Scope.make()
          const second = yield* Scope.provide(member("two"), scope)
          yield* until(() => first.held().size === 1 && second.held().size === 1)
          const before = { assignments: first.assignments.length, held: [...second.held()] }
          yield* Scope.close(scope, Exit.void)
          yield* Effect.sleep("1 second")
          const again = yield* member("two")
          yield* until(() => again.held().size === 1)
          assert.deepStrictEqual([...again.held()], before.held)
          assert.strictEqual(first.assignments.length, before.assignments)
          assert.deepStrictEqual([first.lost, first.ended()], [[], undefined])
        }).pipe(Effect.scoped),
      120_000
    )
  })
}
