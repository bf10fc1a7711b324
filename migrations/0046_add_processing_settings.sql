-- Settings of the processing, of the bounds of what waits in memory, and of the measuring. As those before them: NULL
-- means left out, and a value that cannot be used falls back by itself, with a reason.

ALTER TABLE pipeline_consumer_configs
  ADD COLUMN IF NOT EXISTS processing_order text,
  ADD COLUMN IF NOT EXISTS concurrency integer,
  ADD COLUMN IF NOT EXISTS max_in_flight integer,
  ADD COLUMN IF NOT EXISTS queue_max_records integer,
  ADD COLUMN IF NOT EXISTS queue_max_bytes integer,
  ADD COLUMN IF NOT EXISTS buffer_max_bytes integer,
  ADD COLUMN IF NOT EXISTS metrics_interval_ms integer;

ALTER TABLE consumer_workload_profiles
  ADD COLUMN IF NOT EXISTS processing_order text,
  ADD COLUMN IF NOT EXISTS concurrency integer,
  ADD COLUMN IF NOT EXISTS max_in_flight integer,
  ADD COLUMN IF NOT EXISTS queue_max_records integer,
  ADD COLUMN IF NOT EXISTS queue_max_bytes integer,
  ADD COLUMN IF NOT EXISTS buffer_max_bytes integer,
  ADD COLUMN IF NOT EXISTS metrics_interval_ms integer;

-- These are the texts of Setting.ts (node packages/config/bin/settings-doc.ts --sql).
COMMENT ON COLUMN pipeline_consumer_configs.processing_order IS
  'Which records wait for each other; an offset is committed only when every earlier one is settled. Accepts partition, key or none; default partition. Change: hot. NULL: what the program says, else the default.';
COMMENT ON COLUMN pipeline_consumer_configs.concurrency IS
  'How many records (or batches) a member processes at the same time; 0 is one for each assigned partition, or 16 where the order is not by partition. Accepts 0 to 10000 workers; default 0. Change: hot. NULL: what the program says, else the default.';
COMMENT ON COLUMN pipeline_consumer_configs.max_in_flight IS
  'The most records that a member has taken from its partition queues and not settled, shared evenly among its partitions; 0 is twice the batch for each partition, or 16 for each worker where the order is not by partition. Accepts 0 to 10000000 records; default 0. Change: hot. NULL: what the program says, else the default.';
COMMENT ON COLUMN pipeline_consumer_configs.queue_max_records IS
  'The most records that wait in one partition queue before its fetching pauses. Accepts 1 to 10000000 records; default 5000. Change: hot. NULL: what profile or program say, else 50 times max_poll_records.';
COMMENT ON COLUMN pipeline_consumer_configs.queue_max_bytes IS
  'The most bytes that wait in one partition queue before its fetching pauses; what is under way still comes. Accepts 1024 to 2147483647 bytes; default 2097152. Change: hot. NULL: what profile or program say, else twice max_partition_fetch_bytes.';
COMMENT ON COLUMN pipeline_consumer_configs.buffer_max_bytes IS
  'The most bytes that wait in all partition queues of a member together; what is under way still comes. Accepts 1024 to 2147483647 bytes; default 104857600. Change: hot. NULL: what profile or program say, else twice fetch_max_bytes.';
COMMENT ON COLUMN pipeline_consumer_configs.metrics_interval_ms IS
  'How often a member measures itself and its lag, and writes it to the sink of metrics. Accepts 100 to 3600000 milliseconds; default 10000. Change: hot. NULL: what the program says, else the default.';

COMMENT ON COLUMN consumer_applied_configs.configuration IS
  'settings: value and source of each setting, and what was refused with the reason; issues: one line for each; program, fixed and defaults: what the program itself says.';
