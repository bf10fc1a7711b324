/**
 * Trace contexts in record headers (W3C `traceparent`), and spans by OpenTelemetry's conventions for messaging.
 *
 * @since 0.1.0
 */
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Header } from "@weft/kafka/FetchedBatch"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Producer from "@weft/kafka/Producer"
import type { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

/**
 * The header that carries a trace context.
 *
 * @category constants
 * @since 0.1.0
 */
export const header = "traceparent"

const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/

/**
 * Reads a `traceparent`; `undefined` for anything that is none. A later version than 00 is read by its first four
 * fields, as the standard asks.
 *
 * @category combinators
 * @since 0.1.0
 */
export const parse = (text: string): Tracer.ExternalSpan | undefined => {
  const found = shape.exec(text)
  if (found === null) return undefined
  const [all, version, traceId, spanId, flags] = found
  if (version === "ff" || /^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined
  if (version === "00" ? text.length !== all.length : text.length > all.length && text[all.length] !== "-") {
    return undefined
  }
  return Tracer.externalSpan({ traceId: traceId!, spanId: spanId!, sampled: (parseInt(flags!, 16) & 1) === 1 })
}

/**
 * Writes a span as a `traceparent`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const format = (span: Tracer.AnySpan): string =>
  `00-${span.traceId.padStart(32, "0")}-${span.spanId.padStart(16, "0")}-${span.sampled ? "01" : "00"}`

/**
 * The context that a record's producer sent along.
 *
 * @category accessors
 * @since 0.1.0
 */
export const ofRecord = (record: ConsumerRecord): Tracer.ExternalSpan | undefined => {
  const text = record.headerText(header)
  return text === undefined ? undefined : parse(text)
}

/**
 * The record with the current span as its `traceparent`; an older one is replaced. Without a span, or where nobody
 * collects spans, the record as it is.
 *
 * @category combinators
 * @since 0.1.0
 */
export const inject = (record: Producer.ProducerRecord): Effect.Effect<Producer.ProducerRecord> =>
  Effect.map(contextToSend, (value) => value === undefined ? record : withContext(record, value))

const contextToSend: Effect.Effect<string | undefined> = Effect.flatMap(
  Effect.tracer,
  (tracer) =>
    tracer === Tracer.nativeTracer
      ? Effect.undefined
      : Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) =>
        Option.isNone(span) || isNoop(span.value) ? undefined : format(span.value))
)

/** A span made while tracing is switched off has no identity. */
const isNoop = (span: Tracer.AnySpan): boolean => span.traceId === "noop"

const withContext = (record: Producer.ProducerRecord, value: string): Producer.ProducerRecord => {
  const { headers } = record
  if (!Array.isArray(headers)) return { ...record, headers: { ...headers as HeaderRecord, [header]: value } }
  const others = (headers as ReadonlyArray<Header>).filter(({ name }) => name !== header)
  return { ...record, headers: [...others, { name: header, value: Buffer.from(value, "utf8") }] }
}

type HeaderRecord = Readonly<Record<string, Uint8Array | string | null>>

/**
 * A producer whose records carry the current span: what a handler sends continues the trace of what it was given.
 *
 * @category combinators
 * @since 0.1.0
 */
export const traced = (producer: Producer.Producer["Service"]): Producer.Producer["Service"] => ({
  send: (record) => Effect.flatMap(inject(record), producer.send),
  sendAll: (records) =>
    Effect.flatMap(
      contextToSend,
      (value) => producer.sendAll(value === undefined ? records : records.map((record) => withContext(record, value)))
    )
})

/**
 * A traced producer as a Layer, in place of `Producer.layer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerProducer = (
  options?: Producer.ProducerOptions
): Layer.Layer<Producer.Producer, KafkaError, Transport> =>
  Layer.effect(Producer.Producer, Effect.map(Producer.make(options), traced))
