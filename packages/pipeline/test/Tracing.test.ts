import { assert, describe, it } from "@effect/vitest"
import * as Producer from "@weft/kafka/Producer"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import * as Tracing from "../src/Tracing.ts"
import { advance, common, start, until, withCluster } from "./fixtures.ts"

class Refused extends Data.TaggedError("Refused")<{}> {}

const context = (digit: number, flags = "01") => `00-${String(digit).repeat(32)}-${String(digit).repeat(16)}-${flags}`
const traced = (digit: number) => [{ name: "traceparent", value: Buffer.from(context(digit)) }]

/** A tracer that keeps what it was asked for. */
const collecting = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

describe("Tracing", () => {
  it("reads what is a traceparent, and nothing else", () => {
    assert.deepInclude(Tracing.parse(context(3)), { traceId: "3".repeat(32), spanId: "3".repeat(16), sampled: true })
    assert.deepInclude(Tracing.parse(context(3, "00")), { sampled: false })
    assert.isDefined(Tracing.parse(`01-${"a".repeat(32)}-${"b".repeat(16)}-01-later`))
    for (
      const text of [
        "",
        "00",
        context(0),
        `${context(1)}-more`,
        `ff-${"a".repeat(32)}-${"b".repeat(16)}-01`,
        `00-${"g".repeat(32)}-${"b".repeat(16)}-01`,
        `00-${"A".repeat(32)}-${"b".repeat(16)}-01`
      ]
    ) assert.isUndefined(Tracing.parse(text), text)
  })

  it("writes what it reads", () => {
    for (const text of [context(1), context(2, "00")]) assert.strictEqual(Tracing.format(Tracing.parse(text)!), text)
  })

  it.effect("a span for each run, of kind consumer, with links to the producers; what is sent continues it", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("out")
        yield* cluster.append("in", [
          { value: "1", headers: traced(1) },
          { value: "2" },
          { value: "3", headers: traced(3) }
        ])
        const { spans, tracer } = collecting()
        let done = 0
        const { stop } = yield* Effect.withTracer(
          start(Pipeline.make({
            ...common,
            process: Effect.fnUntraced(function*(record) {
              const producer = yield* Producer.Producer
              yield* producer.send({
                topic: "out",
                value: record.value,
                headers: [{ name: "own", value: null }, { name: "traceparent", value: Buffer.from("old") }]
              })
              yield* producer.sendAll([{ topic: "out", value: record.value, headers: { own: "2" } }])
              done++
            })
          })),
          tracer
        )
        yield* until(() => done === 3, "all are processed")
        yield* stop
        const [span] = spans.filter(({ name }) => name === "process in")
        assert.strictEqual(span!.kind, "consumer")
        assert.strictEqual(span!.parent._tag, "None")
        assert.deepStrictEqual(span!.links.map(({ span }) => span.traceId), ["1".repeat(32), "3".repeat(32)])
        assert.deepInclude(Object.fromEntries(span!.attributes), {
          "messaging.system": "kafka",
          "messaging.operation.type": "process",
          "messaging.destination.name": "in",
          "messaging.consumer.group.name": "group",
          "messaging.batch.message_count": 3
        })
        assert.strictEqual(span!.status._tag, "Ended")
        const sent = yield* cluster.records("out")
        assert.lengthOf(sent, 6)
        for (const { headers } of sent) {
          const contexts = headers.filter(({ name }) => name === "traceparent")
          assert.deepStrictEqual(contexts.map(({ value }) => Buffer.from(value!).toString()), [Tracing.format(span!)])
          assert.isDefined(headers.find(({ name }) => name === "own"))
        }
      }).pipe(Effect.provide(Tracing.layerProducer()))))

  it.effect("a span for each record, as a child of its producer's, that says how it failed", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", [{ value: "1", headers: traced(1) }, { value: "2" }])
        const { spans, tracer } = collecting()
        const { stop } = yield* Effect.withTracer(
          start(Pipeline.make({
            ...common,
            tracing: "record",
            process: (record) => record.value === "2" ? Effect.fail(new Refused()) : Effect.void,
            onFailure: { Refused: FailurePolicy.skip }
          })),
          tracer
        )
        yield* advance(200)
        yield* stop
        const [first, second, ...others] = spans.filter(({ kind }) => kind === "consumer")
        assert.isEmpty(others)
        assert.strictEqual(first!.parent._tag === "Some" ? first!.parent.value.spanId : "none", "1".repeat(16))
        assert.strictEqual(first!.traceId, "1".repeat(32))
        assert.strictEqual(second!.parent._tag, "None")
        assert.deepInclude(Object.fromEntries(second!.attributes), {
          "messaging.destination.partition.id": "0",
          "messaging.kafka.offset": "1"
        })
        const failed = second!.status
        assert.isTrue(failed._tag === "Ended" && failed.exit._tag === "Failure")
      })))

  it.effect("nothing is traced where it is off, or where nobody collects", () =>
    withCluster({ records: 3 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("out")
        const { spans, tracer } = collecting()
        const process = Effect.fnUntraced(function*() {
          const producer = yield* Producer.Producer
          yield* producer.send({ topic: "out", value: "x" })
        })
        const off = yield* Effect.withTracer(start(Pipeline.make({ ...common, tracing: "none", process })), tracer)
        yield* advance(200)
        yield* off.stop
        assert.isEmpty(spans)
        const overrides = { ...common.overrides, groupId: "native" }
        const native = yield* start(Pipeline.make({ ...common, overrides, process }))
        yield* advance(200)
        yield* native.stop
        const sent = yield* cluster.records("out")
        assert.lengthOf(sent, 6)
        assert.isTrue(sent.every(({ headers }) => headers.length === 0))
      }).pipe(Effect.provide(Tracing.layerProducer()))))
})
