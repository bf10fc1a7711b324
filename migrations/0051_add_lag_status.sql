-- What each sample of lag means, as whoever took it judged: from lag and offsets alone `stop`, `halted` and `paused` look the
-- same. Nothing is rewritten: the rows that are there have none.

ALTER TABLE consumer_lag_history ADD COLUMN IF NOT EXISTS status text;

COMMENT ON COLUMN consumer_lag_history.status IS
  'What the last samples of the partition mean: ok, slow, back-pressured, stuck, stall, stop, rewind, paused or halted; NULL where the writer did not tell.';

CREATE OR REPLACE VIEW v_current_partition_lag AS
SELECT DISTINCT ON (sample.service_name, sample.topic, sample.partition)
  sample.service_name, sample.topic, sample.partition, sample.consumer_group_id, sample.member, sample.lag,
  sample.lag_seconds, sample.consumer_offset, sample.end_offset, sample.timestamp, sample.status
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

COMMENT ON COLUMN v_current_partition_lag.status IS
  'What the last samples of the partition mean, such as slow, stuck or stop; NULL where the writer did not tell.';
