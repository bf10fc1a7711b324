/** What members measure on a real Kafka: two of them, each with exporters of its own, as two processes have. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import * as Histogram from "../src/Histogram.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import * as PrometheusMetrics from "../src/PrometheusMetrics.ts"
import { parse } from "./prometheusText.ts"

/** Before and after the second member comes. */
const records = 2_000
const moreRecords = 1_000
const partitions = 4

const until = (done: () => boolean, what: string) =>
  Effect.gen(function*() {
    for (let i = 0; i < 2_400 && !done(); i++) yield* Effect.sleep("50 millis")
    if (!done()) assert.fail(`not in time: ${what}`)
  })

describe("metrics on Kafka", () => {
  it.live(
    "two members count each record once, and say what they hold, how they commit, and that they rebalanced",
    () => {
      const written: Array<MetricsSink.Measurements> = []
      const sink = Layer.succeed(MetricsSink.MetricsSink, {
        write: (measurements) => Effect.sync(() => void written.push(measurements))
      })
      return Effect.gen(function*() {
        const topic = yield* Effect.promise(() => freshTopic("metrics", partitions))
        const group = freshGroup("metrics")
        const producer = yield* Producer.Producer
        const write = (count: number) =>
          producer.sendAll(
            Array.from({ length: count }, (_, i) => ({ topic, partition: i % partitions, value: String(i) }))
          )
        yield* write(records)
        let done = 0
        const pipeline = Pipeline.make({
          service: "measured",
          topics: [topic],
          value: Codec.string,
          metricsInterval: "500 millis",
          process: () =>
            Effect.map(Effect.sleep(5), () => {
              done++
            }),
          overrides: { groupId: group, heartbeatIntervalMs: 300, sessionTimeoutMs: 45_000, fetchMaxWaitMs: 100 }
        })
        const member = Effect.gen(function*() {
          const scope = yield* Scope.make()
          yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
          const context = Context.make(Metric.MetricRegistry, new Map())
          yield* Pipeline.startWithin(pipeline).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(context))
          const families = () => parse(PrometheusMetrics.formatUnsafe(context))
          return { families, stop: Scope.close(scope, Exit.void) }
        })
        const first = yield* member
        const isMeasured = () => written.some(({ members }) => members.some((one) => one.partitions === partitions))
        yield* until(() => done > 100 && isMeasured(), "the first works, and was measured with all partitions")
        const second = yield* member
        const lags = () =>
          [first, second].map(({ families }) =>
            families().get("kafka_consumer_group_topic_partition_lag")?.samples ?? []
          )
        yield* until(() => lags().every(({ length }) => length === 2), "each shows the lag of its two partitions")
        yield* write(moreRecords)
        yield* until(() => done >= records + moreRecords, "all is done")
        const counted = (name: string) =>
          [first, second].map(({ families }) =>
            families().get(name)?.samples.reduce((sum, { value }) => sum + value, 0)
          )
        yield* until(
          () =>
            lags().flat().every(({ value }) => value === 0) &&
            counted("messaging_client_consumed_messages_total").reduce<number>((sum, n) => sum + (n ?? 0), 0) >= done,
          "all that is done is shown"
        )
        const shown = lags().map((samples) => samples.map(({ labels }) => labels["partition_id"]))
        assert.deepStrictEqual(shown.flat().toSorted(), ["0", "1", "2", "3"])
        assert.lengthOf(shown[0]!, 2)
        const processed = counted("messaging_client_consumed_messages_total")
        assert.strictEqual(processed[0]! + processed[1]!, done)
        assert.isAbove(processed[1]!, 0)
        assert.deepStrictEqual(counted("weft_consumer_rebalances_total"), [1, 0])
        yield* first.stop
        yield* second.stop

        const metrics = written.flatMap(({ metrics }) => metrics)
        const members = written.flatMap(({ members }) => members)
        assert.strictEqual(metrics.reduce((sum, { messagesProcessed }) => sum + messagesProcessed, 0), done)
        const durations = Histogram.merge(metrics.map(({ durations }) => durations))
        assert.strictEqual(Histogram.count(durations), done)
        assert.isAtLeast(Histogram.quantile(durations, 0.5), 4)
        assert.strictEqual(new Set(members.map(({ member }) => member)).size, 2)
        const names = members.map(({ member, timestamp }) => `${member} ${timestamp}`)
        assert.strictEqual(new Set(names).size, names.length)
        const committing = members.filter(({ commits }) => commits > 0)
        assert.isNotEmpty(committing)
        for (const one of committing) {
          assert.isAtLeast(one.commitP99Ms * (1 + 1e-9), one.commitMeanMs)
          assert.isBelow(one.commitMeanMs, 10_000)
        }
        assert.isTrue(members.some(({ inFlight, oldestInFlightMs }) => inFlight > 0 && oldestInFlightMs >= 0))
        assert.isTrue(members.some(({ partitions }) => partitions === 4))
        assert.isTrue(members.some(({ partitions }) => partitions === 2))
        assert.strictEqual(members.reduce((sum, { lost }) => sum + lost, 0), 0)
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.suspend(() =>
          Layer.mergeAll(
            Layer.provideMerge(Producer.layer(), KafkaJs.layer({ brokers: brokers() })),
            ConfigStore.layerMemory(),
            sink
          )
        ))
      )
    },
    300_000
  )
})
