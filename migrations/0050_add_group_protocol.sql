-- The group protocol and static membership. As the settings before them: NULL means left out, and a value that cannot be used
-- falls back by itself, with a reason.

ALTER TABLE pipeline_consumer_configs
  ADD COLUMN IF NOT EXISTS group_protocol text,
  ADD COLUMN IF NOT EXISTS group_instance_id text;

ALTER TABLE consumer_workload_profiles
  ADD COLUMN IF NOT EXISTS group_protocol text,
  ADD COLUMN IF NOT EXISTS group_instance_id text;

-- These are the texts of Setting.ts (node packages/config/bin/settings-doc.ts --sql).
COMMENT ON COLUMN pipeline_consumer_configs.group_protocol IS
  'group.protocol. How the members of the group share the partitions. Accepts classic or consumer; default classic. Change: rejoin.';
COMMENT ON COLUMN pipeline_consumer_configs.group_instance_id IS
  'group.instance.id. Makes a static member of that name, which keeps its partitions while it is away for less than a session: a restart is no rebalance. No two members of a group may share it, so a row or a profile, which all members read, says {hostname}, in whose place each puts its host''s name. kafkajs has no static members, and says so. Accepts up to 249 letters, digits, dots, _ and -; default none. Change: rejoin. NULL: a member that is not static.';
