/**
 * A collector for tests: takes OTLP over HTTP as protobuf and as JSON, and decodes it by OpenTelemetry's definition
 * (opentelemetry-proto 1.x, the part of it that metrics and traces use here).
 */
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import protobuf from "protobufjs"

const definition = `
  syntax = "proto3";
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
  }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Scope { string name = 1; string version = 2; }

  message Metrics { repeated ResourceMetrics resource_metrics = 1; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
  message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
  message Metric {
    string name = 1; string description = 2; string unit = 3;
    oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
  }
  message Gauge { repeated NumberPoint data_points = 1; }
  message Sum { repeated NumberPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
  message Histogram { repeated HistogramPoint data_points = 1; int32 aggregation_temporality = 2; }
  message NumberPoint {
    fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
    oneof value { double as_double = 4; sfixed64 as_int = 6; }
    repeated KeyValue attributes = 7;
  }
  message HistogramPoint {
    fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; optional double sum = 5;
    repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated KeyValue attributes = 9;
  }

  message Traces { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Link links = 13;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; repeated KeyValue attributes = 4; }
`

const { root } = protobuf.parse(definition)

type Attributes = ReadonlyArray<{
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: string | number; readonly boolValue?: boolean }
}>

interface Point {
  readonly attributes?: Attributes
  readonly asDouble?: number
  readonly asInt?: string | number
  readonly count?: string | number
  readonly sum?: number
  readonly bucketCounts?: ReadonlyArray<string | number>
  readonly explicitBounds?: ReadonlyArray<number>
}

interface MetricsRequest {
  readonly resourceMetrics: ReadonlyArray<{
    readonly resource: { readonly attributes: Attributes }
    readonly scopeMetrics: ReadonlyArray<{
      readonly metrics: ReadonlyArray<{
        readonly name: string
        readonly unit: string
        readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
        readonly sum?: {
          readonly dataPoints: ReadonlyArray<Point>
          readonly isMonotonic: boolean
          readonly aggregationTemporality: number
        }
        readonly histogram?: { readonly dataPoints: ReadonlyArray<Point>; readonly aggregationTemporality: number }
      }>
    }>
  }>
}

interface TracesRequest {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: Attributes }
    readonly scopeSpans: ReadonlyArray<{
      readonly spans: ReadonlyArray<{
        readonly traceId: string
        readonly name: string
        readonly kind: number
        readonly attributes: Attributes
        readonly links?: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
      }>
    }>
  }>
}

/** One value of one metric, as the last request told it. */
export interface Value {
  readonly service: string | undefined
  readonly name: string
  readonly unit: string
  readonly kind: "gauge" | "sum" | "histogram"
  readonly attributes: Readonly<Record<string, string>>
  /** Of gauges and sums. */
  readonly value: number | undefined
  /** Of histograms. */
  readonly count: number | undefined
  readonly sum: number | undefined
  readonly bucketCounts: ReadonlyArray<number>
  readonly bounds: ReadonlyArray<number>
}

export interface Span {
  readonly service: string | undefined
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly attributes: Readonly<Record<string, string>>
  readonly links: ReadonlyArray<string>
}

const record = (attributes: Attributes = []): Readonly<Record<string, string>> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, String(value.stringValue ?? value.intValue ?? value.boolValue)])
  )

const valuesOf = ({ resourceMetrics }: MetricsRequest): ReadonlyArray<Value> =>
  resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap(({ gauge, histogram, name, sum, unit }) =>
        (gauge ?? sum ?? histogram)!.dataPoints.map((point): Value => ({
          service: record(resource.attributes)["service.name"],
          name,
          unit,
          kind: gauge !== undefined ? "gauge" : sum !== undefined ? "sum" : "histogram",
          attributes: record(point.attributes),
          value: histogram !== undefined ? undefined : Number(point.asDouble ?? point.asInt ?? 0),
          count: histogram === undefined ? undefined : Number(point.count ?? 0),
          sum: point.sum,
          bucketCounts: (point.bucketCounts ?? []).map(Number),
          bounds: point.explicitBounds ?? []
        }))
      )
    )
  )

const spansOf = ({ resourceSpans }: TracesRequest): ReadonlyArray<Span> =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ attributes, kind, links, name, traceId }): Span => ({
        service: record(resource.attributes)["service.name"],
        name,
        kind,
        traceId,
        attributes: record(attributes),
        links: (links ?? []).map((link) => link.traceId)
      }))
    )
  )

const decode = (body: Buffer, contentType: string | undefined, message: "Metrics" | "Traces"): unknown => {
  if (contentType === "application/json") return JSON.parse(body.toString("utf8"))
  if (contentType !== "application/x-protobuf") throw new Error(`a content type that there is not: ${contentType}`)
  const type = root.lookupType(message)
  const options = { longs: String, bytes: Array, defaults: false }
  // In JSON, ids are written in hexadecimal.
  return JSON.parse(
    JSON.stringify(
      type.toObject(type.decode(body), options),
      (name, value) =>
        name === "traceId" || name === "spanId" || name === "parentSpanId" ? Buffer.from(value).toString("hex") : value
    )
  )
}

/** Listens on a free port of 127.0.0.1 until the scope ends. */
export const make = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string
    /** What each request with metrics told, in turn. */
    readonly metrics: ReadonlyArray<ReadonlyArray<Value>>
    readonly spans: ReadonlyArray<Span>
    readonly errors: ReadonlyArray<unknown>
    readonly close: () => void
  }>((resume) => {
    const metrics: Array<ReadonlyArray<Value>> = []
    const spans: Array<Span> = []
    const errors: Array<unknown> = []
    const server = createServer((request, response) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => {
        const body = Buffer.concat(parts)
        const contentType = request.headers["content-type"]
        try {
          if (request.url === "/v1/metrics") {
            metrics.push(valuesOf(decode(body, contentType, "Metrics") as MetricsRequest))
          } else if (request.url === "/v1/traces") {
            spans.push(...spansOf(decode(body, contentType, "Traces") as TracesRequest))
          }
        } catch (error) {
          errors.push(error)
        }
        response.writeHead(200, { "content-type": contentType ?? "text/plain" }).end(
          contentType === "application/json" ? "{}" : ""
        )
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, metrics, spans, errors, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)
