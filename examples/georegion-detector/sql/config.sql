-- The configuration of the georegion detector. What is left out is derived, or the default: a session of 30 s has a
-- heartbeat of 10 s.

INSERT INTO pipeline_consumer_configs (
    service_name, consumer_group_id, max_poll_records,
    session_timeout_ms, max_poll_interval_ms
) VALUES (
    'georegion-detector', 'loom-georegion', 200, 30000, 60000
)
ON CONFLICT (service_name) DO NOTHING;
