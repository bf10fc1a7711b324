/**
 * The processing times of a topic since the process began, as one of Effect's metrics. Effect's own histograms take one
 * duration at a time, which each record would pay for; this one is added to once per interval.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { Histogram } from "./histogram.ts"
import { processingTimeBoundsMs, processingTimeOf } from "./instruments.ts"

/** Pipelines of one group in one process add to the same. */
const histograms = new WeakMap<Metric.MetricRegistry, Map<string, Histogram>>()

/** What the measured durations of a topic are to be added to. */
export const ofTopic = (topic: string, group: string, context: Context.Context<never>): Histogram => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const known = histograms.get(registry) ?? new Map<string, Histogram>()
  histograms.set(registry, known)
  const key = JSON.stringify([topic, group])
  const found = known.get(key)
  if (found !== undefined) return found
  const histogram = new Histogram()
  known.set(key, histogram)
  const nothing = () => undefined
  Metric.registerUnsafe(processingTimeOf(topic, group), context, {
    get: () => stateOf(histogram),
    update: nothing,
    modify: nothing
  })
  return histogram
}

const stateOf = (histogram: Histogram): Metric.HistogramState => ({
  buckets: processingTimeBoundsMs.map((ms) => [ms / 1_000, histogram.atMost(ms)]),
  count: histogram.count,
  sum: histogram.sum / 1_000,
  min: histogram.quantile(0) / 1_000,
  max: histogram.quantile(1) / 1_000
})
