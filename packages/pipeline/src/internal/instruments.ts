/** Effect's metrics of a pipeline, named by OpenTelemetry's conventions for messaging and, for lag, as KMinion does. */
import * as Metric from "effect/Metric"

const consumed = Metric.counter("messaging.client.consumed.messages", {
  description: "Records that were processed, skipped or dead-lettered",
  incremental: true
})

const duration = Metric.histogram("messaging.process.duration", {
  description: "Seconds that a worker spent on a run of records or a batch",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
})

const failures = Metric.counter("weft_pipeline_failures", { description: "Attempts that failed", incremental: true })
const retries = Metric.counter("weft_pipeline_retries", { description: "Attempts after the first", incremental: true })
const skipped = Metric.counter("weft_pipeline_skipped", { description: "Records skipped by policy", incremental: true })
const deadLetters = Metric.counter("weft_pipeline_dead_letters", {
  description: "Records acknowledged by the dead-letter topic",
  incremental: true
})
const lag = Metric.gauge("kafka_consumer_group_topic_partition_lag", {
  description: "Records between the first that is not settled and the end of the partition"
})
const lagSeconds = Metric.gauge("kafka_consumer_group_topic_partition_lag_seconds", {
  description: "Age of the oldest record that is not settled"
})

/** Measurements that a sink did not take in time and that the bounded buffer let go. */
export const dropped = Metric.counter("weft_pipeline_measurements_dropped", {
  description: "Measurements dropped while the metrics sink was away",
  incremental: true
})

export interface TopicInstruments {
  readonly consumed: Metric.Metric<number, unknown>
  readonly duration: Metric.Metric<number, unknown>
  readonly failures: Metric.Metric<number, unknown>
  readonly retries: Metric.Metric<number, unknown>
  readonly skipped: Metric.Metric<number, unknown>
  readonly deadLetters: Metric.Metric<number, unknown>
}

/** Made once for each topic: attributes are what a metric's update costs most for. */
export const ofTopic = (topic: string, group: string): TopicInstruments => {
  const attributes = {
    "messaging.system": "kafka",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": topic,
    "messaging.consumer.group.name": group
  }
  return {
    consumed: Metric.withAttributes(consumed, attributes),
    duration: Metric.withAttributes(duration, attributes),
    failures: Metric.withAttributes(failures, attributes),
    retries: Metric.withAttributes(retries, attributes),
    skipped: Metric.withAttributes(skipped, attributes),
    deadLetters: Metric.withAttributes(deadLetters, attributes)
  }
}

export const ofPartition = (topic: string, partition: number, group: string) => {
  const attributes = { topic_name: topic, partition_id: String(partition), group_id: group }
  return { lag: Metric.withAttributes(lag, attributes), lagSeconds: Metric.withAttributes(lagSeconds, attributes) }
}
