-- Workload profiles: named sets of settings between a service's row and the defaults, and rules that give a profile to
-- services by their names.

CREATE TABLE consumer_workload_profiles (
  name text NOT NULL PRIMARY KEY
    CONSTRAINT consumer_workload_profiles_name_not_blank CHECK (btrim(name) <> ''),
  description text,
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
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE consumer_workload_profiles IS
  'Workload profiles. NULL means left out: default, or derived. A profile that is not here is the built-in one of its name.';
COMMENT ON COLUMN consumer_workload_profiles.name IS
  'What a row (workload_profile), a rule or a program calls it. The profile default holds where none is named.';

-- The values that profiles have built in.
INSERT INTO consumer_workload_profiles
  (name, description, max_poll_records, session_timeout_ms, max_poll_interval_ms, max_partition_fetch_bytes,
    fetch_min_bytes, retry_backoff_ms)
VALUES
  ('default', 'no values of its own: every setting is the default', NULL, NULL, NULL, NULL, NULL, NULL),
  ('high-volume', 'many small records, cheap to process', 500, 30000, 60000, NULL, NULL, NULL),
  ('gpu', 'one large record at a time, minutes of work each', 1, 300000, 600000, 52428800, NULL, NULL),
  ('network-io', 'each record waits on a service elsewhere', 10, 120000, NULL, NULL, NULL, 1000),
  ('db-writer', 'full batches, one transaction each', 500, NULL, NULL, NULL, 65536, 500),
  ('llm', 'few slow, rate-limited, paid calls at a time', 4, 120000, 900000, NULL, NULL, 5000);

CREATE TABLE consumer_profile_rules (
  pattern text NOT NULL PRIMARY KEY
    -- LIKE fails on a pattern that ends with its escape character, and would fail for every service.
    CONSTRAINT consumer_profile_rules_pattern_complete CHECK (pattern !~ '(^|[^\\])(\\\\)*\\$'),
  profile text NOT NULL,
  priority integer NOT NULL DEFAULT 0,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE consumer_profile_rules IS
  'Profiles by the names of services: of the rules whose pattern a name is LIKE, the one of the highest priority holds, among equals that of the longest pattern. A profile that the row names comes first.';
COMMENT ON COLUMN consumer_profile_rules.pattern IS 'A pattern of LIKE, such as %-vision-%.';
COMMENT ON COLUMN consumer_profile_rules.profile IS
  'The name of a profile, of consumer_workload_profiles or built in. A profile that nobody knows is told and skipped.';

ALTER TABLE pipeline_consumer_configs ADD COLUMN IF NOT EXISTS workload_profile text;

COMMENT ON COLUMN pipeline_consumer_configs.workload_profile IS
  'The name of the workload profile whose values hold where the row has NULL. NULL: that of the first rule, else the program''s.';

CREATE TRIGGER weft_touch_workload_profile
  BEFORE UPDATE ON consumer_workload_profiles
  FOR EACH ROW EXECUTE FUNCTION weft_touch_consumer_config();

CREATE TRIGGER weft_touch_profile_rule
  BEFORE UPDATE ON consumer_profile_rules
  FOR EACH ROW EXECUTE FUNCTION weft_touch_consumer_config();

-- The database does not know which services a change concerns: a program may name a profile, and a service without a row
-- may match a rule. So all are told, and those whose configuration did not change do nothing.
CREATE FUNCTION weft_notify_profiles() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_notify('weft_config', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER weft_notify_workload_profiles
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON consumer_workload_profiles
  FOR EACH STATEMENT EXECUTE FUNCTION weft_notify_profiles();

CREATE TRIGGER weft_notify_profile_rules
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON consumer_profile_rules
  FOR EACH STATEMENT EXECUTE FUNCTION weft_notify_profiles();
