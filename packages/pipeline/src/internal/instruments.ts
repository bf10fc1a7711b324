/**
 * Effect's metrics of a pipeline: named by OpenTelemetry's conventions for messaging where they have a name, for lag as
 * KMinion does, and `weft.` otherwise. Units are UCUM's; the attribute `unit` is how exporters are told.
 */
import * as ClientMetrics from "@weft/kafka/ClientMetrics"
import * as Metric from "effect/Metric"
import type { MemberMetrics, ProcessingMetrics } from "../MetricsSink.ts"

type Instrument = Metric.Metric<number, unknown>

/**
 * Makes the metric of one series. Each has its own: a metric remembers the key of the attributes that it was updated with
 * last, and to make the key costs a hundred times what an update does.
 */
type Make = (attributes?: Metric.Metric.AttributeSet) => Instrument

/** Metrics, and which attributes each of their series has. */
interface Described {
  readonly metrics: ReadonlyArray<Pick<Instrument, "id" | "type" | "description" | "attributes">>
  readonly attributes: ReadonlyArray<string>
}

const counter = (id: string, unit: string, description: string): Make => (attributes) =>
  Metric.counter(id, { description, attributes: { unit, ...attributes }, incremental: true })

const gauge = (id: string, unit: string, description: string): Make => (attributes) =>
  Metric.gauge(id, { description, attributes: { unit, ...attributes } })

/** Told by workers, once for each run of records or batch. */
const work = {
  consumed: counter(
    "messaging.client.consumed.messages",
    "{message}",
    "Records that workers were done with: processed, skipped or dead-lettered"
  ),
  duration: ((attributes) =>
    Metric.histogram("messaging.process.duration", {
      description: "Time that a worker spent on a run of records or on a batch",
      attributes: { unit: "s", ...attributes },
      boundaries: ClientMetrics.durationBoundaries
    })) satisfies Make
}

/** Of a topic, by the measurement that they count. */
const topicCounters = {
  bytes: counter("weft.pipeline.consumed", "By", "Size of the records that were taken in"),
  failures: counter("weft.pipeline.failures", "{attempt}", "Attempts that failed"),
  retries: counter("weft.pipeline.retries", "{attempt}", "Attempts after the first"),
  skipped: counter("weft.pipeline.skipped", "{message}", "Records skipped by policy"),
  deadLetters: counter("weft.pipeline.dead_letters", "{message}", "Records acknowledged by the dead-letter topic"),
  batches: counter("weft.pipeline.batches", "{batch}", "Batches made for the handler, or runs taken from the consumer"),
  fullBatches: counter("weft.pipeline.full_batches", "{batch}", "Batches or runs that were as large as they may be")
} satisfies { readonly [Name in keyof ProcessingMetrics]?: Make }

/** The upper bounds, in milliseconds, that processing times are exported by: durations are counted exactly at these. */
export const processingTimeBoundsMs: ReadonlyArray<number> = Array.from({ length: 21 }, (_, i) => 2 ** (i + 8) / 1_000)

/** Registered with a state of its own: see `processingTimes.ts`. */
const processingTime = Metric.histogram("weft.pipeline.processing_time", {
  description: "Time from the begin of a record's first attempt to its settling",
  attributes: { unit: "s" },
  boundaries: processingTimeBoundsMs.map((ms) => ms / 1_000)
})

/** Of a partition that the member holds, by the sample that they show. */
const partitionGauges = {
  lag: gauge(
    "kafka_consumer_group_topic_partition_lag",
    "{message}",
    "Records between the first that is not settled and the end of the partition"
  ),
  lagSeconds: gauge(
    "kafka_consumer_group_topic_partition_lag_seconds",
    "s",
    "Age of the oldest record that is not settled"
  )
}

/** Of a member, by the measurement that they show. */
const memberGauges = {
  partitions: gauge("weft.consumer.partitions", "{partition}", "Partitions that the member holds"),
  pausedPartitions: gauge(
    "weft.consumer.paused_partitions",
    "{partition}",
    "Partitions that nothing is fetched for: paused, halted, or back-pressured"
  ),
  queuedRecords: gauge("weft.consumer.queued_records", "{message}", "Records fetched that nobody has taken yet"),
  queuedBytes: gauge("weft.consumer.queued", "By", "Size of the records fetched that nobody has taken yet"),
  inFlight: gauge("weft.consumer.in_flight_records", "{message}", "Records that were taken in and are not settled"),
  oldestInFlightMs: gauge(
    "weft.consumer.oldest_in_flight",
    "s",
    "Time since the first attempt of the oldest record at work began"
  ),
  uncommittedRecords: gauge(
    "weft.consumer.uncommitted_records",
    "{message}",
    "Records that are settled without a gap and not committed yet"
  ),
  eventLoopDelayMs: gauge(
    "weft.process.event_loop_delay",
    "s",
    "Longest time in the last interval that the event loop was busy with one thing"
  ),
  memoryUsageMb: gauge("weft.process.resident_memory", "By", "Resident set of the process"),
  heapUsedMb: gauge("weft.process.heap_used", "By", "Heap in use by JavaScript")
} satisfies { readonly [Name in keyof MemberMetrics]?: Make }

/** Of a member, by the measurement that they count. */
const memberCounters = {
  commitFailures: counter("weft.consumer.commit_failures", "{commit}", "Commits that failed"),
  rebalances: counter("weft.consumer.rebalances", "{rebalance}", "Assignments after a member's first"),
  lost: counter("weft.consumer.lost_partitions", "{partition}", "Partitions lost with the membership"),
  crashes: counter("weft.consumer.crashes", "{crash}", "Failures of the client library"),
  stalls: counter(
    "weft.consumer.stalls",
    "{stall}",
    "Times that a partition made no progress for max_poll_interval_ms"
  ),
  lateCompletions: counter(
    "weft.consumer.late_completions",
    "{message}",
    "Records whose processing ended after their partition was given up"
  )
} satisfies { readonly [Name in keyof MemberMetrics]?: Make }

/** Measurements that a sink did not take in time and that its bounded buffer let go. */
const measurementsDropped = counter(
  "weft.pipeline.measurements_dropped",
  "{measurement}",
  "Measurements dropped while a metrics sink was away"
)

export const dropped: Instrument = measurementsDropped()

type Family<Names extends string> = { readonly [Name in Names]: Instrument }

const withAttributes = <Names extends string>(
  family: { readonly [Name in Names]: Make },
  attributes: Metric.Metric.AttributeSet
): Family<Names> =>
  Object.fromEntries(
    Object.entries<Make>(family).map(([name, make]) => [name, make(attributes)])
  ) as Family<Names>

const made = (family: Readonly<Record<string, Make>>): ReadonlyArray<Instrument> =>
  Object.values(family).map((make) => make())

const operation = (name: string, type: string): Metric.Metric.AttributeSet => ({
  "messaging.system": "kafka",
  "messaging.operation.name": name,
  "messaging.operation.type": type
})

const place = (topic: string, group: string): Metric.Metric.AttributeSet => ({
  "messaging.destination.name": topic,
  "messaging.consumer.group.name": group
})

const partitionOf = (topic: string, partition: number, group: string): Metric.Metric.AttributeSet => ({
  topic_name: topic,
  partition_id: String(partition),
  group_id: group
})

const memberOf = (service: string, group: string): Metric.Metric.AttributeSet => ({
  "messaging.consumer.group.name": group,
  "messaging.client.id": service
})

/** All that a pipeline and its producers tell. */
export const described: ReadonlyArray<Described> = [
  {
    metrics: made(work),
    attributes: Object.keys({ ...operation("process", "process"), ...place("", "") })
  },
  {
    metrics: [ClientMetrics.sentMessagesOf({})],
    attributes: [...Object.keys(operation("send", "send")), "messaging.destination.name", "error.type"]
  },
  {
    metrics: [ClientMetrics.operationDurationOf({})],
    attributes: [
      ...Object.keys(operation("", "")),
      "messaging.destination.name",
      ...Object.keys(memberOf("", "")),
      "error.type"
    ]
  },
  { metrics: [processingTime, ...made(topicCounters)], attributes: Object.keys(place("", "")) },
  { metrics: made(partitionGauges), attributes: Object.keys(partitionOf("", 0, "")) },
  {
    metrics: [...made(memberGauges), ...made(memberCounters)],
    attributes: Object.keys(memberOf("", ""))
  },
  { metrics: [dropped], attributes: [] }
]

export interface TopicInstruments extends Family<keyof typeof work> {
  readonly counters: Family<keyof typeof topicCounters>
}

/** Made once for each topic. */
export const ofTopic = (topic: string, group: string): TopicInstruments => ({
  ...withAttributes(work, { ...operation("process", "process"), ...place(topic, group) }),
  counters: withAttributes(topicCounters, place(topic, group))
})

export const processingTimeOf = (topic: string, group: string): Metric.Metric<number, Metric.HistogramState> =>
  Metric.withAttributes(processingTime, place(topic, group))

export type PartitionGauges = Family<keyof typeof partitionGauges>

export const ofPartition = (topic: string, partition: number, group: string): PartitionGauges =>
  withAttributes(partitionGauges, partitionOf(topic, partition, group))

export interface MemberInstruments {
  readonly gauges: Family<keyof typeof memberGauges>
  readonly counters: Family<keyof typeof memberCounters>
  readonly commitDuration: Instrument
}

export const ofMember = (service: string, group: string): MemberInstruments => {
  const attributes = memberOf(service, group)
  return {
    gauges: withAttributes(memberGauges, attributes),
    counters: withAttributes(memberCounters, attributes),
    commitDuration: ClientMetrics.operationDurationOf({ ...operation("commit", "settle"), ...attributes })
  }
}
