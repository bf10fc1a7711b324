-- Every change of a consumer's settings: the row before and after it, who made it, when, and why where that was said.

CREATE TABLE consumer_config_history (
  service_name text NOT NULL,
  revision integer NOT NULL,
  operation text NOT NULL,
  old_row jsonb,
  new_row jsonb,
  changed_by text NOT NULL,
  reason text,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (service_name, revision)
);

COMMENT ON TABLE consumer_config_history IS
  'Changes of pipeline_consumer_configs, kept by a trigger: one row for each change of each service.';
COMMENT ON COLUMN consumer_config_history.revision IS 'Counts the changes of one service, from 1.';
COMMENT ON COLUMN consumer_config_history.operation IS
  'INSERT, UPDATE or DELETE. A service that is renamed has a DELETE under its old name and an INSERT under its new one.';
COMMENT ON COLUMN consumer_config_history.old_row IS 'The row before the change; NULL where there was none.';
COMMENT ON COLUMN consumer_config_history.new_row IS 'The row after the change; NULL where it is gone.';
COMMENT ON COLUMN consumer_config_history.changed_by IS
  'SET weft.actor = ... of the session or transaction that made the change, else the name of its database user.';
COMMENT ON COLUMN consumer_config_history.reason IS 'SET weft.reason = ..., where it was set.';

CREATE INDEX consumer_config_history_by_time ON consumer_config_history (changed_at);

-- Runs with the rights of its owner: who may change a row writes its history with it, and need not be able to alter it.
-- The history stands in the schema of the table, whatever the search path of the session is.
CREATE FUNCTION weft_keep_consumer_config() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  actor text := left(coalesce(nullif(current_setting('weft.actor', true), ''), session_user), 1000);
  reason text := left(nullif(current_setting('weft.reason', true), ''), 10000);
  keep text := format(
    'INSERT INTO %1$I.consumer_config_history '
    '(service_name, revision, operation, old_row, new_row, changed_by, reason) '
    'SELECT $1, coalesce(max(revision), 0) + 1, $2, $3, $4, $5, $6 '
    'FROM %1$I.consumer_config_history WHERE service_name = $1',
    TG_TABLE_SCHEMA
  );
BEGIN
  IF TG_OP = 'INSERT' THEN
    EXECUTE keep USING NEW.service_name, 'INSERT', NULL::jsonb, to_jsonb(NEW), actor, reason;
  ELSIF TG_OP = 'DELETE' THEN
    EXECUTE keep USING OLD.service_name, 'DELETE', to_jsonb(OLD), NULL::jsonb, actor, reason;
  ELSIF NEW.service_name <> OLD.service_name THEN
    EXECUTE keep USING OLD.service_name, 'DELETE', to_jsonb(OLD), NULL::jsonb, actor, reason;
    EXECUTE keep USING NEW.service_name, 'INSERT', NULL::jsonb, to_jsonb(NEW), actor, reason;
  ELSIF to_jsonb(NEW) - 'updated_at' <> to_jsonb(OLD) - 'updated_at' THEN
    EXECUTE keep USING NEW.service_name, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW), actor, reason;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER weft_keep_consumer_config
  AFTER INSERT OR UPDATE OR DELETE ON pipeline_consumer_configs
  FOR EACH ROW EXECUTE FUNCTION weft_keep_consumer_config();

CREATE FUNCTION weft_keep_consumer_configs_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  EXECUTE format(
    'INSERT INTO %1$I.consumer_config_history '
    '(service_name, revision, operation, old_row, changed_by, reason) '
    'SELECT config.service_name, coalesce(max(history.revision), 0) + 1, ''DELETE'', to_jsonb(config), $1, $2 '
    'FROM %1$I.%2$I AS config LEFT JOIN %1$I.consumer_config_history AS history USING (service_name) '
    'GROUP BY config.service_name, to_jsonb(config)',
    TG_TABLE_SCHEMA, TG_TABLE_NAME
  ) USING
    left(coalesce(nullif(current_setting('weft.actor', true), ''), session_user), 1000),
    left(nullif(current_setting('weft.reason', true), ''), 10000);
  RETURN NULL;
END
$$;

CREATE TRIGGER weft_keep_consumer_configs_truncated
  BEFORE TRUNCATE ON pipeline_consumer_configs
  FOR EACH STATEMENT EXECUTE FUNCTION weft_keep_consumer_configs_truncated();

-- Triggers fire without this right, and nobody else can hang these functions on a table of their own.
REVOKE EXECUTE ON FUNCTION weft_keep_consumer_config() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION weft_keep_consumer_configs_truncated() FROM PUBLIC;

-- Rows that are there already begin their history here, so that they can be reverted to.
INSERT INTO consumer_config_history (service_name, revision, operation, new_row, changed_by, reason)
SELECT service_name, 1, 'INSERT', to_jsonb(config), session_user, 'there when the history began'
FROM pipeline_consumer_configs AS config;
