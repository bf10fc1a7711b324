/**
 * Everything in Effect's metrics, those of pipelines and those of the program, in the text format that Prometheus scrapes.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Formatter from "effect/observability/PrometheusMetrics"

/**
 * The media type of the text.
 *
 * @category constants
 * @since 0.1.0
 */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** Units of OpenTelemetry (UCUM), and those that Effect's own exporters know, as Prometheus writes them. */
const units: Readonly<Record<string, string>> = {
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  min: "minutes",
  h: "hours",
  d: "days",
  By: "bytes",
  seconds: "seconds",
  milliseconds: "milliseconds",
  microseconds: "microseconds",
  nanoseconds: "nanoseconds",
  bytes: "bytes"
}

/**
 * The name of a metric in Prometheus: dots become underscores, the unit and, for a counter, `total` are appended, as
 * OpenTelemetry's mapping asks (`messaging.process.duration` in `s` is `messaging_process_duration_seconds`). Of a
 * histogram it is the name without `_bucket`, `_sum` and `_count`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const nameOf = (metric: Pick<Metric.Metric<never, unknown>, "id" | "type" | "attributes">): string => {
  const name = metric.id.replace(/[^a-zA-Z0-9_:]+/g, "_")
  const unit = units[metric.attributes?.["unit"] ?? metric.attributes?.["time_unit"] ?? ""]
  const measured = withSuffix(name, unit)
  return withSuffix(measured, metric.type === "Counter" || metric.type === "Frequency" ? "total" : undefined)
}

/**
 * The name of an attribute in Prometheus.
 *
 * @category combinators
 * @since 0.1.0
 */
export const labelOf = (attribute: string): string => attribute.replace(/[^a-zA-Z0-9_]+/g, "_")

const withSuffix = (name: string, suffix: string | undefined): string =>
  suffix === undefined || name.endsWith(`_${suffix}`) || name.endsWith(`_${suffix}_total`) ? name : `${name}_${suffix}`

/**
 * The text, of the registry in a context. Effect's formatter writes it; the names are {@link nameOf}'s.
 *
 * @category combinators
 * @since 0.1.0
 */
export const formatUnsafe = (context: Context.Context<never>): string => {
  const names = new Map(Metric.snapshotUnsafe(context).map((metric) => [metric.id, nameOf(metric)]))
  return Formatter.formatUnsafe(context, { metricNameMapper: (id) => names.get(id) ?? id })
}

/**
 * The text, as of now. Counters of work are up to date; what is measured once per interval (lag, members, processing times)
 * is as of the last measurement.
 *
 * @category combinators
 * @since 0.1.0
 */
export const format: Effect.Effect<string> = Effect.map(Effect.context<never>(), formatUnsafe)

/**
 * The route that Prometheus scrapes. Default path: `/metrics`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = (
  options: { readonly path?: HttpRouter.PathInput | undefined } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(Effect.flatMap(HttpRouter.HttpRouter, (router) =>
    router.add(
      "GET",
      options.path ?? "/metrics",
      Effect.map(format, (text) => HttpServerResponse.text(text, { contentType }))
    )))
