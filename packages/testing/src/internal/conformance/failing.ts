/**
 * Failures are typed.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import * as Fixtures from "../../Fixtures.ts"
import { behaviour, bench, endsWith } from "./bench.ts"

export const failing: ReadonlyArray<Behaviour> = [
  behaviour("failure: a topic that does not exist ends run with its name", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const topic = yield* Fixtures.uniqueName("missing")
      const probe = yield* b.member({ subscription: { _tag: "Topics", topics: [topic] } })
      yield* endsWith(probe, "UnknownTopicError")
    })),

  behaviour("failure: a session timeout that the broker refuses ends run", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member({ with: { sessionTimeoutMs: 7_200_000 } })
      yield* endsWith(probe, "GroupError")
    }), { onlyClassic: true })
]
