-- Recommendations: what a service should change, as members judge it by what was measured, and when that was last done.

CREATE TABLE consumer_recommendations (
  service_name text NOT NULL,
  rule text NOT NULL,
  priority text NOT NULL CHECK (priority IN ('high', 'medium', 'low')),
  reason text NOT NULL,
  current_config jsonb NOT NULL,
  recommended_config jsonb NOT NULL,
  action text,
  expected_effect text NOT NULL,
  evidence jsonb NOT NULL,
  confidence double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz,
  resolution text,
  PRIMARY KEY (service_name, rule)
);

COMMENT ON TABLE consumer_recommendations IS
  'What services should change, one row for each service and rule. Those that stand have no resolved_at.';
COMMENT ON COLUMN consumer_recommendations.rule IS 'The rule that it comes from; docs/recommendations.md has a section for each.';
COMMENT ON COLUMN consumer_recommendations.priority IS 'high, medium or low.';
COMMENT ON COLUMN consumer_recommendations.reason IS 'What is wrong, in a sentence with the figures.';
COMMENT ON COLUMN consumer_recommendations.current_config IS
  'The values when it was judged, by column of pipeline_consumer_configs: what the rule looks at, and what would change.';
COMMENT ON COLUMN consumer_recommendations.recommended_config IS
  'The values that the service''s row should get (weft recommend --apply); empty where no setting helps.';
COMMENT ON COLUMN consumer_recommendations.action IS 'What a person should do beside that, or instead; NULL: nothing.';
COMMENT ON COLUMN consumer_recommendations.expected_effect IS 'What becomes of it.';
COMMENT ON COLUMN consumer_recommendations.evidence IS 'The figures that it was judged by, by name with unit.';
COMMENT ON COLUMN consumer_recommendations.confidence IS
  'From 0 to 1: how sure the cause is where the symptom is seen, and how much was seen of it.';
COMMENT ON COLUMN consumer_recommendations.created_at IS 'When it first stood; anew where it comes back.';
COMMENT ON COLUMN consumer_recommendations.updated_at IS 'When it was judged last.';
COMMENT ON COLUMN consumer_recommendations.resolved_at IS 'Since when it stands no more; NULL: it stands.';
COMMENT ON COLUMN consumer_recommendations.resolution IS
  'applied: what it recommends is what holds now. no longer: enough was measured, and the symptom is not there.';

CREATE INDEX consumer_recommendations_open ON consumer_recommendations (priority, service_name) WHERE resolved_at IS NULL;

CREATE TABLE consumer_recommendation_runs (
  service_name text NOT NULL PRIMARY KEY,
  evaluated_at timestamptz NOT NULL,
  evaluated_by text NOT NULL,
  undecided jsonb NOT NULL DEFAULT '[]'
);

COMMENT ON TABLE consumer_recommendation_runs IS
  'When each service was judged last: the process that brings the time forward judges it, so that one of many does.';
COMMENT ON COLUMN consumer_recommendation_runs.evaluated_by IS 'The process that judged it.';
COMMENT ON COLUMN consumer_recommendation_runs.undecided IS
  'Rules that have not seen enough since the configuration was applied; what they said before stands.';

-- Who could use the tables of metrics can use these.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('GRANT %s ON %s TO %s%s', privilege_type, created::regclass,
      CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl),
      unnest(ARRAY['consumer_recommendations', 'consumer_recommendation_runs']) AS created
    WHERE pg_class.oid = 'consumer_processing_metrics'::regclass AND grantee <> relowner
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;
