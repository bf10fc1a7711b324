import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import type { Assignment, TransportHandler } from "@weft/kafka/Transport"
import { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryCluster from "../src/MemoryCluster.ts"

describe("MemoryCluster", () => {
  it.effect("two members share a topic, and the first goes on with what it keeps", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      const transport = yield* Transport
      yield* cluster.createTopic("t", { partitions: 4 })
      const join = Effect.fnUntraced(function*(clientId: string) {
        const batches: Array<FetchedBatch> = []
        const assignments: Array<Assignment> = []
        const handler: TransportHandler = {
          onBatch: (batch) => batches.push(batch),
          onAssignment: (assignment) => {
            assignments.push(assignment)
            return []
          },
          beforeRevoke: () => Effect.void,
          onLost: () => {},
          onOutOfRange: () => {},
          onAlive: () => {}
        }
        const consumer = yield* transport.consumer({
          subscription: { _tag: "Topics", topics: ["t"] },
          settings: Settings.make({ groupId: "g", clientId }),
          handler
        })
        yield* Effect.forkScoped(consumer.run)
        return { consumer, batches, assignments }
      })
      const a = yield* join("a")
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(a.assignments[0]!.partitions.length, 4)
      a.consumer.start([{ topic: "t", partition: 0, offset: 0n }])
      yield* cluster.append("t", [{ key: "k", value: "v" }, { key: "k", value: "w" }])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(a.batches.map((b) => [b.partition, b.count]), [[0, 2]])
      yield* a.consumer.commit([{ topic: "t", partition: 0, offset: 2n, metadata: "m" }])
      const b = yield* join("b")
      yield* TestClock.adjust("21 seconds")
      assert.strictEqual(a.assignments[1]!.partitions.length, 2)
      assert.strictEqual(b.assignments[0]!.partitions.length, 2)
      assert.deepStrictEqual(yield* a.consumer.committed([TopicPartition.make("t", 0)]), [
        { topic: "t", partition: 0, offset: 2n, metadata: "m" }
      ])
    }).pipe(Effect.provide(MemoryCluster.layer)))
})
