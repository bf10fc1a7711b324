/**
 * The metrics that pipelines and producers tell, as data: for the handbook, and for whoever checks a dashboard or an alert
 * rule against what exists.
 *
 * @since 0.1.0
 */
import type * as Metric from "effect/Metric"
import { described } from "./internal/instruments.ts"
import { labelOf, nameOf } from "./PrometheusMetrics.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface MetricInfo {
  /** As OTLP has it. */
  readonly id: string
  /** As Prometheus has it; of a histogram without `_bucket`, `_sum` and `_count`. */
  readonly prometheus: string
  readonly type: Metric.Metric.Type
  /** UCUM's: `s`, `By`, or what is counted, in braces. */
  readonly unit: string
  /** The attributes of its series, as OTLP has them. Not each series has all of them. */
  readonly attributes: ReadonlyArray<string>
  /** The same as Prometheus has them. */
  readonly labels: ReadonlyArray<string>
  readonly description: string
}

/**
 * @category constants
 * @since 0.1.0
 */
export const all: ReadonlyArray<MetricInfo> = described.flatMap(({ attributes, metrics }) =>
  metrics.map((metric): MetricInfo => ({
    id: metric.id,
    prometheus: nameOf(metric),
    type: metric.type,
    unit: metric.attributes?.["unit"] ?? "1",
    attributes,
    labels: attributes.map(labelOf),
    description: metric.description ?? ""
  }))
)
