/** Databases as Loom v2 leaves them, by the shapes of its tables. */

/** Its table of services, of which every other one asks a row. */
export const services = `
  CREATE TABLE pipeline_stages (id serial PRIMARY KEY, service_name text NOT NULL UNIQUE, replicas integer DEFAULT 1);
  INSERT INTO pipeline_stages (service_name) VALUES ('silero-vad'), ('minicpm-vision'), ('georegion-detector');
  CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$`

/** Its table of configurations; with `NOT NULL`, the stricter one of its two forms. */
export const configs = (notNull: "" | "NOT NULL" = "") => `
  CREATE TABLE pipeline_consumer_configs (
    service_name text PRIMARY KEY,
    consumer_group_id text NOT NULL,
    max_poll_records integer ${notNull} DEFAULT 100,
    session_timeout_ms integer ${notNull} DEFAULT 60000,
    max_poll_interval_ms integer ${notNull} DEFAULT 300000,
    heartbeat_interval_ms integer ${notNull} DEFAULT 20000,
    partition_assignment_strategy text ${notNull} DEFAULT 'range'
      CHECK (partition_assignment_strategy IN ('range', 'roundrobin', 'sticky', 'cooperative-sticky')),
    enable_auto_commit boolean ${notNull} DEFAULT false,
    auto_commit_interval_ms integer ${notNull} DEFAULT 5000,
    auto_offset_reset text ${notNull} DEFAULT 'earliest' CHECK (auto_offset_reset IN ('earliest', 'latest', 'none')),
    fetch_min_bytes integer ${notNull} DEFAULT 1,
    fetch_max_wait_ms integer ${notNull} DEFAULT 500,
    max_partition_fetch_bytes integer ${notNull} DEFAULT 1048576,
    request_timeout_ms integer ${notNull} DEFAULT 305000,
    retry_backoff_ms integer ${notNull} DEFAULT 100,
    reconnect_backoff_ms integer ${notNull} DEFAULT 50,
    reconnect_backoff_max_ms integer ${notNull} DEFAULT 1000,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT valid_timeouts CHECK (session_timeout_ms > heartbeat_interval_ms * 2
      AND max_poll_interval_ms > session_timeout_ms AND request_timeout_ms > max_poll_interval_ms),
    CONSTRAINT valid_poll_records CHECK (max_poll_records > 0 AND max_poll_records <= 5000),
    CONSTRAINT fk_consumer_config_service FOREIGN KEY (service_name) REFERENCES pipeline_stages (service_name)
      ON DELETE CASCADE
  );
  CREATE TRIGGER update_pipeline_consumer_configs_updated_at BEFORE UPDATE ON pipeline_consumer_configs
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
  CREATE INDEX idx_consumer_group_lookup ON pipeline_consumer_configs (consumer_group_id);
  INSERT INTO pipeline_consumer_configs (
    service_name, consumer_group_id, max_poll_records, session_timeout_ms, max_poll_interval_ms, heartbeat_interval_ms,
    partition_assignment_strategy, request_timeout_ms
  ) VALUES
    ('silero-vad', 'loom-vad-processor', 500, 30000, 60000, 10000, 'sticky', 305000),
    ('minicpm-vision', 'loom-minicpm-vision', 1, 300000, 600000, 60000, 'range', 605000),
    ('georegion-detector', 'loom-georegion', 50, 30000, 60000, 10000, 'range', 305000)`

/** The view on its configurations that has the name of ours. */
export const configView = `
  CREATE VIEW v_consumer_config_monitoring AS
  SELECT config.service_name, config.max_poll_records, stage.replicas
  FROM pipeline_consumer_configs AS config JOIN pipeline_stages AS stage USING (service_name)`

/** Its tables of metrics in the form of its 041, with views of the names of ours. */
export const metrics = `
  CREATE TABLE consumer_lag_history (
    id bigserial PRIMARY KEY, service_name text NOT NULL, topic text NOT NULL, partition integer NOT NULL,
    lag bigint NOT NULL, consumer_offset bigint NOT NULL, timestamp timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT fk_lag_history_service FOREIGN KEY (service_name) REFERENCES pipeline_stages (service_name)
      ON DELETE CASCADE
  );
  CREATE INDEX idx_consumer_lag_history_service_time ON consumer_lag_history (service_name, timestamp DESC);
  CREATE TABLE consumer_processing_metrics (
    id bigserial PRIMARY KEY, service_name text NOT NULL, messages_processed integer NOT NULL,
    processing_time_ms numeric NOT NULL, messages_per_second numeric NOT NULL, memory_usage_mb numeric,
    timestamp timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT fk_processing_metrics_service FOREIGN KEY (service_name) REFERENCES pipeline_stages (service_name)
      ON DELETE CASCADE
  );
  CREATE VIEW v_current_consumer_lag AS
    SELECT service_name, topic, sum(lag) AS total_lag FROM consumer_lag_history GROUP BY service_name, topic;
  CREATE VIEW v_consumer_lag_alerts AS
    SELECT service_name, avg(lag) AS avg_lag FROM consumer_lag_history GROUP BY service_name;
  CREATE MATERIALIZED VIEW consumer_lag_hourly AS
    SELECT service_name, date_trunc('hour', timestamp) AS hour, max(lag) AS max_lag
    FROM consumer_lag_history GROUP BY 1, 2;
  INSERT INTO consumer_lag_history (service_name, topic, partition, lag, consumer_offset) VALUES
    ('silero-vad', 't', 0, 10, 5), ('silero-vad', 't', 1, 2000, 7);
  INSERT INTO consumer_processing_metrics (service_name, messages_processed, processing_time_ms, messages_per_second)
  VALUES ('silero-vad', 1, 12.5, 80.25), ('georegion-detector', 1, 3, 300)`

/** The same tables in the other form, that of its 040, with a view of its own on them. */
export const olderMetrics = `
  CREATE TABLE consumer_lag_history (
    id serial PRIMARY KEY, consumer_group_id text NOT NULL, topic_name text NOT NULL, partition_id integer NOT NULL,
    current_offset bigint NOT NULL, log_end_offset bigint NOT NULL, lag bigint NOT NULL,
    timestamp timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT valid_offsets CHECK (current_offset >= 0 AND log_end_offset >= current_offset)
  );
  CREATE TABLE consumer_processing_metrics (
    id serial PRIMARY KEY, service_name text NOT NULL, consumer_group_id text NOT NULL, batch_size integer NOT NULL,
    processing_duration_ms integer NOT NULL, messages_processed integer NOT NULL, messages_failed integer DEFAULT 0,
    timestamp timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT valid_metrics CHECK (batch_size > 0)
  );
  CREATE VIEW v_consumer_performance_monitor AS
    SELECT config.service_name, avg(metrics.batch_size) AS avg_batch_size
    FROM pipeline_consumer_configs AS config JOIN consumer_processing_metrics AS metrics USING (service_name)
    GROUP BY config.service_name;
  INSERT INTO consumer_lag_history (consumer_group_id, topic_name, partition_id, current_offset, log_end_offset, lag)
  VALUES ('loom-vad-processor', 't', 3, 5, 15, 10), ('of-nobody', 't', 0, 1, 1, 0);
  INSERT INTO consumer_processing_metrics
    (service_name, consumer_group_id, batch_size, processing_duration_ms, messages_processed, messages_failed)
  VALUES ('silero-vad', 'loom-vad-processor', 50, 500, 40, 10), ('silero-vad', 'loom-vad-processor', 1, 7, 0, 1)`
