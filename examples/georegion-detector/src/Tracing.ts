/** Spans to an OpenTelemetry collector, where `OTEL_EXPORTER_OTLP_ENDPOINT` names one (as `http://localhost:4318`). */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { service } from "./Georegions.ts"

export const layer = Layer.unwrap(
  Effect.map(
    Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT")),
    (endpoint) =>
      Option.isNone(endpoint) || endpoint.value === ""
        ? Layer.empty
        // The exporter reads the variable by itself, and those for headers and timeouts as well.
        : NodeSdk.layer(() => ({
          resource: { serviceName: service },
          spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter())
        }))
  )
)
