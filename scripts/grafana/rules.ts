/** Alert rules for Prometheus. Data; the thresholds are those that the database starts with. */

export interface Rule {
  readonly alert: string
  readonly expr: string
  /** How long it must hold. */
  readonly for: string
  readonly severity: "warning" | "critical"
  readonly summary: string
  /** What it means and what to do. */
  readonly description: string
}

const lagSeconds = "max by (group_id, topic_name) (kafka_consumer_group_topic_partition_lag_seconds{})"
const lag = "max by (group_id, topic_name) (kafka_consumer_group_topic_partition_lag{})"
const settledRate = "sum by (messaging_consumer_group_name) (rate(messaging_client_consumed_messages_total{}[5m]))"
const failureRate = "sum by (messaging_consumer_group_name) (rate(weft_pipeline_failures_total{}[5m]))"

export const rules: ReadonlyArray<Rule> = [
  {
    alert: "WeftLagWarning",
    expr: `${lag} > 1000`,
    for: "5m",
    severity: "warning",
    summary: "{{ $labels.group_id }} is {{ $value }} records behind on a partition of {{ $labels.topic_name }}",
    description: "It does not keep up. weft recommend SERVICE says what may help."
  },
  {
    alert: "WeftLagCritical",
    expr: `${lag} > 10000`,
    for: "5m",
    severity: "critical",
    summary: "{{ $labels.group_id }} is {{ $value }} records behind on a partition of {{ $labels.topic_name }}",
    description:
      "weft lag GROUP --partitions shows whether it is one partition or all of them; weft recommend SERVICE says what may help."
  },
  {
    alert: "WeftRecordsWait",
    expr: `${lagSeconds} > 300`,
    for: "5m",
    severity: "warning",
    summary: "a record of {{ $labels.topic_name }} has been waiting for {{ $value }} s for {{ $labels.group_id }}",
    description: "It is slow, or stuck. weft lag GROUP tells which."
  },
  {
    alert: "WeftStuck",
    expr: "max by (messaging_consumer_group_name, instance) (weft_consumer_oldest_in_flight_seconds{}) > 300",
    for: "1m",
    severity: "critical",
    summary:
      "a record of {{ $labels.messaging_consumer_group_name }} has been at work for {{ $value }} s on {{ $labels.instance }}",
    description: "A handler does not return, or its retries never end. The log names the record."
  },
  {
    alert: "WeftStalled",
    expr: "sum by (messaging_consumer_group_name) (increase(weft_consumer_stalls_total{}[10m])) > 0",
    for: "0m",
    severity: "critical",
    summary: "a partition of {{ $labels.messaging_consumer_group_name }} made no progress for max_poll_interval_ms",
    description: "A handler does not return, or max_poll_interval_ms is too short for the work."
  },
  {
    alert: "WeftCrashing",
    expr: "sum by (messaging_consumer_group_name) (increase(weft_consumer_crashes_total{}[10m])) > 3",
    for: "0m",
    severity: "critical",
    summary:
      "the client library of {{ $labels.messaging_consumer_group_name }} failed {{ $value }} times in 10 minutes",
    description:
      "The brokers, the network or the credentials; the log has the errors. weft doctor looks at all of them."
  },
  {
    alert: "WeftRebalancing",
    expr: "max by (messaging_consumer_group_name) (increase(weft_consumer_rebalances_total{}[30m])) > 6",
    for: "0m",
    severity: "warning",
    summary: "{{ $labels.messaging_consumer_group_name }} rebalanced {{ $value }} times in 30 minutes",
    description:
      "Without deployments: raise session_timeout_ms and max_poll_interval_ms. weft groups describe GROUP shows who comes and goes."
  },
  {
    alert: "WeftFailing",
    expr: `${failureRate} > 0.1 * ${settledRate} and ${failureRate} > 0.1`,
    for: "10m",
    severity: "warning",
    summary: "{{ $value }} attempts a second of {{ $labels.messaging_consumer_group_name }} fail, more than one in ten",
    description: "What it depends on may be down; weft dlq count TOPIC shows what is given up, by exception."
  },
  {
    alert: "WeftDeadLetters",
    expr:
      "sum by (messaging_consumer_group_name, messaging_destination_name) (increase(weft_pipeline_dead_letters_total{}[10m])) > 0",
    for: "0m",
    severity: "warning",
    summary: "{{ $value }} records of {{ $labels.messaging_destination_name }} became dead letters in 10 minutes",
    description: "weft dlq count TOPIC shows why, weft dlq show TOPIC the records."
  },
  {
    alert: "WeftCommitsFail",
    expr: "sum by (messaging_consumer_group_name) (increase(weft_consumer_commit_failures_total{}[10m])) > 5",
    for: "0m",
    severity: "warning",
    summary: "{{ $value }} commits of {{ $labels.messaging_consumer_group_name }} failed in 10 minutes",
    description:
      "Nothing is lost; what is not committed is repeated after a restart. Look at the group's coordinator and its permissions."
  },
  {
    alert: "WeftMeasurementsDropped",
    expr: "sum by (instance) (increase(weft_pipeline_measurements_dropped_total{}[10m])) > 0",
    for: "0m",
    severity: "warning",
    summary: "{{ $labels.instance }} dropped {{ $value }} measurements",
    description: "The database of the metrics is away or too slow. Consumers go on; weft doctor looks at it."
  }
]
