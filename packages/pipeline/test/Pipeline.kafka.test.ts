/** The same lines of the contract on a real Kafka: two members, retries, a poison pill, a planned change half-way. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Admin from "@weft/kafka/Admin"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import type { Order } from "../src/PipelineOptions.ts"
import * as Tracing from "../src/Tracing.ts"

class Flaky extends Data.TaggedError("Flaky")<{}> {}
class Poison extends Data.TaggedError("Poison")<{}> {}

const partitions = 4
const records = 4_000

const until = <E, R>(done: Effect.Effect<boolean, E, R>, what: string) =>
  Effect.gen(function*() {
    for (let i = 0; i < 2_400; i++) {
      if (yield* done) return
      yield* Effect.sleep("50 millis")
    }
    assert.fail(`not in time: ${what}`)
  })

const startMember = <R>(pipeline: Pipeline.Pipeline<R>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const running = yield* Effect.provideService(Pipeline.startWithin(pipeline), Scope.Scope, scope)
    return { running, stop: Scope.close(scope, Exit.void) }
  })

describe("a pipeline on Kafka", () => {
  for (const order of ["partition", "key"] as const satisfies ReadonlyArray<Order>) {
    it.live(
      `nothing is lost, nothing is repeated by a member that comes and one that goes (order ${order})`,
      () =>
        Effect.gen(function*() {
          const topic = yield* Effect.promise(() => freshTopic("pipeline", partitions))
          const group = freshGroup("pipeline")
          const producer = yield* Producer.Producer
          const write = (from: number, to: number) =>
            producer.sendAll(
              Array.from({ length: to - from }, (_, i) => from + i).map(
                (i) => ({ topic, key: `k${i % 50}`, value: i === 700 ? "poison" : String(i) })
              )
            )
          yield* write(0, records / 2)
          const done: Array<
            { readonly member: string; readonly place: string; readonly key: string; readonly n: bigint }
          > = []
          const member = (name: string) =>
            startMember(Pipeline.make({
              service: "smoke",
              topics: [topic],
              key: Codec.string,
              value: Codec.string,
              order,
              concurrency: 8,
              process: Effect.fnUntraced(function*(record) {
                yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
                if (record.value === "poison") return yield* new Poison()
                if ((yield* Random.next) < 0.01) return yield* new Flaky()
                done.push({
                  member: name,
                  place: `${record.partition}@${record.offset}`,
                  key: `${record.partition}/${record.key}`,
                  n: record.offset
                })
              }),
              onFailure: { Poison: FailurePolicy.retry({ attempts: 2 }) },
              overrides: {
                groupId: group,
                clientId: name,
                heartbeatIntervalMs: 300,
                sessionTimeoutMs: 45_000,
                fetchMaxWaitMs: 100,
                maxPollRecords: 50,
                retryBackoffMs: 10
              }
            }))
          const a = yield* member("a")
          const by = (name: string) => done.filter((one) => one.member === name).length
          yield* until(Effect.sync(() => by("a") > 100), "the first member works")
          const b = yield* member("b")
          yield* until(Effect.map(b.running.health, ({ ready }) => ready), "the second one has joined")
          // However long that took, there is something to do for both.
          yield* write(records / 2, records)
          yield* until(Effect.sync(() => by("b") > 200), "the second one, too")
          yield* a.stop
          yield* until(Effect.sync(() => done.length >= records - 1), "all is done")
          yield* Effect.sleep("300 millis")
          yield* b.stop

          assert.strictEqual(new Set(done.map(({ place }) => place)).size, records - 1)
          assert.strictEqual(done.length, records - 1)
          const last = new Map<string, bigint>()
          for (const { key, n } of done) {
            assert.isTrue((last.get(key) ?? -1n) < n, `order of ${key}`)
            last.set(key, n)
          }
          const lag = yield* Admin.lag(group, [topic])
          assert.strictEqual(lag.reduce((sum, one) => sum + one.lag, 0n), 0n)
          const letters = yield* Admin.partitionsOf([`${topic}.dlq`])
          assert.lengthOf(letters, partitions)
          const admin = yield* Admin.Admin
          const ends = yield* admin.listOffsets(letters, "latest")
          assert.strictEqual(ends.reduce((sum, { offset }) => sum + offset, 0n), 1n)
        }).pipe(
          Effect.scoped,
          Effect.provide(Layer.suspend(() =>
            Layer.mergeAll(
              Layer.provideMerge(
                Layer.merge(Tracing.layerProducer(), Admin.layer),
                KafkaJs.layer({ brokers: brokers() })
              ),
              ConfigStore.layerMemory(),
              MetricsSink.layerNone
            )
          ))
        ),
      300_000
    )
  }
})
