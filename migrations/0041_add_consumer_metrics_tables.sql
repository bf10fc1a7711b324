-- What consumers did and how far behind they are, written once per interval by each member, and the views on it.

CREATE TABLE consumer_lag_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service_name text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  lag bigint NOT NULL,
  consumer_offset bigint,
  timestamp timestamptz NOT NULL DEFAULT now(),
  end_offset bigint,
  consumer_group_id text,
  member text,
  lag_seconds double precision
);

COMMENT ON TABLE consumer_lag_history IS 'Samples of the lag of each partition, a row per partition and interval.';
COMMENT ON COLUMN consumer_lag_history.lag IS 'Records between consumer_offset and the end of the partition.';
COMMENT ON COLUMN consumer_lag_history.consumer_offset IS 'The first offset that is not settled.';
COMMENT ON COLUMN consumer_lag_history.timestamp IS 'When the sample was taken.';
COMMENT ON COLUMN consumer_lag_history.end_offset IS 'The offset that the next record of the partition will get.';
COMMENT ON COLUMN consumer_lag_history.member IS 'The member that owned the partition.';
COMMENT ON COLUMN consumer_lag_history.lag_seconds IS
  'The age of the oldest record that is not settled, in seconds; 0 where there is none.';

-- Unique, so that a write that is repeated because its answer was lost adds nothing; rows without a member are not bound.
CREATE UNIQUE INDEX consumer_lag_history_by_partition
  ON consumer_lag_history (service_name, topic, partition, timestamp DESC, member);
CREATE INDEX consumer_lag_history_by_time ON consumer_lag_history (timestamp);

CREATE TABLE consumer_processing_metrics (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service_name text NOT NULL,
  messages_processed bigint NOT NULL,
  processing_time_ms double precision,
  messages_per_second double precision,
  memory_usage_mb double precision,
  timestamp timestamptz NOT NULL DEFAULT now(),
  topic text,
  member text,
  interval_ms double precision,
  processing_time_p50_ms double precision,
  processing_time_p95_ms double precision,
  processing_time_p99_ms double precision,
  bytes bigint,
  retries bigint,
  failures bigint,
  skipped bigint,
  dead_letters bigint
);

COMMENT ON TABLE consumer_processing_metrics IS 'What a member processed, a row per topic and interval.';
COMMENT ON COLUMN consumer_processing_metrics.messages_processed IS
  'Records settled in the interval: processed, skipped or dead-lettered.';
COMMENT ON COLUMN consumer_processing_metrics.processing_time_ms IS
  'The mean time from the begin of a record''s first attempt to its settling, in milliseconds.';
COMMENT ON COLUMN consumer_processing_metrics.messages_per_second IS 'Records settled per second of the interval.';
COMMENT ON COLUMN consumer_processing_metrics.memory_usage_mb IS 'Resident memory of the process, in MiB.';
COMMENT ON COLUMN consumer_processing_metrics.timestamp IS 'The end of the interval.';
COMMENT ON COLUMN consumer_processing_metrics.topic IS 'NULL: all topics of the service together.';
COMMENT ON COLUMN consumer_processing_metrics.member IS 'The member that wrote the row.';
COMMENT ON COLUMN consumer_processing_metrics.interval_ms IS 'The length of the interval, in milliseconds.';
COMMENT ON COLUMN consumer_processing_metrics.processing_time_p50_ms IS 'The median of the same times.';
COMMENT ON COLUMN consumer_processing_metrics.bytes IS 'Bytes of the records'' values and keys.';
COMMENT ON COLUMN consumer_processing_metrics.retries IS 'Attempts after a record''s first one.';
COMMENT ON COLUMN consumer_processing_metrics.failures IS 'Attempts that failed.';
COMMENT ON COLUMN consumer_processing_metrics.skipped IS 'Records skipped by an explicit policy.';
COMMENT ON COLUMN consumer_processing_metrics.dead_letters IS 'Records written to the dead-letter topic.';

-- Unique for the same reason.
CREATE UNIQUE INDEX consumer_processing_metrics_by_service
  ON consumer_processing_metrics (service_name, timestamp DESC, topic, member);
CREATE INDEX consumer_processing_metrics_by_time ON consumer_processing_metrics (timestamp);

-- The last sample of each partition, where it is not older than 5 minutes.
CREATE VIEW v_current_consumer_lag AS
SELECT
  service_name,
  topic,
  count(*)::integer AS partition_count,
  sum(lag)::bigint AS total_lag,
  avg(lag)::double precision AS avg_lag_per_partition,
  max(lag) AS max_partition_lag,
  max(timestamp) AS last_update
FROM (
  SELECT DISTINCT ON (service_name, topic, partition) service_name, topic, partition, lag, timestamp
  FROM consumer_lag_history
  WHERE timestamp > now() - INTERVAL '5 minutes'
  ORDER BY service_name, topic, partition, timestamp DESC, id DESC
) AS latest
GROUP BY service_name, topic;

COMMENT ON VIEW v_current_consumer_lag IS 'The lag of each service and topic, from the last sample of each partition.';

-- The largest lag of a partition decides, since the mean hides one stuck partition among many.
CREATE VIEW v_consumer_lag_alerts AS
SELECT
  seen.service_name,
  seen.topic,
  seen.avg_lag,
  seen.max_lag,
  config.max_poll_records,
  config.max_poll_interval_ms,
  CASE WHEN seen.max_lag > 10000 THEN 'critical' WHEN seen.max_lag > 1000 THEN 'warning' ELSE 'ok' END AS alert_level,
  CASE
    WHEN seen.max_lag > 1000 THEN format(
      '%s is up to %s records behind on a partition of %s: raise max_poll_records (%s) or add members',
      seen.service_name, seen.max_lag, seen.topic, coalesce(config.max_poll_records::text, 'left out')
    )
    ELSE format('%s keeps up on %s', seen.service_name, seen.topic)
  END AS alert_message,
  seen.last_update
FROM (
  SELECT service_name, topic, avg(lag)::double precision AS avg_lag, max(lag) AS max_lag, max(timestamp) AS last_update
  FROM consumer_lag_history
  WHERE timestamp > now() - INTERVAL '10 minutes'
  GROUP BY service_name, topic
) AS seen
LEFT JOIN pipeline_consumer_configs AS config ON config.service_name = seen.service_name;

COMMENT ON VIEW v_consumer_lag_alerts IS
  'Lag of the last 10 minutes by service and topic; alert_level: critical above 10000, warning above 1000, else ok.';

-- What a batch takes at the observed speed against the time that it has, and whether the service keeps up.
CREATE VIEW v_consumer_config_monitoring AS
SELECT
  told.*,
  CASE
    WHEN told.messages_processed IS NULL THEN 'no data'
    WHEN told.batch_time_ms > told.max_poll_interval_ms * 0.8 THEN 'batch too slow'
    WHEN told.max_partition_lag > 1000 THEN 'behind'
    ELSE 'ok'
  END AS fit,
  CASE
    WHEN told.messages_processed IS NULL THEN 'no metrics in the last hour'
    WHEN told.batch_time_ms > told.max_poll_interval_ms * 0.8 THEN
      'a batch takes nearly the poll interval: lower max_poll_records or raise max_poll_interval_ms'
    WHEN told.max_partition_lag > 1000 THEN 'raise max_poll_records or add members'
    ELSE 'the configuration fits what is observed'
  END AS advice
FROM (
  SELECT
    coalesce(config.service_name, done.service_name) AS service_name,
    config.service_name IS NOT NULL AS has_row,
    config.consumer_group_id,
    -- A setting left out counts with its default; a workload profile is known to the consumer only.
    coalesce(config.max_poll_records, 100) AS max_poll_records,
    coalesce(config.max_poll_interval_ms, 300000) AS max_poll_interval_ms,
    coalesce(config.session_timeout_ms, 60000) AS session_timeout_ms,
    done.messages_processed,
    done.avg_messages_per_second,
    done.avg_processing_time_ms,
    done.peak_memory_mb,
    done.dead_letters,
    done.avg_processing_time_ms * coalesce(config.max_poll_records, 100) AS batch_time_ms,
    behind.total_lag,
    behind.max_partition_lag,
    done.last_update,
    config.updated_at AS configured_at
  FROM pipeline_consumer_configs AS config
  FULL JOIN (
    SELECT
      service_name,
      sum(messages_processed)::bigint AS messages_processed,
      avg(messages_per_second) AS avg_messages_per_second,
      sum(processing_time_ms * messages_processed)
        / nullif(sum(messages_processed) FILTER (WHERE processing_time_ms IS NOT NULL), 0)::double precision
        AS avg_processing_time_ms,
      max(memory_usage_mb) AS peak_memory_mb,
      sum(dead_letters)::bigint AS dead_letters,
      max(timestamp) AS last_update
    FROM consumer_processing_metrics
    WHERE timestamp > now() - INTERVAL '1 hour'
    GROUP BY service_name
  ) AS done ON done.service_name = config.service_name
  LEFT JOIN (
    SELECT service_name, sum(total_lag)::bigint AS total_lag, max(max_partition_lag) AS max_partition_lag
    FROM v_current_consumer_lag
    GROUP BY service_name
  ) AS behind ON behind.service_name = coalesce(config.service_name, done.service_name)
) AS told;

COMMENT ON VIEW v_consumer_config_monitoring IS
  'How each configuration fits what was observed in the last hour: batch_time_ms against max_poll_interval_ms, and lag.';
