import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, common, dlqOf, start, withCluster } from "./fixtures.ts"

const day = 86_400_000

/** Every record fails with this error at once. */
const failing = (message: string) =>
  Pipeline.make({
    ...common,
    process: () => Effect.fail(Object.assign(new Error(message), { _tag: "Bad" as const })),
    onFailure: { Bad: FailurePolicy.deadLetter }
  })

describe("a dead letter", () => {
  it.effect("of an old record is kept as long as the dead-letter topic keeps what comes to it", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in.dlq", { configs: { "retention.ms": String(7 * day) } })
        yield* advance(30 * day, day)
        yield* advance(1_000)
        yield* cluster.append("in", [{ key: "k", value: "old", timestamp: 1 }])
        const { stop } = yield* start(failing("bad"))
        yield* advance(5_000)
        yield* stop
        assert.lengthOf(yield* dlqOf(cluster), 1)
        yield* cluster.enforceRetention("in.dlq")
        assert.lengthOf(yield* dlqOf(cluster), 1)
      })))
})
