import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, Log, start, uneven, until, withCluster } from "./fixtures.ts"

describe("Pipeline", () => {
  it.effect("2 order: by partition, each record after the one before it, partitions side by side", () =>
    withCluster({ partitions: 3, records: 150 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({ ...common, process: log.handler(uneven) }))
        yield* until(() => log.done.length === 150, "all are processed")
        for (let partition = 0; partition < 3; partition++) {
          assert.deepStrictEqual(log.offsetsOf(partition), Array.from({ length: 50 }, (_, i) => i))
        }
        assert.strictEqual(log.runningMax, 3)
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 50, 1: 50, 2: 50 })
        assert.deepInclude(yield* running.totals, { processed: 150, failures: 0, inFlight: 0 })
        yield* stop
      })))
})
