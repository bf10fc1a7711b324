import { assert, describe, it } from "@effect/vitest"
import * as Producer from "@weft/kafka/Producer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Metric from "effect/Metric"
import * as fc from "fast-check"
import { spawnSync } from "node:child_process"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import * as PrometheusMetrics from "../src/PrometheusMetrics.ts"
import { advance, common, Log, overrides, start, until, withCluster } from "./fixtures.ts"
import { type Family, parse, type Sample } from "./prometheusText.ts"

const withRegistry = Effect.provideServiceEffect(Metric.MetricRegistry, Effect.sync(() => new Map() as never))

/** Where `PROMTOOL` says where promtool is, it must have nothing to say. */
const lint = (text: string): void => {
  const promtool = process.env["PROMTOOL"]
  if (promtool === undefined) return
  const { status, stderr, stdout } = spawnSync(promtool, ["check", "metrics"], { input: text, encoding: "utf8" })
  assert.deepStrictEqual([status, stdout, stderr], [0, "", ""])
}

const one = (families: ReadonlyMap<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}) => {
  const family = families.get(name.replace(/_(bucket|sum|count)$/, "")) ?? families.get(name)
  const found = (family?.samples ?? []).filter((sample): sample is Sample =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  )
  assert.lengthOf(found, 1, `${name} ${JSON.stringify(labels)}`)
  return found[0]!
}

describe("PrometheusMetrics", () => {
  it("the strict reader is strict", () => {
    const good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\\\\\\\"\\n\"} 1\n"
    assert.deepStrictEqual(parse(good).get("a_total")?.samples, [{
      name: "a_total",
      labels: { b: "c\\\"\n" },
      value: 1
    }])
    for (
      const bad of [
        good.slice(0, -1),
        good + good,
        good + good.split("\n")[2]! + "\n",
        good.replace("# HELP a_total x\n", ""),
        good.replaceAll("a_total", "a"),
        good.replace("} 1", "} one"),
        good.replace("b=", "0="),
        good.replace("\\n", "\\t"),
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n"
      ]
    ) assert.throws(() => parse(bad), undefined, undefined, bad)
  })

  it("names follow the mapping of OpenTelemetry", () => {
    const nameOf = (id: string, type: Metric.Metric.Type, unit?: string) =>
      PrometheusMetrics.nameOf({ id, type, attributes: unit === undefined ? undefined : { unit } })
    assert.strictEqual(nameOf("messaging.process.duration", "Histogram", "s"), "messaging_process_duration_seconds")
    assert.strictEqual(nameOf("a.sent", "Counter", "By"), "a_sent_bytes_total")
    assert.strictEqual(nameOf("a_lag_seconds", "Gauge", "s"), "a_lag_seconds")
    assert.strictEqual(nameOf("a_total", "Counter", "{message}"), "a_total")
    assert.strictEqual(nameOf("a_bytes_total", "Counter", "By"), "a_bytes_total")
    assert.strictEqual(nameOf("a.timer", "Histogram", "milliseconds"), "a_timer_milliseconds")
    assert.strictEqual(nameOf("a b", "Frequency"), "a_b_total")
  })

  it.effect("a pipeline's text is well-formed, and says what happened", () =>
    withCluster({ partitions: 2, records: 100 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          overrides: { ...overrides, enableAutoCommit: true, autoCommitIntervalMs: 1_000 },
          metricsInterval: "1 second",
          onFailure: { otherwise: FailurePolicy.deadLetter },
          process: log.handler((record) => record.offset === 3n ? 200 : 20, (record) =>
            record.value === "7" ? Effect.fail("no") : Effect.void)
        }))
        yield* until(() =>
          log.done.length === 99, "all are processed")
        yield* advance(3_000)
        yield* Effect.scoped(Effect.gen(function*() {
          const producer = yield* Producer.make()
          yield* producer.sendAll([{ topic: "in.dlq", value: "a" }, { topic: "in.dlq", value: "b" }])
        }))
        const text = yield* PrometheusMetrics.format
        lint(text)
        const families = parse(text)
        const topic = { messaging_destination_name: "in", messaging_consumer_group_name: "group" }
        assert.strictEqual(one(families, "messaging_client_consumed_messages_total", topic).value, 99)
        assert.strictEqual(one(families, "weft_pipeline_dead_letters_total", topic).value, 1)
        assert.strictEqual(one(families, "weft_pipeline_failures_total", topic).value, 1)
        assert.strictEqual(one(families, "weft_pipeline_processing_time_seconds_count", topic).value, 100)
        const sum = one(families, "weft_pipeline_processing_time_seconds_sum", topic).value
        assert.closeTo(sum, 97 * 0.02 + 2 * 0.2 + 0.02, 0.03)
        const le = (bound: string) =>
          one(families, "weft_pipeline_processing_time_seconds_bucket", { ...topic, le: bound })
        assert.strictEqual(le("0.016384").value, 0)
        assert.strictEqual(le("0.032768").value, 98)
        assert.strictEqual(le("0.131072").value, 98)
        assert.strictEqual(le("0.262144").value, 100)
        const sent = { messaging_destination_name: "in.dlq", messaging_operation_name: "send" }
        assert.strictEqual(one(families, "messaging_client_sent_messages_total", sent).value, 3)
        assert.strictEqual(one(families, "messaging_client_operation_duration_seconds_count", sent).value, 2)
        const commits = one(families, "messaging_client_operation_duration_seconds_count", {
          messaging_operation_name: "commit",
          messaging_consumer_group_name: "group"
        })
        assert.strictEqual(commits.value, new Set((yield* cluster.commits("group")).map(({ at }) => at)).size)
        for (const partition of ["0", "1"]) {
          const labels = { group_id: "group", topic_name: "in", partition_id: partition }
          assert.strictEqual(one(families, "kafka_consumer_group_topic_partition_lag", labels).value, 0)
          assert.strictEqual(one(families, "kafka_consumer_group_topic_partition_lag_seconds", labels).value, 0)
        }
        const member = { messaging_client_id: "s", messaging_consumer_group_name: "group" }
        assert.strictEqual(one(families, "weft_consumer_partitions", member).value, 2)
        assert.isAbove(one(families, "weft_process_resident_memory_bytes", member).value, 1e6)
        yield* stop
        assert.isFalse(parse(yield* PrometheusMetrics.format).has("kafka_consumer_group_topic_partition_lag"))
      })).pipe(withRegistry))

  it.effect("property: whatever a program calls its metrics and their attributes, the text is well-formed", () =>
    Effect.sync(() => {
      const text = fc.string({ unit: "grapheme" })
      const id = fc.tuple(fc.constantFrom("a", "_b", "ä.", "9c"), text).map((parts) => parts.join(""))
      const attribute = fc.constantFrom("one", "two.three", "0four")
      const description = fc.string({ unit: "grapheme", minLength: 1 }).filter((help) => help.trim() !== "")
      fc.assert(fc.property(
        id,
        description,
        fc.dictionary(attribute, text),
        fc.constantFrom("s", "By", "1"),
        (id, description, attributes, unit) => {
          const context = Context.make(Metric.MetricRegistry, new Map())
          const options = { description, attributes: { ...attributes, unit } }
          Metric.counter(`${id} c`, options).updateUnsafe(1, context)
          Metric.gauge(`${id} g`, options).updateUnsafe(-Infinity, context)
          Metric.histogram(`${id} h`, { ...options, boundaries: [1, 2] }).updateUnsafe(1.5, context)
          const families = parse(PrometheusMetrics.formatUnsafe(context))
          assert.strictEqual(families.size, 3)
          const values = [...families.values()].map(({ samples }) => samples[0]!.labels)
          for (const [name, value] of Object.entries(attributes)) {
            const label = name.replaceAll(".", "_").replace(/^(?=\d)/, "_")
            for (const labels of values) assert.strictEqual(labels[label], value)
          }
        }
      ))
    }))

  it.effect("is served as a route", () =>
    Effect.gen(function*() {
      yield* Metric.update(Metric.counter("served", { description: "A counter" }), 3)
      const context = yield* Effect.context<never>()
      const { dispose, handler } = HttpRouter.toWebHandler(PrometheusMetrics.layerHttp(), { disableLogger: true })
      const response = yield* Effect.promise(() => handler(new Request("http://localhost/metrics"), context as never))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      const families = parse(yield* Effect.promise(() => response.text()))
      assert.strictEqual(one(families, "served_total").value, 3)
      yield* Effect.promise(dispose)
    }).pipe(withRegistry))
})
