-- Alerts: what a person should know of, from when it opened to when it closed, and whose turn it is to judge.

CREATE TABLE consumer_alerts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service_name text NOT NULL,
  kind text NOT NULL,
  topic text,
  partition integer,
  severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
  message text NOT NULL,
  evidence jsonb NOT NULL DEFAULT '{}',
  opened_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz,
  closed_because text,
  acknowledged_at timestamptz,
  acknowledged_by text,
  told jsonb NOT NULL DEFAULT '{}'
);

COMMENT ON TABLE consumer_alerts IS
  'Alerts on services, judged by weft: open ones have no closed_at, and there is one at most for each service, kind, '
  'topic and partition. Every change is told on the channel weft_alerts.';
COMMENT ON COLUMN consumer_alerts.kind IS
  'What it is about: lag, lag-seconds, stuck, stall, stop, halted, rewind, failing, dead-letters, crashing, '
  'commits-failing, rebalancing, no-members.';
COMMENT ON COLUMN consumer_alerts.topic IS 'NULL: the service as a whole.';
COMMENT ON COLUMN consumer_alerts.partition IS 'NULL: the topic as a whole; the worst partition is in the evidence.';
COMMENT ON COLUMN consumer_alerts.severity IS 'warning or critical; of a closed one what it was last.';
COMMENT ON COLUMN consumer_alerts.message IS 'One sentence with the figures, as last seen.';
COMMENT ON COLUMN consumer_alerts.evidence IS 'The same figures by name.';
COMMENT ON COLUMN consumer_alerts.changed_at IS 'When it opened, or its severity changed last.';
COMMENT ON COLUMN consumer_alerts.last_seen IS 'When its figures were brought up to date; about once a minute.';
COMMENT ON COLUMN consumer_alerts.closed_because IS
  'recovered, or not measured: nothing was heard of its subject any more.';
COMMENT ON COLUMN consumer_alerts.acknowledged_at IS 'When a person said that they know of it (weft alerts ack).';
COMMENT ON COLUMN consumer_alerts.told IS
  'The state (warning, critical, closed) that each receiver was told last, by its name.';

-- By expressions, so that open alerts are found by it, those without a topic or a partition as well.
CREATE UNIQUE INDEX consumer_alerts_open
  ON consumer_alerts (service_name, kind, (coalesce(topic, '')), (coalesce(partition, -1))) WHERE closed_at IS NULL;
CREATE INDEX consumer_alerts_by_service ON consumer_alerts (service_name, opened_at DESC);
CREATE INDEX consumer_alerts_closed ON consumer_alerts (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE consumer_alert_turns (
  name text NOT NULL PRIMARY KEY,
  holder text NOT NULL,
  token uuid NOT NULL,
  taken_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);

COMMENT ON TABLE consumer_alert_turns IS
  'Which process judges the alerts (evaluate), and which one tells each receiver of them. The holder renews its turn; one '
  'that expired is anybody''s.';
COMMENT ON COLUMN consumer_alert_turns.token IS 'Of this holder alone: one that lost its turn cannot write alerts.';

-- What is told is short, so that it fits whatever the names are: who listens reads the row.
CREATE FUNCTION weft_tell_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weft_alerts', json_build_object(
    'id', NEW.id::text,
    'service', left(NEW.service_name, 200),
    'kind', left(NEW.kind, 50),
    'state', CASE WHEN NEW.closed_at IS NULL THEN NEW.severity ELSE 'closed' END,
    'acknowledged', NEW.acknowledged_at IS NOT NULL
  )::text);
  RETURN NULL;
END
$$;

CREATE TRIGGER weft_tell_alert_opened AFTER INSERT ON consumer_alerts
  FOR EACH ROW EXECUTE FUNCTION weft_tell_alert();

CREATE TRIGGER weft_tell_alert_changed AFTER UPDATE ON consumer_alerts
  FOR EACH ROW WHEN (
    (OLD.severity, OLD.closed_at IS NULL, OLD.acknowledged_at)
      IS DISTINCT FROM (NEW.severity, NEW.closed_at IS NULL, NEW.acknowledged_at)
  ) EXECUTE FUNCTION weft_tell_alert();

-- Who could use the tables of metrics can use these.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('GRANT %s ON %s TO %s%s', privilege_type, created::regclass,
      CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl), unnest(ARRAY['consumer_alerts', 'consumer_alert_turns']) AS created
    WHERE pg_class.oid = 'consumer_processing_metrics'::regclass AND grantee <> relowner
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;
