/**
 * What clients tell Effect's metrics, by OpenTelemetry's conventions for messaging.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/**
 * Bounds, in seconds, that the conventions ask for.
 *
 * @category constants
 * @since 0.1.0
 */
export const durationBoundaries: ReadonlyArray<number> = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.075,
  0.1,
  0.25,
  0.5,
  0.75,
  1,
  2.5,
  5,
  7.5,
  10
]

/**
 * Records that producers sent; those that failed have an `error.type`. Keep what this answers for a set of attributes: a
 * metric that is updated with the same attributes again and again costs little.
 *
 * @category metrics
 * @since 0.1.0
 */
export const sentMessagesOf = (attributes: Metric.Metric.AttributeSet): Metric.Counter<number> =>
  Metric.counter("messaging.client.sent.messages", {
    description: "Records that producers sent; those that failed have an error.type",
    attributes: { unit: "{message}", ...attributes },
    incremental: true
  })

/**
 * Seconds from a request to its answer: of sends and of commits, by `messaging.operation.name`. Keep what this answers, as
 * of {@link sentMessagesOf}.
 *
 * @category metrics
 * @since 0.1.0
 */
export const operationDurationOf = (attributes: Metric.Metric.AttributeSet): Metric.Histogram<number> =>
  Metric.histogram("messaging.client.operation.duration", {
    description: "Time from a request to its answer: of sends and of commits, by the operation's name",
    attributes: { unit: "s", ...attributes },
    boundaries: durationBoundaries
  })
