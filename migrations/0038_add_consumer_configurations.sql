-- The settings of Kafka consumers, one row per service.
--
-- NULL means left out: the value is then that of the workload profile, the default, or derived from other settings.
-- Bounds and contradictions are no CHECKs here. A value that cannot be used falls back by itself, with a reason that is
-- logged and counted; a CHECK would refuse the whole statement, and could not know what the values left out become.
-- No other table is needed: a service is whatever names itself so.

CREATE TABLE pipeline_consumer_configs (
  service_name text NOT NULL PRIMARY KEY
    CONSTRAINT pipeline_consumer_configs_service_name_not_blank CHECK (btrim(service_name) <> ''),
  consumer_group_id text,
  max_poll_records integer,
  session_timeout_ms integer,
  max_poll_interval_ms integer,
  heartbeat_interval_ms integer,
  partition_assignment_strategy text,
  enable_auto_commit boolean,
  auto_commit_interval_ms integer,
  auto_offset_reset text,
  fetch_min_bytes integer,
  fetch_max_wait_ms integer,
  fetch_max_bytes integer,
  max_partition_fetch_bytes integer,
  request_timeout_ms integer,
  retry_backoff_ms integer,
  reconnect_backoff_ms integer,
  reconnect_backoff_max_ms integer,
  connections_max_idle_ms integer,
  isolation_level text,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE pipeline_consumer_configs IS
  'Settings of Kafka consumers, one row per service. NULL means left out: profile, default, or derived.';
COMMENT ON COLUMN pipeline_consumer_configs.service_name IS
  'The service, as it names itself. A service without a row runs with its profile and the defaults.';
COMMENT ON COLUMN pipeline_consumer_configs.description IS 'For people; no effect.';
COMMENT ON COLUMN pipeline_consumer_configs.updated_at IS 'When the row was changed last; kept by a trigger.';
-- These are the texts of Setting.ts (node packages/config/bin/settings-doc.ts --sql).
COMMENT ON COLUMN pipeline_consumer_configs.consumer_group_id IS
  'group.id. The consumer group whose members share the partitions and whose committed offsets are continued. Accepts a name of up to 32767 bytes; default <service>-consumer-group. Change: restart. NULL: <service>-consumer-group.';
COMMENT ON COLUMN pipeline_consumer_configs.max_poll_records IS
  'max.poll.records. The most records that one batch hands to processing; it also scales the partition queues. Accepts 1 to 5000 records; default 100. Change: hot.';
COMMENT ON COLUMN pipeline_consumer_configs.session_timeout_ms IS
  'session.timeout.ms. How long the group waits without a heartbeat before a member counts as dead and its partitions move on. Accepts 6000 to 1800000 milliseconds; default 60000. Change: rejoin. NULL: the profile''s value or the default, at most max_poll_interval_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.max_poll_interval_ms IS
  'max.poll.interval.ms. How long a partition may make no progress before it counts as stalled, and how long a rebalance waits. Accepts 6000 to 86400000 milliseconds; default 300000. Change: rejoin. NULL: the profile''s value or the default, at least session_timeout_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.heartbeat_interval_ms IS
  'heartbeat.interval.ms. How often a member tells the group that it is alive and learns that a rebalance has begun. Accepts 100 to 600000 milliseconds; default 20000. Change: rejoin. NULL: the default, at most a third of session_timeout_ms (a session of 30000 makes it 10000).';
COMMENT ON COLUMN pipeline_consumer_configs.partition_assignment_strategy IS
  'partition.assignment.strategy. How the group''s leader shares the partitions among the members. Accepts range, roundrobin, sticky or cooperative-sticky; default range. Change: rejoin.';
COMMENT ON COLUMN pipeline_consumer_configs.enable_auto_commit IS
  'enable.auto.commit. Whether offsets are committed on the clock alone; only settled offsets are committed either way. Accepts true or false; default false. Change: hot.';
COMMENT ON COLUMN pipeline_consumer_configs.auto_commit_interval_ms IS
  'auto.commit.interval.ms. How often settled offsets are committed where enable_auto_commit is on. Accepts 100 to 3600000 milliseconds; default 5000. Change: hot.';
COMMENT ON COLUMN pipeline_consumer_configs.auto_offset_reset IS
  'auto.offset.reset. Where a partition begins that has no committed offset, or whose committed offset no longer exists. Accepts earliest, latest or none; default earliest. Change: restart.';
COMMENT ON COLUMN pipeline_consumer_configs.fetch_min_bytes IS
  'fetch.min.bytes. How much a broker collects before it answers a fetch, unless fetch_max_wait_ms passes first. Accepts 1 to 52428800 bytes; default 1. Change: hot. NULL: the profile''s value or the default, at most fetch_max_bytes.';
COMMENT ON COLUMN pipeline_consumer_configs.fetch_max_wait_ms IS
  'fetch.max.wait.ms. The longest that a broker holds a fetch for which it has less than fetch_min_bytes. Accepts 1 to 30000 milliseconds; default 500. Change: hot. NULL: the profile''s value or the default, less than request_timeout_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.fetch_max_bytes IS
  'fetch.max.bytes. The most bytes in one answer of a broker; memory in flight is at most this times the number of brokers. Accepts 1024 to 1073741824 bytes; default 52428800. Change: hot. NULL: the profile''s value or the default, at least max_partition_fetch_bytes.';
COMMENT ON COLUMN pipeline_consumer_configs.max_partition_fetch_bytes IS
  'max.partition.fetch.bytes. The most bytes of one partition in one answer; a larger record still comes through, alone. Accepts 1024 to 1073741824 bytes; default 1048576. Change: hot. NULL: the profile''s value or the default, at most fetch_max_bytes.';
COMMENT ON COLUMN pipeline_consumer_configs.request_timeout_ms IS
  'request.timeout.ms. How long a request to a broker may take before it fails and is tried again. Accepts 6001 to 86405000 milliseconds; default 305000. Change: rejoin. NULL: the profile''s value or the default, or max_poll_interval_ms + 5000 where that is not more.';
COMMENT ON COLUMN pipeline_consumer_configs.retry_backoff_ms IS
  'retry.backoff.ms. The first pause before a failed record or request is tried again; the pauses grow from there. Accepts 1 to 300000 milliseconds; default 100. Change: hot. NULL: the profile''s value or the default, less than max_poll_interval_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.reconnect_backoff_ms IS
  'reconnect.backoff.ms. The first pause before a lost connection to a broker is opened again. Accepts 1 to 300000 milliseconds; default 50. Change: rejoin. NULL: the profile''s value or the default, at most reconnect_backoff_max_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.reconnect_backoff_max_ms IS
  'reconnect.backoff.max.ms. The longest pause between two attempts to open a connection; the pauses double up to it. Accepts 1 to 3600000 milliseconds; default 1000. Change: rejoin. NULL: the profile''s value or the default, at least reconnect_backoff_ms.';
COMMENT ON COLUMN pipeline_consumer_configs.connections_max_idle_ms IS
  'connections.max.idle.ms. How long a connection to a broker may carry nothing before it is closed. Accepts 1000 to 86400000 milliseconds; default 540000. Change: rejoin.';
COMMENT ON COLUMN pipeline_consumer_configs.isolation_level IS
  'isolation.level. Whether records of open and aborted transactions are seen. Kafka''s own default is read_uncommitted; processing has effects outside of Kafka, and those of an aborted record cannot be taken back. Accepts read_committed or read_uncommitted; default read_committed. Change: rejoin.';

CREATE FUNCTION weft_touch_consumer_config() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END
$$;

CREATE TRIGGER weft_touch_consumer_config
  BEFORE UPDATE ON pipeline_consumer_configs
  FOR EACH ROW EXECUTE FUNCTION weft_touch_consumer_config();

-- Tells running consumers on the channel weft_config which service's row has changed. An empty payload means any:
-- after TRUNCATE, and for a name that is too long for a payload (8000 bytes).
CREATE FUNCTION weft_notify_consumer_config() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('weft_config', '');
    RETURN NULL;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM pg_notify('weft_config', CASE WHEN octet_length(NEW.service_name) < 8000 THEN NEW.service_name ELSE '' END);
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.service_name <> OLD.service_name THEN
    PERFORM pg_notify('weft_config', CASE WHEN octet_length(OLD.service_name) < 8000 THEN OLD.service_name ELSE '' END);
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER weft_notify_consumer_config
  AFTER INSERT OR UPDATE OR DELETE ON pipeline_consumer_configs
  FOR EACH ROW EXECUTE FUNCTION weft_notify_consumer_config();

CREATE TRIGGER weft_notify_consumer_configs_truncated
  AFTER TRUNCATE ON pipeline_consumer_configs
  FOR EACH STATEMENT EXECUTE FUNCTION weft_notify_consumer_config();
