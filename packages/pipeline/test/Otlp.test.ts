import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { assert, describe, it } from "@effect/vitest"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Producer from "@weft/kafka/Producer"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Otlp from "effect/observability/Otlp"
import * as Pipeline from "../src/Pipeline.ts"
import { common, overrides, withCluster } from "./fixtures.ts"
import * as OtlpReceiver from "./otlpReceiver.ts"

const resource = { serviceName: "weft-test" }

/** The spans of the last records are told then: a busy machine is given its time. */
const shutdownTimeout = "30 seconds"

/** How a program tells a collector at a URL. */
const exporters: Readonly<Record<string, (url: string) => Layer.Layer<never>>> = {
  "effect, protobuf": (baseUrl) =>
    Layer.provide(
      Otlp.layerProtobuf({ baseUrl, resource, metricsExportInterval: "200 millis", shutdownTimeout }),
      FetchHttpClient.layer
    ),
  "effect, JSON": (baseUrl) =>
    Layer.provide(
      Otlp.layerJson({ baseUrl, resource, metricsExportInterval: "200 millis", shutdownTimeout }),
      FetchHttpClient.layer
    ),
  "@effect/opentelemetry": (url) =>
    NodeSdk.layer(() => ({
      resource,
      shutdownTimeout,
      metricReader: new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }),
        exportIntervalMillis: 200,
        exportTimeoutMillis: 200
      }),
      spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` }))
    }))
}

const waitFor = Effect.fnUntraced(function*(done: () => boolean, what: string) {
  for (let waited = 0; waited < 60_000 && !done(); waited += 20) yield* Effect.sleep(20)
  if (!done()) assert.fail(`not within a minute: ${what}`)
})

type Receiver = Effect.Success<typeof OtlpReceiver.make>

/** A value of the last request with metrics. */
const last = ({ metrics }: Receiver) => (id: string, attributes: Readonly<Record<string, string>> = {}) =>
  metrics.at(-1)?.find((value) =>
    value.name === id &&
    Object.entries(attributes).every(([key, attribute]) => value.attributes[key] === attribute)
  )

const trace = "0123456789abcdef0123456789abcdef"
const place = { "messaging.destination.name": "in", "messaging.consumer.group.name": "group" }
const processing = {
  "messaging.system": "kafka",
  "messaging.operation.name": "process",
  "messaging.operation.type": "process",
  ...place
}

/** A pipeline that sends on each of forty records that it reads, until all of it has been told of. */
const relay = (receiver: Receiver) =>
  withCluster({ partitions: 2 }, (cluster) =>
    Effect.gen(function*() {
      const headers = [{ name: "traceparent", value: Buffer.from(`00-${trace}-0123456789abcdef-01`) }]
      yield* cluster.createTopic("out")
      yield* cluster.append("in", Array.from({ length: 40 }, (_, i) => ({ value: String(i), headers })))
      const producer = yield* Producer.make()
      const told = last(receiver)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pipeline.startWithin(Pipeline.make({
          ...common,
          overrides: { ...overrides, enableAutoCommit: true, autoCommitIntervalMs: 100 },
          metricsInterval: "100 millis",
          process: (record) => Effect.andThen(Effect.sleep(2), producer.send({ topic: "out", value: record.value }))
        }))
        yield* waitFor(
          () =>
            told("messaging.client.consumed.messages", place)?.value === 40 &&
            told("weft.pipeline.processing_time", place)?.count === 40 &&
            told("messaging.client.operation.duration", { "messaging.operation.name": "commit" }) !== undefined &&
            told("kafka_consumer_group_topic_partition_lag", { partition_id: "1" })?.value === 0,
          "all is told of"
        )
      }))
      yield* waitFor(
        () => told("kafka_consumer_group_topic_partition_lag") === undefined,
        "the lag is not told of any more"
      )
    }))

describe("OTLP", () => {
  for (const [name, layer] of Object.entries(exporters)) {
    it.live(`a collector decodes the metrics and traces of a pipeline: ${name}`, () =>
      Effect.gen(function*() {
        const receiver = yield* OtlpReceiver.make
        yield* Effect.provide(relay(receiver), layer(receiver.url))
        assert.deepStrictEqual(receiver.errors, [])

        const told = last(receiver)
        const consumed = told("messaging.client.consumed.messages", place)!
        assert.deepInclude(consumed, { service: "weft-test", unit: "{message}", kind: "sum", value: 40 })
        assert.deepInclude(consumed.attributes, processing)
        const duration = told("messaging.process.duration", place)!
        assert.deepInclude(duration, { unit: "s", kind: "histogram" })
        assert.isAtLeast(duration.sum!, 0.04)
        // Milliseconds would be twice as many as records at the least.
        assert.isBelow(duration.sum!, 80)
        const times = told("weft.pipeline.processing_time", place)!
        assert.deepInclude(times, { unit: "s", kind: "histogram", count: 40 })
        assert.strictEqual(times.bucketCounts.reduce((sum, count) => sum + count, 0), 40)
        assert.lengthOf(times.bucketCounts, times.bounds.length + 1)
        const send = { "messaging.destination.name": "out", "messaging.operation.name": "send" }
        assert.deepInclude(told("messaging.client.sent.messages", send), { unit: "{message}", kind: "sum", value: 40 })
        assert.deepInclude(told("messaging.client.operation.duration", send), { unit: "s", count: 40 })
        const commit = told("messaging.client.operation.duration", { "messaging.operation.name": "commit" })!
        assert.deepInclude(commit.attributes, {
          "messaging.operation.type": "settle",
          "messaging.consumer.group.name": "group"
        })
        assert.isAbove(commit.count!, 0)

        const spans = receiver.spans.filter((span) => span.name === "process in")
        assert.isAbove(spans.length, 0)
        let records = 0
        for (const span of spans) {
          // CONSUMER
          assert.deepInclude(span, { service: "weft-test", kind: 5 })
          assert.deepInclude(span.attributes, processing)
          assert.isAbove(span.links.length, 0)
          assert.deepStrictEqual(new Set(span.links), new Set([trace]))
          records += Number(span.attributes["messaging.batch.message_count"])
        }
        assert.strictEqual(records, 40)
      }).pipe(
        Effect.scoped,
        Effect.provideService(Metric.MetricRegistry, new Map())
      ), 180_000)
  }
})
