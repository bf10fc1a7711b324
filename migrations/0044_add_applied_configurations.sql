-- What each member of each service runs with, as it reports it.

CREATE TABLE consumer_applied_configs (
  service_name text NOT NULL,
  member text NOT NULL,
  consumer_group_id text NOT NULL,
  revision integer,
  profile text NOT NULL,
  configuration jsonb NOT NULL,
  applied_at timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  left_at timestamptz,
  PRIMARY KEY (service_name, member)
);

COMMENT ON TABLE consumer_applied_configs IS 'The configuration that each member runs with, written by the members.';
COMMENT ON COLUMN consumer_applied_configs.member IS 'The member''s name, the same while its process lives.';
COMMENT ON COLUMN consumer_applied_configs.revision IS
  'The revision of the service''s row (consumer_config_history) that is applied; NULL where there was none.';
COMMENT ON COLUMN consumer_applied_configs.profile IS 'The workload profile that holds.';
COMMENT ON COLUMN consumer_applied_configs.configuration IS
  'settings: value and source of each setting, and what was refused with the reason; issues: one line for each.';
COMMENT ON COLUMN consumer_applied_configs.last_seen IS 'When the member reported last; it does so about twice a minute.';
COMMENT ON COLUMN consumer_applied_configs.left_at IS 'When the member said that it leaves; NULL while it runs, or after a crash.';

CREATE INDEX consumer_applied_configs_by_time ON consumer_applied_configs (last_seen);
