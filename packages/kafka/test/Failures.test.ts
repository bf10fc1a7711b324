import { assert, describe, it } from "@effect/vitest"
import { Transport } from "../src/Transport.ts"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { collectEvents, member, untilDone, withCluster } from "./fixtures.ts"

describe("a client library", () => {
  it.effect("5 stall: that never joins is replaced", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        let made = 0
        const stuck: Transport["Service"] = {
          ...cluster.transport,
          consumer: (options) =>
            Effect.map(cluster.transport.consumer(options), (one) => made++ === 0 ? { ...one, run: Effect.never } : one)
        }
        const consumer = yield* Effect.provideService(
          member({ sessionTimeoutMs: 10_000, maxPollIntervalMs: 30_000 }),
          Transport,
          stuck
        )
        const events = yield* collectEvents(consumer)
        const fiber = yield* Effect.forkChild(consumer.stream().pipe(Stream.take(3), Stream.runCollect))
        yield* untilDone(fiber, 60_000)
        const crash = (yield* Ref.get(events)).find((event) => event._tag === "Crashed")
        assert.deepInclude(crash?.error, { _tag: "TransportError", reason: "silent" })
      })))
})
