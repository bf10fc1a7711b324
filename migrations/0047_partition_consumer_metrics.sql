-- Metrics that can be kept: partitions by day, hours in place of old rows, what members report of themselves, and the
-- views on all of it.

ALTER TABLE consumer_processing_metrics
  ADD COLUMN durations jsonb,
  ADD COLUMN batches bigint,
  ADD COLUMN full_batches bigint,
  ADD COLUMN partitions integer,
  ADD COLUMN busiest_partition_records bigint,
  ADD COLUMN busiest_key_records bigint;

COMMENT ON COLUMN consumer_processing_metrics.durations IS
  'How many records took how long: pairs of an upper bound in milliseconds and a count, rising. They can be added up.';
COMMENT ON COLUMN consumer_processing_metrics.batches IS
  'Batches that were handed to the handler; where records are processed one by one, the runs taken from the consumer.';
COMMENT ON COLUMN consumer_processing_metrics.full_batches IS 'Of these, the ones that were as large as they may be.';
COMMENT ON COLUMN consumer_processing_metrics.partitions IS 'Partitions of the topic that had records in the interval.';
COMMENT ON COLUMN consumer_processing_metrics.busiest_partition_records IS 'Records of the partition that had the most.';
COMMENT ON COLUMN consumer_processing_metrics.busiest_key_records IS
  'About how many records the most frequent key had; NULL where keys are not looked at.';

CREATE TABLE consumer_member_metrics (
  id bigint GENERATED ALWAYS AS IDENTITY,
  service_name text NOT NULL,
  consumer_group_id text,
  member text NOT NULL,
  timestamp timestamptz NOT NULL DEFAULT now(),
  interval_ms double precision,
  partitions integer,
  paused_partitions integer,
  queued_records bigint,
  queued_bytes bigint,
  in_flight bigint,
  oldest_in_flight_ms double precision,
  uncommitted_records bigint,
  commits bigint,
  commit_failures bigint,
  commit_mean_ms double precision,
  commit_p99_ms double precision,
  rebalances bigint,
  lost bigint,
  crashes bigint,
  stalls bigint,
  memory_usage_mb double precision,
  heap_used_mb double precision,
  event_loop_delay_ms double precision,
  late_completions bigint
);

COMMENT ON TABLE consumer_member_metrics IS 'How a member fares, a row per interval.';
COMMENT ON COLUMN consumer_member_metrics.member IS 'The member that wrote the row.';
COMMENT ON COLUMN consumer_member_metrics.timestamp IS 'The end of the interval.';
COMMENT ON COLUMN consumer_member_metrics.interval_ms IS 'The length of the interval, in milliseconds.';
COMMENT ON COLUMN consumer_member_metrics.partitions IS 'Partitions assigned to the member.';
COMMENT ON COLUMN consumer_member_metrics.paused_partitions IS 'Of these, the ones that nothing is fetched for now.';
COMMENT ON COLUMN consumer_member_metrics.queued_records IS 'Records fetched that nobody has taken yet.';
COMMENT ON COLUMN consumer_member_metrics.queued_bytes IS 'The bytes of those.';
COMMENT ON COLUMN consumer_member_metrics.in_flight IS 'Records taken that are not settled.';
COMMENT ON COLUMN consumer_member_metrics.oldest_in_flight_ms IS 'For how long the oldest of them has been at work.';
COMMENT ON COLUMN consumer_member_metrics.uncommitted_records IS
  'Records settled that are not committed: a crash now would repeat them.';
COMMENT ON COLUMN consumer_member_metrics.commits IS 'Commits that the group accepted in the interval.';
COMMENT ON COLUMN consumer_member_metrics.commit_failures IS 'Commits that failed in the interval.';
COMMENT ON COLUMN consumer_member_metrics.commit_mean_ms IS 'The mean time of a commit, in milliseconds.';
COMMENT ON COLUMN consumer_member_metrics.commit_p99_ms IS 'The time that 99 of 100 commits did not exceed.';
COMMENT ON COLUMN consumer_member_metrics.rebalances IS 'Assignments in the interval, without the member''s first one.';
COMMENT ON COLUMN consumer_member_metrics.lost IS 'Partitions that were taken away without a revoke.';
COMMENT ON COLUMN consumer_member_metrics.crashes IS 'Failures of the client library in the interval.';
COMMENT ON COLUMN consumer_member_metrics.stalls IS
  'How often a partition made no progress for max_poll_interval_ms in the interval.';
COMMENT ON COLUMN consumer_member_metrics.memory_usage_mb IS 'Resident memory of the process, in MiB.';
COMMENT ON COLUMN consumer_member_metrics.heap_used_mb IS 'The JavaScript heap in use, in MiB.';
COMMENT ON COLUMN consumer_member_metrics.event_loop_delay_ms IS
  'The longest pause of the event loop in the interval, in milliseconds.';
COMMENT ON COLUMN consumer_member_metrics.late_completions IS
  'Records that were done after their partition was given up; they are not committed.';

-- The partitions of a table by their bounds; the default one has none. Bounds are texts in the catalog, in the session's
-- time zone and style: both are set here, so that they are read as they are written.
CREATE FUNCTION weft_metrics_partitions(parent regclass)
RETURNS TABLE (partition regclass, lower timestamptz, upper timestamptz)
LANGUAGE sql STABLE SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
  SELECT
    child.oid::regclass,
    CASE WHEN bound.text LIKE '%FROM (MINVALUE)%' THEN '-infinity'
      ELSE substring(bound.text FROM $r$FROM \('([^']+)'\)$r$)::timestamptz END,
    substring(bound.text FROM $r$TO \('([^']+)'\)$r$)::timestamptz
  FROM pg_inherits AS link
  JOIN pg_class AS child ON child.oid = link.inhrelid
  CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS text) AS bound
  WHERE link.inhparent = parent
  ORDER BY 3
$$;

-- Makes the partition of a day (in UTC), and moves the day's rows into it that the default partition has taken meanwhile.
-- Answers whether it made one: not where the day has a partition, nor where the table has none.
CREATE FUNCTION weft_add_metrics_partition(parent regclass, day date) RETURNS boolean
LANGUAGE plpgsql SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  since timestamptz := day;
  until timestamptz := day + 1;
  schema text;
  name text;
  owner text;
  spare regclass;
BEGIN
  SELECT namespace.nspname, format('%s_%s', table_of.relname, to_char(day, 'YYYYMMDD')), pg_get_userbyid(table_of.relowner)
  INTO schema, name, owner
  FROM pg_class AS table_of JOIN pg_namespace AS namespace ON namespace.oid = table_of.relnamespace
  WHERE table_of.oid = parent AND table_of.relkind = 'p';
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM pg_inherits AS link JOIN pg_class AS child ON child.oid = link.inhrelid
  CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS text) AS bound
  WHERE link.inhparent = parent
    AND coalesce(substring(bound.text FROM $r$FROM \('([^']+)'\)$r$)::timestamptz, '-infinity') < until
    AND substring(bound.text FROM $r$TO \('([^']+)'\)$r$)::timestamptz > since;
  IF FOUND THEN
    RETURN false;
  END IF;
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
  EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
    schema, name, parent);
  SELECT nullif(partdefid, 0)::regclass INTO spare FROM pg_partitioned_table WHERE partrelid = parent;
  IF spare IS NOT NULL THEN
    -- From here to the end nobody can add a row of this day to it.
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', spare);
    EXECUTE format(
      'WITH moved AS (DELETE FROM %s WHERE timestamp >= $1 AND timestamp < $2 RETURNING *) '
      'INSERT INTO %I.%I SELECT * FROM moved', spare, schema, name
    ) USING since, until;
  END IF;
  EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)', parent, schema, name, since, until);
  IF owner <> current_user THEN
    EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', schema, name, owner);
  END IF;
  RETURN true;
END
$$;

-- The tables become partitioned ones. Rows that are there stay where they are: their table becomes the partition of all
-- days until now, which goes as a whole when the last of these days is too old. So no row is copied, and none is lost.
-- Identity, owner, rights and comments are those of before, and other views on the tables go on reading all rows.
DO $$
DECLARE
  name text;
  old regclass;
  old_name text;
  schema text;
  owner text;
  text_of_table text;
  until timestamptz;
  has_rows boolean;
  next_id bigint;
  timescale text;
  statement text;
  statements text[];
BEGIN
  SELECT nspname INTO timescale
  FROM pg_extension JOIN pg_namespace AS namespace ON namespace.oid = extnamespace WHERE extname = 'timescaledb';
  FOREACH name IN ARRAY ARRAY['consumer_lag_history', 'consumer_processing_metrics', 'consumer_member_metrics'] LOOP
    old := name::regclass;
    FOR statement IN
      SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', old, conname)
      FROM pg_constraint WHERE conrelid = old AND contype = 'p'
    LOOP
      EXECUTE statement;
    END LOOP;

    IF timescale IS NOT NULL THEN
      EXECUTE format(
        'SELECT %I.create_hypertable(%L::regclass, %L::name, chunk_time_interval => interval %L, '
        'create_default_indexes => false, migrate_data => true)', timescale, old, 'timestamp', '1 day'
      );
      CONTINUE;
    END IF;

    SELECT namespace.nspname, pg_get_userbyid(table_of.relowner), obj_description(old, 'pg_class')
    INTO schema, owner, text_of_table
    FROM pg_class AS table_of JOIN pg_namespace AS namespace ON namespace.oid = table_of.relnamespace
    WHERE table_of.oid = old;

    IF EXISTS (
      SELECT FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid AND classid = 'pg_rewrite'::regclass
      JOIN pg_class AS reader ON reader.oid = ev_class WHERE refobjid = old AND reader.relkind = 'm'
    ) THEN
      RAISE EXCEPTION 'a materialized view reads %: drop it, run the migrations, and create it anew', old;
    END IF;
    -- What names the table today names the new one when these run.
    SELECT coalesce(array_agg(format('CREATE OR REPLACE VIEW %s%s AS %s', reader.oid::regclass,
      ' WITH (' || array_to_string(reader.reloptions, ', ') || ')', pg_get_viewdef(reader.oid))), '{}')
    INTO statements
    FROM pg_class AS reader WHERE reader.relkind = 'v' AND reader.oid IN (
      SELECT ev_class FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid AND classid = 'pg_rewrite'::regclass
      WHERE refobjid = old
    );
    SELECT statements || coalesce(array_agg(format('GRANT %s ON %s TO %s%s', privilege_type, old,
      CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)), '{}')
    INTO statements
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) WHERE pg_class.oid = old AND grantee <> relowner;

    EXECUTE format('SELECT EXISTS (SELECT FROM %1$s), coalesce(max(id), 0) + 1, '
      'date_trunc(''day'', greatest(now(), max(timestamp) FILTER (WHERE timestamp < now() + interval ''1 day'')), ''UTC'') '
      '+ interval ''1 day'' FROM %1$s', old) INTO has_rows, next_id, until;
    old_name := format('%s_until_%s', name, to_char(until AT TIME ZONE 'UTC', 'YYYYMMDD'));
    EXECUTE format('ALTER TABLE %s RENAME TO %I', old, old_name);
    FOR statement IN
      SELECT format('ALTER INDEX %s RENAME TO %I', indexrelid::regclass,
        left(index.relname, 45) || to_char(until AT TIME ZONE 'UTC', '"_until_"YYYYMMDD'))
      FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid WHERE indrelid = old
    LOOP
      EXECUTE statement;
    END LOOP;
    EXECUTE format('ALTER TABLE %s ALTER COLUMN id DROP IDENTITY IF EXISTS', old);
    EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS '
      'INCLUDING STORAGE) PARTITION BY RANGE (timestamp)', schema, name, old);
    EXECUTE format('ALTER TABLE %I.%I ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START WITH %s)',
      schema, name, next_id);
    EXECUTE format('COMMENT ON TABLE %I.%I IS %L', schema, name, text_of_table);
    -- It takes the rows of days that have no partition, so that no write fails for the want of one.
    EXECUTE format('CREATE TABLE %1$I.%3$I PARTITION OF %1$I.%2$I DEFAULT', schema, name, name || '_default');
    IF owner <> current_user THEN
      EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', schema, name, owner);
      EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', schema, name || '_default', owner);
    END IF;
    FOREACH statement IN ARRAY statements LOOP
      EXECUTE statement;
    END LOOP;
    IF has_rows THEN
      -- Rows from a clock that is more than a day ahead.
      EXECUTE format('WITH ahead AS (DELETE FROM %s WHERE timestamp >= $1 RETURNING *) '
        'INSERT INTO %I.%I OVERRIDING SYSTEM VALUE SELECT * FROM ahead', old, schema, name || '_default') USING until;
      EXECUTE format('ALTER TABLE %I.%I ATTACH PARTITION %s FOR VALUES FROM (MINVALUE) TO (%L)', schema, name, old, until);
    ELSE
      EXECUTE format('DROP TABLE %s', old);
    END IF;
  END LOOP;
END
$$;

-- Unique, so that a write that is repeated because its answer was lost adds nothing; rows without a member are not bound.
-- Where there were rows, the new table takes over the indexes that their table had.
CREATE UNIQUE INDEX IF NOT EXISTS consumer_lag_history_by_partition
  ON consumer_lag_history (service_name, topic, partition, timestamp DESC, member);
CREATE INDEX IF NOT EXISTS consumer_lag_history_by_time ON consumer_lag_history (timestamp);
CREATE UNIQUE INDEX IF NOT EXISTS consumer_processing_metrics_by_service
  ON consumer_processing_metrics (service_name, timestamp DESC, topic, member);
CREATE INDEX IF NOT EXISTS consumer_processing_metrics_by_time ON consumer_processing_metrics (timestamp);
CREATE UNIQUE INDEX consumer_member_metrics_by_service
  ON consumer_member_metrics (service_name, timestamp DESC, member);
CREATE INDEX consumer_member_metrics_by_time ON consumer_member_metrics (timestamp);

SELECT weft_add_metrics_partition(parent::regclass, (now() AT TIME ZONE 'UTC')::date + ahead)
FROM unnest(ARRAY['consumer_lag_history', 'consumer_processing_metrics', 'consumer_member_metrics']) AS parent,
  generate_series(-1, 3) AS ahead;

-- What stays of rows that are too old: hours. Counts are sums, and processing times are histograms that were added up.
CREATE TABLE consumer_processing_metrics_by_hour (
  service_name text NOT NULL,
  topic text,
  hour timestamptz NOT NULL,
  members integer NOT NULL,
  messages_processed bigint NOT NULL,
  timed_messages bigint NOT NULL,
  processing_time_total_ms double precision NOT NULL,
  durations jsonb NOT NULL,
  bytes bigint NOT NULL,
  retries bigint NOT NULL,
  failures bigint NOT NULL,
  skipped bigint NOT NULL,
  dead_letters bigint NOT NULL,
  batches bigint NOT NULL,
  full_batches bigint NOT NULL,
  max_memory_usage_mb double precision,
  CONSTRAINT consumer_processing_metrics_by_hour_key UNIQUE NULLS NOT DISTINCT (service_name, topic, hour)
);
CREATE INDEX consumer_processing_metrics_by_hour_by_time ON consumer_processing_metrics_by_hour (hour);

COMMENT ON TABLE consumer_processing_metrics_by_hour IS 'consumer_processing_metrics by the hour, all members together.';
COMMENT ON COLUMN consumer_processing_metrics_by_hour.hour IS 'The begin of the hour.';
COMMENT ON COLUMN consumer_processing_metrics_by_hour.members IS 'Members that settled records in it.';
COMMENT ON COLUMN consumer_processing_metrics_by_hour.timed_messages IS 'Of messages_processed, those whose time is known.';
COMMENT ON COLUMN consumer_processing_metrics_by_hour.processing_time_total_ms IS
  'What they took together; divided by timed_messages it is the mean.';
COMMENT ON COLUMN consumer_processing_metrics_by_hour.durations IS
  'The histograms of the hour, added up: see weft_duration_quantile.';

CREATE TABLE consumer_lag_by_hour (
  service_name text NOT NULL,
  topic text NOT NULL,
  hour timestamptz NOT NULL,
  partitions integer NOT NULL,
  samples bigint NOT NULL,
  mean_total_lag double precision NOT NULL,
  max_partition_lag bigint NOT NULL,
  max_lag_partition integer NOT NULL,
  max_lag_seconds double precision,
  PRIMARY KEY (service_name, topic, hour)
);
CREATE INDEX consumer_lag_by_hour_by_time ON consumer_lag_by_hour (hour);

COMMENT ON TABLE consumer_lag_by_hour IS 'consumer_lag_history by the hour, all partitions of a topic together.';
COMMENT ON COLUMN consumer_lag_by_hour.hour IS 'The begin of the hour.';
COMMENT ON COLUMN consumer_lag_by_hour.mean_total_lag IS 'The sum of what each partition''s lag was in the mean.';
COMMENT ON COLUMN consumer_lag_by_hour.max_lag_partition IS 'The partition whose lag was max_partition_lag.';

CREATE TABLE consumer_member_metrics_by_hour (
  service_name text NOT NULL,
  hour timestamptz NOT NULL,
  members integer NOT NULL,
  max_queued_records bigint,
  max_queued_bytes bigint,
  max_oldest_in_flight_ms double precision,
  max_uncommitted_records bigint,
  commits bigint NOT NULL,
  commit_failures bigint NOT NULL,
  commit_time_total_ms double precision NOT NULL,
  max_commit_p99_ms double precision,
  rebalances bigint NOT NULL,
  lost bigint NOT NULL,
  crashes bigint NOT NULL,
  stalls bigint NOT NULL,
  max_memory_usage_mb double precision,
  max_heap_used_mb double precision,
  max_event_loop_delay_ms double precision,
  late_completions bigint NOT NULL,
  PRIMARY KEY (service_name, hour)
);
CREATE INDEX consumer_member_metrics_by_hour_by_time ON consumer_member_metrics_by_hour (hour);

COMMENT ON TABLE consumer_member_metrics_by_hour IS 'consumer_member_metrics by the hour, all members together.';
COMMENT ON COLUMN consumer_member_metrics_by_hour.hour IS 'The begin of the hour.';
COMMENT ON COLUMN consumer_member_metrics_by_hour.commit_time_total_ms IS
  'What the commits took together; divided by commits it is the mean.';
COMMENT ON COLUMN consumer_member_metrics_by_hour.rebalances IS
  'Assignments as the member saw them that saw the most: every member sees every rebalance of its group.';

CREATE TABLE consumer_metrics_maintenance (
  table_name text NOT NULL PRIMARY KEY,
  summed_until timestamptz NOT NULL DEFAULT '-infinity',
  kept_since timestamptz NOT NULL DEFAULT '-infinity',
  ran_at timestamptz
);

COMMENT ON TABLE consumer_metrics_maintenance IS 'How far the job has come that keeps the tables of metrics, a row for each.';
COMMENT ON COLUMN consumer_metrics_maintenance.summed_until IS 'Every hour that ended before is in the table of hours.';
COMMENT ON COLUMN consumer_metrics_maintenance.kept_since IS
  'Rows that are older are gone: the hours before it are final, whatever arrives late.';
COMMENT ON COLUMN consumer_metrics_maintenance.ran_at IS 'When the job began last.';

INSERT INTO consumer_metrics_maintenance (table_name)
VALUES ('consumer_lag_history'), ('consumer_processing_metrics'), ('consumer_member_metrics');

CREATE TABLE consumer_lag_thresholds (
  service_name text NOT NULL PRIMARY KEY,
  warning_lag bigint,
  critical_lag bigint,
  warning_seconds double precision,
  critical_seconds double precision,
  description text
);

COMMENT ON TABLE consumer_lag_thresholds IS
  'When the lag of a service is a warning, and when critical; a service without a row has the defaults.';
COMMENT ON COLUMN consumer_lag_thresholds.warning_lag IS
  'A warning when a partition is behind by more records. NULL: 1000.';
COMMENT ON COLUMN consumer_lag_thresholds.critical_lag IS 'Critical when it is by more than these. NULL: 10000.';
COMMENT ON COLUMN consumer_lag_thresholds.warning_seconds IS
  'A warning when the oldest record that is not settled is older, in seconds. NULL: 300.';
COMMENT ON COLUMN consumer_lag_thresholds.critical_seconds IS
  'Critical when it is older than that. NULL: 1800. ''Infinity'' is never.';
COMMENT ON COLUMN consumer_lag_thresholds.description IS 'For people; no effect.';

-- Who could use the tables of metrics can use the new ones.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('GRANT %s ON %s TO %s%s', privilege_type, created::regclass,
      CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl), unnest(ARRAY[
      'consumer_member_metrics', 'consumer_processing_metrics_by_hour', 'consumer_lag_by_hour',
      'consumer_member_metrics_by_hour', 'consumer_metrics_maintenance', 'consumer_lag_thresholds'
    ]) AS created
    WHERE pg_class.oid = 'consumer_processing_metrics'::regclass AND grantee <> relowner
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

-- The duration in milliseconds that a share (0 to 1) of the records did not exceed; NULL where there is none.
CREATE FUNCTION weft_duration_quantile(durations jsonb, share double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT min(bound) FROM (
    SELECT
      (pair->>0)::double precision AS bound,
      sum((pair->>1)::double precision) OVER (ORDER BY (pair->>0)::double precision) AS seen,
      sum((pair->>1)::double precision) OVER () AS total
    FROM jsonb_array_elements(durations) AS pair
  ) AS buckets
  WHERE total > 0 AND seen >= greatest(1, ceil(share * total));
END;

-- The same of all records since a moment: of a member, or of all where it is NULL. A function of its own, so that the
-- histograms of those who are asked for are read, and no more.
CREATE FUNCTION weft_processing_quantile(service text, of_member text, since timestamptz, share double precision)
RETURNS double precision
LANGUAGE sql STABLE COST 1000
BEGIN ATOMIC
  SELECT weft_duration_quantile(jsonb_agg(jsonb_build_array(bound, records)), share) FROM (
    SELECT (pair->>0)::double precision AS bound, sum((pair->>1)::double precision) AS records
    FROM consumer_processing_metrics AS metrics CROSS JOIN LATERAL jsonb_array_elements(metrics.durations) AS pair
    WHERE metrics.service_name = service AND metrics.timestamp > since
      AND (of_member IS NULL OR metrics.member = of_member)
      AND metrics.timestamp - coalesce(metrics.interval_ms, 0) * interval '0.9 milliseconds' >= since
    GROUP BY 1
  ) AS buckets;
END;

-- The number that a setting has in a stored configuration; NULL where it is none, as another version may have written it.
CREATE FUNCTION weft_applied_number(configuration jsonb, setting text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::text::numeric END
  FROM (SELECT configuration->'settings'->setting->'value' AS value) AS found;
END;

-- The thresholds that hold for a service: the one place of the defaults.
CREATE FUNCTION weft_lag_thresholds(service text)
RETURNS TABLE (
  warning_lag bigint, critical_lag bigint, warning_seconds double precision, critical_seconds double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT
    coalesce(own.warning_lag, 1000), coalesce(own.critical_lag, 10000),
    coalesce(own.warning_seconds, 300), coalesce(own.critical_seconds, 1800)
  FROM (VALUES (service)) AS asked (name) LEFT JOIN consumer_lag_thresholds AS own ON own.service_name = asked.name;
END;

COMMENT ON FUNCTION weft_lag_thresholds(text) IS 'The thresholds of consumer_lag_thresholds, with the defaults.';
COMMENT ON FUNCTION weft_duration_quantile(jsonb, double precision) IS
  'The quantile of a histogram: the duration in milliseconds that the share of the records did not exceed.';
COMMENT ON FUNCTION weft_processing_quantile(text, text, timestamptz, double precision) IS
  'The processing time in milliseconds that the share of the records did not exceed, of a member or of a whole service.';
COMMENT ON FUNCTION weft_metrics_partitions(regclass) IS 'The partitions of a table of metrics, by day.';
COMMENT ON FUNCTION weft_add_metrics_partition(regclass, date) IS
  'Makes the partition of a day (in UTC) and moves its rows there from the default one.';
COMMENT ON FUNCTION weft_applied_number(jsonb, text) IS 'The number that a setting has in a stored configuration.';

CREATE VIEW v_consumer_members AS
SELECT
  service_name, member, consumer_group_id, profile, revision, configuration, applied_at, last_seen
FROM consumer_applied_configs
WHERE left_at IS NULL AND last_seen > now() - INTERVAL '2 minutes';

COMMENT ON VIEW v_consumer_members IS 'The members that run: those that reported within 2 minutes and did not leave.';
COMMENT ON COLUMN v_consumer_members.service_name IS 'The service.';
COMMENT ON COLUMN v_consumer_members.member IS 'The member''s name, the same while its process lives.';
COMMENT ON COLUMN v_consumer_members.consumer_group_id IS 'The consumer group that it is in.';
COMMENT ON COLUMN v_consumer_members.profile IS 'The workload profile that holds.';
COMMENT ON COLUMN v_consumer_members.revision IS 'The revision of the service''s row that is applied; NULL without one.';
COMMENT ON COLUMN v_consumer_members.configuration IS 'Value and source of each setting, and what was refused.';
COMMENT ON COLUMN v_consumer_members.applied_at IS 'Since when the member runs with this configuration.';
COMMENT ON COLUMN v_consumer_members.last_seen IS 'When it reported last; it does so about twice a minute.';

-- The newest moment of each partition first, since that needs no sorting of all samples of 5 minutes.
CREATE VIEW v_current_partition_lag AS
SELECT DISTINCT ON (sample.service_name, sample.topic, sample.partition)
  sample.service_name, sample.topic, sample.partition, sample.consumer_group_id, sample.member, sample.lag,
  sample.lag_seconds, sample.consumer_offset, sample.end_offset, sample.timestamp
FROM (
  SELECT service_name, topic, partition, max(timestamp) AS timestamp
  FROM consumer_lag_history
  WHERE timestamp > now() - INTERVAL '5 minutes'
  GROUP BY service_name, topic, partition
) AS newest
JOIN consumer_lag_history AS sample
  ON sample.service_name = newest.service_name AND sample.topic = newest.topic AND sample.partition = newest.partition
    AND sample.timestamp = newest.timestamp
WHERE sample.timestamp > now() - INTERVAL '5 minutes'
ORDER BY sample.service_name, sample.topic, sample.partition, sample.id DESC;

COMMENT ON VIEW v_current_partition_lag IS
  'The last sample of each partition, where it is not older than 5 minutes; whoever took it, a partition counts once.';
COMMENT ON COLUMN v_current_partition_lag.service_name IS 'The service.';
COMMENT ON COLUMN v_current_partition_lag.topic IS 'The topic.';
COMMENT ON COLUMN v_current_partition_lag.partition IS 'The partition.';
COMMENT ON COLUMN v_current_partition_lag.consumer_group_id IS 'The consumer group; NULL where the writer did not tell.';
COMMENT ON COLUMN v_current_partition_lag.member IS 'The member that took the sample.';
COMMENT ON COLUMN v_current_partition_lag.lag IS 'Records between consumer_offset and the end of the partition.';
COMMENT ON COLUMN v_current_partition_lag.lag_seconds IS
  'The age of the oldest record that is not settled, in seconds; 0 where there is none, NULL where it is not known.';
COMMENT ON COLUMN v_current_partition_lag.consumer_offset IS 'The first offset that is not settled.';
COMMENT ON COLUMN v_current_partition_lag.end_offset IS 'The offset that the next record of the partition will get.';
COMMENT ON COLUMN v_current_partition_lag.timestamp IS 'When the sample was taken.';

CREATE OR REPLACE VIEW v_current_consumer_lag AS
SELECT
  service_name,
  topic,
  count(*)::integer AS partition_count,
  sum(lag)::bigint AS total_lag,
  avg(lag)::double precision AS avg_lag_per_partition,
  max(lag) AS max_partition_lag,
  max(timestamp) AS last_update,
  max(lag_seconds) AS max_lag_seconds
FROM v_current_partition_lag
GROUP BY service_name, topic;

COMMENT ON VIEW v_current_consumer_lag IS 'The lag of each service and topic, from the last sample of each partition.';
COMMENT ON COLUMN v_current_consumer_lag.service_name IS 'The service.';
COMMENT ON COLUMN v_current_consumer_lag.topic IS 'The topic.';
COMMENT ON COLUMN v_current_consumer_lag.partition_count IS 'Partitions that were sampled within 5 minutes.';
COMMENT ON COLUMN v_current_consumer_lag.total_lag IS 'Records behind, of all of them together.';
COMMENT ON COLUMN v_current_consumer_lag.avg_lag_per_partition IS 'The same for a partition, in the mean.';
COMMENT ON COLUMN v_current_consumer_lag.max_partition_lag IS 'The same for the partition that is furthest behind.';
COMMENT ON COLUMN v_current_consumer_lag.last_update IS 'When the newest sample was taken.';
COMMENT ON COLUMN v_current_consumer_lag.max_lag_seconds IS
  'The age of the oldest record that is not settled, in seconds; NULL where it is not known.';

-- The largest lag of a partition decides, since the mean hides one stuck partition among many.
CREATE OR REPLACE VIEW v_consumer_lag_alerts AS
SELECT
  seen.service_name,
  seen.topic,
  seen.avg_lag,
  seen.max_lag,
  coalesce(running.max_poll_records, config.max_poll_records) AS max_poll_records,
  coalesce(running.max_poll_interval_ms, config.max_poll_interval_ms) AS max_poll_interval_ms,
  CASE
    WHEN seen.max_lag > marks.critical_lag OR seen.max_lag_seconds > marks.critical_seconds THEN 'critical'
    WHEN seen.max_lag > marks.warning_lag OR seen.max_lag_seconds > marks.warning_seconds THEN 'warning'
    ELSE 'ok'
  END AS alert_level,
  CASE
    WHEN seen.max_lag > marks.warning_lag THEN format(
      '%s is up to %s records behind on a partition of %s: raise max_poll_records (%s) or add members',
      seen.service_name, seen.max_lag, seen.topic,
      coalesce(coalesce(running.max_poll_records, config.max_poll_records)::text, 'left out')
    )
    WHEN seen.max_lag_seconds > marks.warning_seconds THEN format(
      '%s has had records of %s waiting for up to %s seconds: its records take long, or it is stuck on one',
      seen.service_name, seen.topic, round(seen.max_lag_seconds)
    )
    ELSE format('%s keeps up on %s', seen.service_name, seen.topic)
  END AS alert_message,
  seen.last_update,
  seen.max_lag_seconds,
  marks.warning_lag,
  marks.critical_lag,
  marks.warning_seconds,
  marks.critical_seconds
FROM (
  SELECT
    service_name, topic, avg(lag)::double precision AS avg_lag, max(lag) AS max_lag, max(timestamp) AS last_update,
    max(lag_seconds) AS max_lag_seconds
  FROM consumer_lag_history
  WHERE timestamp > now() - INTERVAL '10 minutes'
  GROUP BY service_name, topic
) AS seen
CROSS JOIN LATERAL weft_lag_thresholds(seen.service_name) AS marks
LEFT JOIN pipeline_consumer_configs AS config ON config.service_name = seen.service_name
LEFT JOIN (
  SELECT
    service_name,
    max(weft_applied_number(configuration, 'max_poll_records'))::integer AS max_poll_records,
    max(weft_applied_number(configuration, 'max_poll_interval_ms'))::integer AS max_poll_interval_ms
  FROM v_consumer_members
  GROUP BY service_name
) AS running ON running.service_name = seen.service_name;

COMMENT ON VIEW v_consumer_lag_alerts IS
  'Lag of the last 10 minutes by service and topic, rated by consumer_lag_thresholds: critical above 10000 records or 30 minutes on a partition, warning above 1000 or 5 minutes, else ok, where the service has no thresholds of its own.';
COMMENT ON COLUMN v_consumer_lag_alerts.service_name IS 'The service.';
COMMENT ON COLUMN v_consumer_lag_alerts.topic IS 'The topic.';
COMMENT ON COLUMN v_consumer_lag_alerts.avg_lag IS 'The mean of all samples of all partitions, in records.';
COMMENT ON COLUMN v_consumer_lag_alerts.max_lag IS 'The largest sample of a partition, in records.';
COMMENT ON COLUMN v_consumer_lag_alerts.max_poll_records IS
  'What the service''s members run with; where none reports, what its row says, NULL where that leaves it out.';
COMMENT ON COLUMN v_consumer_lag_alerts.max_poll_interval_ms IS 'The same of max_poll_interval_ms.';
COMMENT ON COLUMN v_consumer_lag_alerts.alert_level IS
  'critical, warning or ok: the worse of what max_lag and max_lag_seconds come to.';
COMMENT ON COLUMN v_consumer_lag_alerts.alert_message IS 'The same in words, for people.';
COMMENT ON COLUMN v_consumer_lag_alerts.last_update IS 'When the newest sample was taken.';
COMMENT ON COLUMN v_consumer_lag_alerts.max_lag_seconds IS
  'The largest age of an oldest record that was not settled, in seconds; NULL where it is not known.';
COMMENT ON COLUMN v_consumer_lag_alerts.warning_lag IS 'The threshold that holds: max_lag above it is a warning.';
COMMENT ON COLUMN v_consumer_lag_alerts.critical_lag IS 'The threshold that holds: max_lag above it is critical.';
COMMENT ON COLUMN v_consumer_lag_alerts.warning_seconds IS
  'The threshold that holds: max_lag_seconds above it is a warning.';
COMMENT ON COLUMN v_consumer_lag_alerts.critical_seconds IS
  'The threshold that holds: max_lag_seconds above it is critical.';

-- What each member runs with, and what came of it since it does: a tenth of an interval may be of before, as a member tells
-- what it runs with a moment after it has begun to measure. A service none of whose members reports, as it is with
-- programs other than Weft's, has one row: with what its row, its profile and the defaults come to, and all that was
-- measured in its name.
CREATE OR REPLACE VIEW v_consumer_config_monitoring AS
WITH unit AS MATERIALIZED (
  SELECT
    service_name, member, consumer_group_id,
    'applied' AS configuration_source, profile, revision, applied_at, last_seen,
    weft_applied_number(configuration, 'max_poll_records')::integer AS max_poll_records,
    weft_applied_number(configuration, 'max_poll_interval_ms')::integer AS max_poll_interval_ms,
    weft_applied_number(configuration, 'session_timeout_ms')::integer AS session_timeout_ms,
    (
      SELECT jsonb_object_agg(setting.key, setting.value->'value')
      FROM jsonb_each(CASE WHEN jsonb_typeof(configuration->'settings') = 'object' THEN configuration->'settings' END)
        AS setting
    ) AS settings
  FROM v_consumer_members
  UNION ALL
  SELECT
    silent.service_name, NULL, config.consumer_group_id,
    'row', coalesce(config.workload_profile, rule.profile, 'default'), NULL, NULL, NULL,
    coalesce(config.max_poll_records, profile.max_poll_records, 100),
    coalesce(
      config.max_poll_interval_ms,
      greatest(coalesce(profile.max_poll_interval_ms, 300000), config.session_timeout_ms)
    ),
    coalesce(
      config.session_timeout_ms,
      least(
        coalesce(profile.session_timeout_ms, 60000),
        coalesce(config.max_poll_interval_ms, profile.max_poll_interval_ms, 300000)
      )
    ),
    NULL
  FROM (
    SELECT service_name FROM pipeline_consumer_configs
    UNION
    SELECT service_name FROM consumer_processing_metrics WHERE timestamp > now() - INTERVAL '1 hour'
    GROUP BY service_name
    EXCEPT
    SELECT service_name FROM v_consumer_members
  ) AS silent
  LEFT JOIN pipeline_consumer_configs AS config ON config.service_name = silent.service_name
  LEFT JOIN LATERAL (
    SELECT known.profile FROM consumer_profile_rules AS known WHERE silent.service_name LIKE known.pattern
    ORDER BY known.priority DESC, length(known.pattern) DESC, known.pattern LIMIT 1
  ) AS rule ON true
  LEFT JOIN consumer_workload_profiles AS profile
    ON profile.name = coalesce(config.workload_profile, rule.profile, 'default')
), done AS (
  SELECT
    unit.service_name,
    unit.member,
    sum(row.messages_processed)::bigint AS messages_processed,
    -- Intervals without records have no rows, and count.
    coalesce(
      sum(row.messages_processed) FILTER (WHERE row.interval_ms > 0)::double precision / nullif(extract(epoch FROM
        max(row.timestamp) FILTER (WHERE row.interval_ms > 0)
        - min(row.timestamp - row.interval_ms * interval '1 millisecond')
      )::double precision, 0),
      avg(row.messages_per_second)
    ) AS avg_messages_per_second,
    sum(row.processing_time_ms * row.messages_processed)
      / nullif(sum(row.messages_processed) FILTER (WHERE row.processing_time_ms IS NOT NULL), 0)::double precision
      AS avg_processing_time_ms,
    max(row.memory_usage_mb) AS peak_memory_mb,
    sum(row.dead_letters)::bigint AS dead_letters,
    sum(row.retries)::bigint AS retries,
    sum(row.failures)::bigint AS failures,
    sum(row.batches)::bigint AS batches,
    sum(row.full_batches)::bigint AS full_batches,
    sum(row.messages_processed) FILTER (WHERE row.batches IS NOT NULL) AS batched,
    max(row.timestamp) AS last_update
  FROM unit JOIN consumer_processing_metrics AS row ON row.service_name = unit.service_name
    AND (unit.member IS NULL OR row.member = unit.member
      AND row.timestamp - coalesce(row.interval_ms, 0) * interval '0.9 milliseconds' >= unit.applied_at)
  WHERE row.timestamp > now() - INTERVAL '1 hour'
  GROUP BY unit.service_name, unit.member
), fared AS (
  SELECT
    unit.service_name,
    unit.member,
    (array_agg(row.partitions ORDER BY row.timestamp DESC))[1] AS partitions,
    max(row.oldest_in_flight_ms) AS max_oldest_in_flight_ms,
    max(row.queued_records) AS max_queued_records,
    max(row.memory_usage_mb) AS peak_memory_mb,
    max(row.event_loop_delay_ms) AS max_event_loop_delay_ms,
    sum(row.rebalances)::bigint AS rebalances,
    sum(row.stalls)::bigint AS stalls,
    max(row.timestamp) AS last_update
  FROM unit JOIN consumer_member_metrics AS row ON row.service_name = unit.service_name AND row.member = unit.member
    AND row.timestamp - coalesce(row.interval_ms, 0) * interval '0.9 milliseconds' >= unit.applied_at
  WHERE row.timestamp > now() - INTERVAL '1 hour'
  GROUP BY unit.service_name, unit.member
), behind AS (
  SELECT
    service_name, member, sum(lag)::bigint AS total_lag, max(lag) AS max_partition_lag, max(lag_seconds) AS max_lag_seconds
  FROM v_current_partition_lag
  GROUP BY service_name, member
), told AS (
  SELECT
    unit.*,
    config.service_name IS NOT NULL AS has_row,
    config.updated_at AS configured_at,
    done.messages_processed,
    done.avg_messages_per_second,
    done.avg_processing_time_ms,
    greatest(done.peak_memory_mb, fared.peak_memory_mb) AS peak_memory_mb,
    done.dead_letters,
    done.retries,
    done.failures,
    done.batches,
    done.batched / nullif(done.batches, 0)::double precision AS records_per_batch,
    done.full_batches / nullif(done.batches, 0)::double precision AS full_batch_share,
    greatest(done.last_update, fared.last_update) AS last_update,
    p99.processing_time_p99_ms,
    greatest(p99.processing_time_p99_ms, fared.max_oldest_in_flight_ms) / nullif(unit.max_poll_interval_ms, 0)
      AS poll_interval_used,
    fared.partitions,
    fared.max_oldest_in_flight_ms,
    fared.max_queued_records,
    fared.max_event_loop_delay_ms,
    fared.rebalances,
    fared.stalls,
    CASE WHEN unit.member IS NULL THEN whole.total_lag ELSE own.total_lag END AS total_lag,
    CASE WHEN unit.member IS NULL THEN whole.max_partition_lag ELSE own.max_partition_lag END AS max_partition_lag,
    CASE WHEN unit.member IS NULL THEN whole.max_lag_seconds ELSE own.max_lag_seconds END AS max_lag_seconds,
    marks.warning_lag
  FROM unit
  LEFT JOIN pipeline_consumer_configs AS config ON config.service_name = unit.service_name
  LEFT JOIN done ON done.service_name = unit.service_name AND done.member IS NOT DISTINCT FROM unit.member
  LEFT JOIN fared ON fared.service_name = unit.service_name AND fared.member = unit.member
  LEFT JOIN behind AS own ON own.service_name = unit.service_name AND own.member = unit.member
  LEFT JOIN (
    SELECT
      service_name, sum(total_lag)::bigint AS total_lag, max(max_partition_lag) AS max_partition_lag,
      max(max_lag_seconds) AS max_lag_seconds
    FROM behind
    GROUP BY service_name
  ) AS whole ON whole.service_name = unit.service_name
  CROSS JOIN LATERAL weft_lag_thresholds(unit.service_name) AS marks
  CROSS JOIN LATERAL (
    SELECT weft_processing_quantile(
      unit.service_name, unit.member,
      greatest(now() - INTERVAL '10 minutes', unit.applied_at), 0.99
    ) AS processing_time_p99_ms
  ) AS p99
)
SELECT
  service_name,
  has_row,
  consumer_group_id,
  max_poll_records,
  max_poll_interval_ms,
  session_timeout_ms,
  messages_processed,
  avg_messages_per_second,
  avg_processing_time_ms,
  peak_memory_mb,
  dead_letters,
  avg_processing_time_ms * max_poll_records AS batch_time_ms,
  total_lag,
  max_partition_lag,
  last_update,
  configured_at,
  fit.word AS fit,
  CASE fit.word
    WHEN 'no data' THEN
      CASE WHEN member IS NULL THEN 'no metrics in the last hour' ELSE 'no metrics yet with this configuration' END
    WHEN 'batch too slow' THEN
      'a batch takes nearly the poll interval: lower max_poll_records or raise max_poll_interval_ms'
    WHEN 'too slow' THEN 'a record takes nearly the poll interval: raise max_poll_interval_ms'
    WHEN 'stalled' THEN 'a partition made no progress for max_poll_interval_ms: raise it, or find the record'
    WHEN 'rebalancing' THEN 'the group rebalances often: raise session_timeout_ms and max_poll_interval_ms'
    WHEN 'behind' THEN 'raise max_poll_records or add members'
    ELSE 'the configuration fits what is observed'
  END AS advice,
  member,
  configuration_source,
  profile,
  revision,
  applied_at,
  last_seen,
  settings,
  partitions,
  processing_time_p99_ms,
  poll_interval_used,
  batches,
  records_per_batch,
  records_per_batch / nullif(max_poll_records, 0) AS batch_fill,
  full_batch_share,
  retries,
  failures,
  rebalances,
  stalls,
  max_lag_seconds,
  max_queued_records,
  max_oldest_in_flight_ms,
  max_event_loop_delay_ms
FROM told
CROSS JOIN LATERAL (
  SELECT CASE
    WHEN last_update IS NULL THEN 'no data'
    WHEN stalls > 0 THEN 'stalled'
    WHEN poll_interval_used > 0.8 THEN 'too slow'
    -- One that is not Weft's processes the records of a batch one after the other.
    WHEN member IS NULL AND avg_processing_time_ms * max_poll_records > max_poll_interval_ms * 0.8 THEN 'batch too slow'
    WHEN rebalances > 3 THEN 'rebalancing'
    WHEN max_partition_lag > warning_lag THEN 'behind'
    ELSE 'ok'
  END AS word
) AS fit;

COMMENT ON VIEW v_consumer_config_monitoring IS
  'What each member runs with beside what was observed in the last hour since it does; one row for a service none of whose members reports.';
COMMENT ON COLUMN v_consumer_config_monitoring.service_name IS 'The service.';
COMMENT ON COLUMN v_consumer_config_monitoring.has_row IS 'Whether it has a row in pipeline_consumer_configs.';
COMMENT ON COLUMN v_consumer_config_monitoring.consumer_group_id IS 'The consumer group; NULL where only a row could tell, and does not.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_poll_records IS 'As it is applied, profile and defaults included.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_poll_interval_ms IS 'As it is applied, profile and defaults included.';
COMMENT ON COLUMN v_consumer_config_monitoring.session_timeout_ms IS 'As it is applied, profile and defaults included.';
COMMENT ON COLUMN v_consumer_config_monitoring.messages_processed IS 'Records settled; NULL without any.';
COMMENT ON COLUMN v_consumer_config_monitoring.avg_messages_per_second IS
  'The same per second, from the first interval with records to the last.';
COMMENT ON COLUMN v_consumer_config_monitoring.avg_processing_time_ms IS
  'From the begin of a record''s first attempt to its settling, in the mean of all records; a record of a batch takes as long as its batch.';
COMMENT ON COLUMN v_consumer_config_monitoring.peak_memory_mb IS 'The most resident memory of the process, in MiB.';
COMMENT ON COLUMN v_consumer_config_monitoring.dead_letters IS 'Records written to the dead-letter topic.';
COMMENT ON COLUMN v_consumer_config_monitoring.batch_time_ms IS
  'What max_poll_records records take one after the other: avg_processing_time_ms * max_poll_records.';
COMMENT ON COLUMN v_consumer_config_monitoring.total_lag IS
  'Records behind on the member''s partitions; where member is NULL, on all of the service''s.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_partition_lag IS 'The same of the partition that is furthest behind.';
COMMENT ON COLUMN v_consumer_config_monitoring.last_update IS 'When it was measured last.';
COMMENT ON COLUMN v_consumer_config_monitoring.configured_at IS 'When the service''s row was changed last.';
COMMENT ON COLUMN v_consumer_config_monitoring.fit IS
  'no data, stalled, too slow (a record takes over 80% of the poll interval), batch too slow (a batch does, where member is NULL), rebalancing (more than 3), behind (above the threshold of a warning), or ok: the first that holds.';
COMMENT ON COLUMN v_consumer_config_monitoring.advice IS 'What to do about it.';
COMMENT ON COLUMN v_consumer_config_monitoring.member IS 'The member; NULL where none reports.';
COMMENT ON COLUMN v_consumer_config_monitoring.configuration_source IS
  'applied: as the member reports it. row: worked out of the service''s row, its profile and the defaults, since none reports.';
COMMENT ON COLUMN v_consumer_config_monitoring.profile IS 'The workload profile that holds.';
COMMENT ON COLUMN v_consumer_config_monitoring.revision IS
  'The revision of the row that is applied (consumer_config_history); NULL where there is none.';
COMMENT ON COLUMN v_consumer_config_monitoring.applied_at IS
  'Since when the member runs with it: what is observed was observed since then.';
COMMENT ON COLUMN v_consumer_config_monitoring.last_seen IS 'When the member reported last.';
COMMENT ON COLUMN v_consumer_config_monitoring.settings IS 'The value of every setting, as it is applied.';
COMMENT ON COLUMN v_consumer_config_monitoring.partitions IS 'Partitions that the member holds.';
COMMENT ON COLUMN v_consumer_config_monitoring.processing_time_p99_ms IS
  'The time that 99 of 100 records did not exceed in the last 10 minutes, from the histograms of the intervals added up.';
COMMENT ON COLUMN v_consumer_config_monitoring.poll_interval_used IS
  'The larger one of processing_time_p99_ms and max_oldest_in_flight_ms, as a part of max_poll_interval_ms; 1 is all of it.';
COMMENT ON COLUMN v_consumer_config_monitoring.batches IS 'Batches that the handler was given.';
COMMENT ON COLUMN v_consumer_config_monitoring.records_per_batch IS 'Records settled for each of them.';
COMMENT ON COLUMN v_consumer_config_monitoring.batch_fill IS 'The same as a part of max_poll_records; 1 is full.';
COMMENT ON COLUMN v_consumer_config_monitoring.full_batch_share IS 'The part of the batches that were as large as they may be.';
COMMENT ON COLUMN v_consumer_config_monitoring.retries IS 'Attempts after a record''s first one.';
COMMENT ON COLUMN v_consumer_config_monitoring.failures IS 'Attempts that failed.';
COMMENT ON COLUMN v_consumer_config_monitoring.rebalances IS 'Assignments after the member''s first one.';
COMMENT ON COLUMN v_consumer_config_monitoring.stalls IS
  'How often a partition made no progress for max_poll_interval_ms.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_lag_seconds IS
  'The age of the oldest record of the same partitions that is not settled, in seconds.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_queued_records IS 'The most records that waited in partition queues.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_oldest_in_flight_ms IS 'The longest that a record was seen at work.';
COMMENT ON COLUMN v_consumer_config_monitoring.max_event_loop_delay_ms IS
  'The longest pause of the event loop; session_timeout_ms must be far above it.';

CREATE VIEW v_service_health AS
WITH reported AS MATERIALIZED (
  SELECT
    service_name,
    (count(*) FILTER (WHERE left_at IS NULL AND last_seen > now() - INTERVAL '2 minutes'))::integer AS members,
    (count(*) FILTER (WHERE left_at IS NULL AND last_seen <= now() - INTERVAL '2 minutes'
      AND last_seen > now() - INTERVAL '15 minutes'))::integer AS vanished_members,
    bool_and(left_at IS NOT NULL) FILTER (WHERE last_seen > now() - INTERVAL '1 day') AS are_all_left,
    max(left_at) AS left_at,
    max(last_seen) AS last_seen
  FROM consumer_applied_configs
  GROUP BY service_name
), behind AS MATERIALIZED (
  SELECT
    service_name, count(DISTINCT topic)::integer AS topics, count(*)::integer AS partitions,
    sum(lag)::bigint AS total_lag, max(lag) AS max_partition_lag, max(lag_seconds) AS max_lag_seconds,
    max(timestamp) AS last_update
  FROM v_current_partition_lag
  GROUP BY service_name
), done AS MATERIALIZED (
  SELECT
    service_name,
    sum(messages_processed) FILTER (WHERE timestamp > now() - INTERVAL '5 minutes')::bigint AS messages_processed,
    coalesce(
      sum(messages_processed) FILTER (WHERE timestamp > now() - INTERVAL '5 minutes' AND interval_ms > 0)::double precision
        / nullif(extract(epoch FROM now() - greatest(
          min(timestamp - interval_ms * interval '1 millisecond'), now() - INTERVAL '5 minutes'
        ))::double precision, 0),
      avg(messages_per_second) FILTER (WHERE timestamp > now() - INTERVAL '5 minutes')
    ) AS messages_per_second,
    sum(failures) FILTER (WHERE timestamp > now() - INTERVAL '5 minutes')::bigint AS failures,
    sum(dead_letters) FILTER (WHERE timestamp > now() - INTERVAL '5 minutes')::bigint AS dead_letters,
    max(timestamp) AS last_update
  FROM consumer_processing_metrics
  WHERE timestamp > now() - INTERVAL '1 hour'
  GROUP BY service_name
), fared AS MATERIALIZED (
  -- Every member sees every rebalance of its group: the one that saw the most has counted them.
  SELECT
    service_name, max(rebalances)::bigint AS rebalances, sum(lost)::bigint AS lost, sum(crashes)::bigint AS crashes,
    sum(stalls)::bigint AS stalls
  FROM (
    SELECT
      service_name, sum(rebalances) AS rebalances, sum(lost) AS lost, sum(crashes) AS crashes, sum(stalls) AS stalls
    FROM consumer_member_metrics
    WHERE timestamp > now() - INTERVAL '5 minutes'
    GROUP BY service_name, member
  ) AS of_members
  GROUP BY service_name
)
SELECT
  told.service_name,
  status.word AS status,
  CASE status.word
    WHEN 'down' THEN format('nobody has been heard of since %s', to_char(told.last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    WHEN 'stopped' THEN format('its members have left, the last one at %s', to_char(told.left_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    WHEN 'unknown' THEN 'nothing has been heard of it'
    WHEN 'ok' THEN 'it keeps up'
    ELSE concat_ws('; ',
      CASE WHEN told.stalls > 0 THEN format('partitions that made no progress for max_poll_interval_ms: %s', told.stalls) END,
      CASE WHEN told.max_partition_lag > marks.warning_lag THEN
        format('a partition is %s records behind', told.max_partition_lag) END,
      CASE WHEN told.max_lag_seconds > marks.warning_seconds THEN
        format('a record has been waiting for %s seconds', round(told.max_lag_seconds)) END,
      CASE WHEN told.crashes > 0 THEN format('failures of the client library: %s', told.crashes) END,
      CASE WHEN told.vanished_members > 0 THEN format('members gone without leaving: %s', told.vanished_members) END,
      CASE WHEN told.lost > 0 THEN format('partitions lost without a revoke: %s', told.lost) END,
      CASE WHEN told.dead_letters > 0 THEN format('dead letters: %s', told.dead_letters) END,
      CASE WHEN told.failures > 0.1 * told.messages_processed THEN format('failed attempts: %s', told.failures) END,
      CASE WHEN told.rebalances > 3 THEN format('rebalances: %s', told.rebalances) END
    )
  END AS reason,
  told.members,
  told.vanished_members,
  told.topics,
  told.partitions,
  told.total_lag,
  told.max_partition_lag,
  told.max_lag_seconds,
  told.messages_processed,
  told.messages_per_second,
  told.failures,
  told.dead_letters,
  told.rebalances,
  told.lost,
  told.crashes,
  told.stalls,
  told.last_seen
FROM (
  SELECT
    service.service_name,
    coalesce(reported.members, 0) AS members,
    coalesce(reported.vanished_members, 0) AS vanished_members,
    reported.left_at,
    reported.are_all_left,
    coalesce(behind.topics, 0) AS topics,
    coalesce(behind.partitions, 0) AS partitions,
    behind.total_lag,
    behind.max_partition_lag,
    behind.max_lag_seconds,
    coalesce(done.messages_processed, 0) AS messages_processed,
    coalesce(done.messages_per_second, 0) AS messages_per_second,
    coalesce(done.failures, 0) AS failures,
    coalesce(done.dead_letters, 0) AS dead_letters,
    coalesce(fared.rebalances, 0) AS rebalances,
    coalesce(fared.lost, 0) AS lost,
    coalesce(fared.crashes, 0) AS crashes,
    coalesce(fared.stalls, 0) AS stalls,
    greatest(reported.last_seen, done.last_update, behind.last_update) AS last_seen,
    coalesce(reported.members, 0) > 0
      OR greatest(done.last_update, behind.last_update) > now() - INTERVAL '2 minutes' AS is_heard
  FROM (
    SELECT service_name FROM pipeline_consumer_configs
    UNION SELECT service_name FROM reported
    UNION SELECT service_name FROM done
    UNION SELECT service_name FROM behind
  ) AS service
  LEFT JOIN reported USING (service_name)
  LEFT JOIN behind USING (service_name)
  LEFT JOIN done USING (service_name)
  LEFT JOIN fared USING (service_name)
) AS told
CROSS JOIN LATERAL weft_lag_thresholds(told.service_name) AS marks
CROSS JOIN LATERAL (
  SELECT CASE
    WHEN told.last_seen IS NULL THEN 'unknown'
    WHEN told.is_heard IS NOT TRUE AND told.are_all_left THEN 'stopped'
    WHEN told.is_heard IS NOT TRUE THEN 'down'
    WHEN told.stalls > 0 OR told.max_partition_lag > marks.critical_lag
      OR told.max_lag_seconds > marks.critical_seconds THEN 'critical'
    WHEN told.max_partition_lag > marks.warning_lag OR told.max_lag_seconds > marks.warning_seconds
      OR told.crashes > 0 OR told.vanished_members > 0 OR told.lost > 0 OR told.dead_letters > 0
      OR told.failures > 0.1 * told.messages_processed OR told.rebalances > 3 THEN 'warning'
    ELSE 'ok'
  END AS word
) AS status;

COMMENT ON VIEW v_service_health IS 'How each service fares now, a row for each; counts and rates are of the last 5 minutes.';
COMMENT ON COLUMN v_service_health.service_name IS 'The service.';
COMMENT ON COLUMN v_service_health.status IS
  'ok; warning; critical (a stall, or lag above the critical threshold); down (nobody has been heard of for 2 minutes); stopped (its members have left); unknown (it has a row, and has never been heard of).';
COMMENT ON COLUMN v_service_health.reason IS 'Why, in words: everything that makes it so.';
COMMENT ON COLUMN v_service_health.members IS 'Members that run; 0 for programs that do not report them.';
COMMENT ON COLUMN v_service_health.vanished_members IS
  'Members that were heard of within 15 minutes, and are gone without having left.';
COMMENT ON COLUMN v_service_health.topics IS 'Topics whose lag is sampled.';
COMMENT ON COLUMN v_service_health.partitions IS 'Partitions whose lag is sampled.';
COMMENT ON COLUMN v_service_health.total_lag IS 'Records behind; NULL where nobody samples.';
COMMENT ON COLUMN v_service_health.max_partition_lag IS 'The same of the partition that is furthest behind.';
COMMENT ON COLUMN v_service_health.max_lag_seconds IS 'The age of the oldest record that is not settled, in seconds.';
COMMENT ON COLUMN v_service_health.messages_processed IS 'Records settled.';
COMMENT ON COLUMN v_service_health.messages_per_second IS 'The same per second.';
COMMENT ON COLUMN v_service_health.failures IS 'Attempts that failed; more than a tenth of the records is a warning.';
COMMENT ON COLUMN v_service_health.dead_letters IS 'Records written to the dead-letter topic; any is a warning.';
COMMENT ON COLUMN v_service_health.rebalances IS
  'Rebalances of the group, as counted by the member that saw the most; more than 3 are a warning.';
COMMENT ON COLUMN v_service_health.lost IS 'Partitions taken away without a revoke; any is a warning.';
COMMENT ON COLUMN v_service_health.crashes IS 'Failures of the client library; any is a warning.';
COMMENT ON COLUMN v_service_health.stalls IS
  'How often a partition made no progress for max_poll_interval_ms; any is critical.';
COMMENT ON COLUMN v_service_health.last_seen IS 'When a member reported, or something was measured, last.';
