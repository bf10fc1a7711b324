/** What the dashboards show: for each panel the query on PostgreSQL and the one on Prometheus. Data. */

export type Unit = "short" | "s" | "ms" | "reqps" | "bytes" | "decmbytes" | "percentunit" | "none"

export interface Query {
  /** Grafana's template of a legend; of SQL the column `metric` is the legend. */
  readonly legend?: string
  readonly text: string
}

export interface Panel {
  readonly title: string
  /** What it means and what to look at next, for the person on call. */
  readonly description: string
  readonly kind: "timeseries" | "table"
  readonly unit: Unit
  /** Of 24. */
  readonly width: number
  readonly height: number
  readonly queries: ReadonlyArray<Query>
}

const wide = { width: 24, height: 8 } as const
const half = { width: 12, height: 8 } as const
const third = { width: 8, height: 8 } as const

/** Rows of the chosen services within the dashboard's time. */
const chosen = "service_name IN (${service:sqlstring}) AND $__timeFilter(timestamp)"

const table = (title: string, description: string, text: string): Panel => ({
  title,
  description,
  kind: "table",
  unit: "none",
  ...wide,
  queries: [{ text }]
})

/** A line for each service; `value` is an aggregate over the rows of one of them in one step of time. */
const lines = (value: string, from: string, metric = "service_name"): ReadonlyArray<Query> => [{
  text: `SELECT $__timeGroupAlias(timestamp, $__interval), ${metric} AS metric, ${value} AS value
FROM ${from} WHERE ${chosen} GROUP BY 1, 2 ORDER BY 1, 2`
}]

const byTopic = "service_name || ' ' || coalesce(topic, 'all topics')"

/** Rows are of members and of intervals of their own: a sum of rows over the seconds of the step is the rate of all. */
const perSecond = (column: string) => `sum(${column}) / extract(epoch FROM '$__interval'::interval)::double precision`

export const postgres: ReadonlyArray<Panel> = [
  table(
    "Services",
    "How each service fares now, with the reason. Start here.",
    "SELECT * FROM v_service_health WHERE service_name IN (${service:sqlstring}) ORDER BY CASE status WHEN 'critical' THEN 0 WHEN 'down' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, service_name"
  ),
  table(
    "Open alerts",
    "Alerts that are open, the worst first; weft alerts shows the same.",
    "SELECT severity, service_name, kind, topic, partition, message, opened_at, acknowledged_by FROM consumer_alerts WHERE closed_at IS NULL AND service_name IN (${service:sqlstring}) ORDER BY severity, opened_at"
  ),
  {
    title: "Lag in seconds",
    description:
      "The age of the oldest record that is not settled, of the worst partition. Growing: slower than what comes in.",
    kind: "timeseries",
    unit: "s",
    ...half,
    queries: lines("max(lag_seconds)", "consumer_lag_history", byTopic)
  },
  {
    title: "Lag in records, worst partition",
    description: "One partition far above the others is a hot partition, or one that is stuck.",
    kind: "timeseries",
    unit: "short",
    ...half,
    queries: lines("max(lag)", "consumer_lag_history", byTopic)
  },
  {
    title: "Records per second",
    description: "Records settled by all members together.",
    kind: "timeseries",
    unit: "reqps",
    ...half,
    queries: lines(perSecond("messages_processed"), "consumer_processing_metrics", byTopic)
  },
  {
    title: "Processing time, p99",
    description:
      "From the first attempt to the settling, of the slowest member. Times max_poll_records it must stay below max_poll_interval_ms.",
    kind: "timeseries",
    unit: "ms",
    ...half,
    queries: lines("max(processing_time_p99_ms)", "consumer_processing_metrics", byTopic)
  },
  {
    title: "Failed attempts per second",
    description: "Attempts that failed; most are tried again. weft dlq count shows why records are given up.",
    kind: "timeseries",
    unit: "reqps",
    ...third,
    queries: lines(perSecond("failures"), "consumer_processing_metrics")
  },
  {
    title: "Dead letters",
    description: "Records given up and kept in the dead-letter topic.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: lines("sum(dead_letters)", "consumer_processing_metrics")
  },
  {
    title: "Batch fill",
    description: "The share of batches that were full. Near 1 all the time: a larger max_poll_records may pay.",
    kind: "timeseries",
    unit: "percentunit",
    ...third,
    queries: lines("sum(full_batches)::double precision / nullif(sum(batches), 0)", "consumer_processing_metrics")
  },
  {
    title: "Records in flight and queued",
    description: "Bounded by the settings, whatever the backlog: docs/reliability.md has the formula.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: lines("max(in_flight + queued_records)", "consumer_member_metrics", "service_name || ' ' || member")
  },
  {
    title: "Commit time, p99",
    description: "Slow commits are repeated work after a crash.",
    kind: "timeseries",
    unit: "ms",
    ...third,
    queries: lines("max(commit_p99_ms)", "consumer_member_metrics")
  },
  {
    title: "Rebalances",
    description: "Often, without a deployment: session_timeout_ms or max_poll_interval_ms may be too short.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: lines("max(rebalances)", "consumer_member_metrics")
  },
  {
    title: "Memory of a member",
    description: "Resident memory of the process.",
    kind: "timeseries",
    unit: "decmbytes",
    ...half,
    queries: lines("max(memory_usage_mb)", "consumer_member_metrics", "service_name || ' ' || member")
  },
  {
    title: "Pauses of the event loop",
    description:
      "Longer than the heartbeat interval: handlers hold the thread; longer than the session: the group evicts the member.",
    kind: "timeseries",
    unit: "ms",
    ...half,
    queries: lines("max(event_loop_delay_ms)", "consumer_member_metrics", "service_name || ' ' || member")
  },
  table(
    "Configuration beside what is observed",
    "What each member runs with, and whether it fits.",
    "SELECT * FROM v_consumer_config_monitoring WHERE service_name IN (${service:sqlstring}) ORDER BY service_name"
  )
]

const group = "messaging_consumer_group_name=~\"$group\""
const kminion = "group_id=~\"$group\""

const rate = (name: string, by: string) => `sum by (${by}) (rate(${name}{${group}}[$__rate_interval]))`

const byGroup = { legend: "{{messaging_consumer_group_name}}" } as const
const byGroupAndTopic = { legend: "{{messaging_consumer_group_name}} {{messaging_destination_name}}" } as const
const groupAndTopic = "messaging_consumer_group_name, messaging_destination_name"

const quantile = (q: number, name: string) =>
  `histogram_quantile(${q}, sum by (le, ${groupAndTopic}) (rate(${name}_bucket{${group}}[$__rate_interval])))`

export const prometheus: ReadonlyArray<Panel> = [
  {
    title: "Lag in seconds",
    description:
      "The age of the oldest record that is not settled, of the worst partition. Growing: slower than what comes in.",
    kind: "timeseries",
    unit: "s",
    ...half,
    queries: [{
      legend: "{{group_id}} {{topic_name}}",
      text: `max by (group_id, topic_name) (kafka_consumer_group_topic_partition_lag_seconds{${kminion}})`
    }]
  },
  {
    title: "Lag in records, worst partition",
    description: "One partition far above the others is a hot partition, or one that is stuck.",
    kind: "timeseries",
    unit: "short",
    ...half,
    queries: [{
      legend: "{{group_id}} {{topic_name}}",
      text: `max by (group_id, topic_name) (kafka_consumer_group_topic_partition_lag{${kminion}})`
    }]
  },
  {
    title: "Records per second",
    description: "Records that workers were done with, of all members together.",
    kind: "timeseries",
    unit: "reqps",
    ...half,
    queries: [{ ...byGroupAndTopic, text: rate("messaging_client_consumed_messages_total", groupAndTopic) }]
  },
  {
    title: "Processing time, p50, p95 and p99",
    description:
      "From the first attempt to the settling, of all members together. Times max_poll_records it must stay below max_poll_interval_ms.",
    kind: "timeseries",
    unit: "s",
    ...half,
    queries: [0.5, 0.95, 0.99].map((q) => ({
      legend: `${byGroupAndTopic.legend} p${q * 100}`,
      text: quantile(q, "weft_pipeline_processing_time_seconds")
    }))
  },
  {
    title: "Failed attempts per second",
    description: "Attempts that failed; most are tried again. weft dlq count shows why records are given up.",
    kind: "timeseries",
    unit: "reqps",
    ...third,
    queries: [{ ...byGroup, text: rate("weft_pipeline_failures_total", "messaging_consumer_group_name") }]
  },
  {
    title: "Dead letters per second",
    description: "Records given up and kept in the dead-letter topic.",
    kind: "timeseries",
    unit: "reqps",
    ...third,
    queries: [{ ...byGroup, text: rate("weft_pipeline_dead_letters_total", "messaging_consumer_group_name") }]
  },
  {
    title: "Batch fill",
    description: "The share of batches that were full. Near 1 all the time: a larger max_poll_records may pay.",
    kind: "timeseries",
    unit: "percentunit",
    ...third,
    queries: [{
      ...byGroup,
      text: `${rate("weft_pipeline_full_batches_total", "messaging_consumer_group_name")} / ${
        rate("weft_pipeline_batches_total", "messaging_consumer_group_name")
      }`
    }]
  },
  {
    title: "Records in flight and queued",
    description: "Bounded by the settings, whatever the backlog: docs/reliability.md has the formula.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: [
      {
        legend: `${byGroup.legend} in flight`,
        text: `sum by (messaging_consumer_group_name) (weft_consumer_in_flight_records{${group}})`
      },
      {
        legend: `${byGroup.legend} queued`,
        text: `sum by (messaging_consumer_group_name) (weft_consumer_queued_records{${group}})`
      }
    ]
  },
  {
    title: "Rebalances and lost partitions",
    description: "Often, without a deployment: session_timeout_ms or max_poll_interval_ms may be too short.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: [
      {
        legend: `${byGroup.legend} rebalances`,
        text:
          `max by (messaging_consumer_group_name) (increase(weft_consumer_rebalances_total{${group}}[$__rate_interval]))`
      },
      {
        legend: `${byGroup.legend} lost`,
        text:
          `sum by (messaging_consumer_group_name) (increase(weft_consumer_lost_partitions_total{${group}}[$__rate_interval]))`
      }
    ]
  },
  {
    title: "Crashes and stalls",
    description: "Failures of the client library, and partitions without progress for max_poll_interval_ms.",
    kind: "timeseries",
    unit: "short",
    ...third,
    queries: [
      {
        legend: `${byGroup.legend} crashes`,
        text:
          `sum by (messaging_consumer_group_name) (increase(weft_consumer_crashes_total{${group}}[$__rate_interval]))`
      },
      {
        legend: `${byGroup.legend} stalls`,
        text:
          `sum by (messaging_consumer_group_name) (increase(weft_consumer_stalls_total{${group}}[$__rate_interval]))`
      }
    ]
  },
  {
    title: "Memory of a member",
    description: "Resident memory of the process.",
    kind: "timeseries",
    unit: "bytes",
    ...half,
    queries: [{
      legend: `${byGroup.legend} {{instance}}`,
      text: `max by (messaging_consumer_group_name, instance) (weft_process_resident_memory_bytes{${group}})`
    }]
  },
  {
    title: "Pauses of the event loop",
    description:
      "Longer than the heartbeat interval: handlers hold the thread; longer than the session: the group evicts the member.",
    kind: "timeseries",
    unit: "s",
    ...half,
    queries: [{
      legend: `${byGroup.legend} {{instance}}`,
      text: `max by (messaging_consumer_group_name, instance) (weft_process_event_loop_delay_seconds{${group}})`
    }]
  }
]
