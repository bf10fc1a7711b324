/**
 * The one table of every setting of a consumer: its names, unit, default, bounds, reload class, values per workload
 * profile and meaning. The resolver, the comments of the database and the handbook all read it.
 *
 * @since 0.1.0
 */

/**
 * How a changed value reaches a running consumer: *hot* in place between two batches; *rejoin* after draining,
 * committing and joining the consumer group again; *restart* at the next start of the process.
 *
 * @category models
 * @since 0.1.0
 */
export type ReloadClass = "hot" | "rejoin" | "restart"

/**
 * The names of the workload profiles that come with Weft.
 *
 * @category models
 * @since 0.1.0
 */
export type ProfileName = "default" | "high-volume" | "gpu" | "network-io" | "db-writer" | "llm"

/**
 * A limit and why it is there; the reason is part of the message when a value is refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bound {
  readonly value: number
  readonly reason: string
}

interface Common<A> {
  /** The column of `pipeline_consumer_configs`. */
  readonly sql: string
  /** Kafka's own name, where Kafka has it. */
  readonly kafka?: string
  /** One sentence: what it bounds or chooses. */
  readonly meaning: string
  /** What a value left out (NULL) becomes, where that is more than profile, then default. */
  readonly leftOut?: string
  /** The SQL names of the settings it interacts with. */
  readonly interacts: ReadonlyArray<string>
  readonly reload: ReloadClass
  /** The values that workload profiles set. */
  readonly profiles: { readonly [P in ProfileName]?: A }
  /** Where Kafka documents it. */
  readonly link?: string
}

/**
 * A setting that is a whole number with a unit and bounds.
 *
 * @category models
 * @since 0.1.0
 */
export interface IntegerSetting extends Common<number> {
  readonly type: "integer"
  readonly unit: "records" | "milliseconds" | "bytes" | "workers"
  readonly default: number
  readonly min: Bound
  readonly max: Bound
  readonly tooLow: string
  readonly tooHigh: string
}

/**
 * A setting that is one of a few words.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChoiceSetting<C extends string = string> extends Common<C> {
  readonly type: "choice"
  readonly default: C
  /** Each choice with what it does. */
  readonly choices: { readonly [K in C]: string }
}

/**
 * A setting that is on or off.
 *
 * @category models
 * @since 0.1.0
 */
export interface FlagSetting extends Common<boolean> {
  readonly type: "flag"
  readonly default: boolean
  readonly on: string
  readonly off: string
}

/**
 * A setting that is a name. Its default is made from the name of the service: `defaultSuffix` is appended to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NameSetting extends Common<string> {
  readonly type: "name"
  readonly defaultSuffix: string
  readonly maxBytes: Bound
}

/**
 * A setting that is a text, and none by default. Where several members read the same value (a row, a profile), `{hostname}`
 * in it tells them apart.
 *
 * @category models
 * @since 0.1.0
 */
export interface TextSetting extends Common<string> {
  readonly type: "text"
  /** None. */
  readonly default: ""
  readonly maxLength: Bound
  /** What it may consist of, besides `{hostname}`. */
  readonly characters: { readonly pattern: RegExp; readonly inWords: string }
}

/**
 * Any setting.
 *
 * @category models
 * @since 0.1.0
 */
export type Setting = IntegerSetting | ChoiceSetting | FlagSetting | NameSetting | TextSetting

/**
 * The type of a setting's value.
 *
 * @category models
 * @since 0.1.0
 */
export type Value<S> = S extends { readonly type: "integer" } ? number
  : S extends { readonly type: "flag" } ? boolean
  : S extends ChoiceSetting<infer C> ? C
  : string

const integer = (setting: Omit<IntegerSetting, "type">): IntegerSetting => ({ type: "integer", ...setting })
const choice = <C extends string>(
  setting: Omit<ChoiceSetting<C>, "type" | "default"> & { readonly default: NoInfer<C> }
): ChoiceSetting<C> => ({ type: "choice", ...setting })
const flag = (setting: Omit<FlagSetting, "type">): FlagSetting => ({ type: "flag", ...setting })
const name = (setting: Omit<NameSetting, "type">): NameSetting => ({ type: "name", ...setting })
const text = (setting: Omit<TextSetting, "type" | "default">): TextSetting => ({
  type: "text",
  default: "",
  ...setting
})
const kafkaDocs = (kafka: string) => `https://kafka.apache.org/documentation/#consumerconfigs_${kafka}`

const kibibyte = 1024
const gibibyte = 1024 * 1024 * 1024
const day = 86_400_000

/**
 * Every setting by its name in code, in the order of the handbook.
 *
 * @category table
 * @since 0.1.0
 */
export const settings = {
  consumerGroupId: name({
    sql: "consumer_group_id",
    kafka: "group.id",
    meaning: "The consumer group whose members share the partitions and whose committed offsets are continued.",
    leftOut: "`<service>-consumer-group`",
    defaultSuffix: "-consumer-group",
    maxBytes: { value: 32_767, reason: "Kafka's protocol carries a group's name with a length of 16 bits" },
    interacts: ["auto_offset_reset"],
    reload: "restart",
    profiles: {},
    link: kafkaDocs("group.id")
  }),
  groupProtocol: choice({
    sql: "group_protocol",
    kafka: "group.protocol",
    meaning: "How the members of the group share the partitions.",
    default: "classic",
    choices: {
      classic: "the members do, and each gives all of its own up before it joins again",
      consumer: "the coordinator does (KIP-848, Kafka 4.0), and only what has to move is given up; how long sessions "
        + "last and how often members beat is the broker's business. Where the transport (kafkajs) or the brokers do "
        + "not have it, the member speaks classic and says so"
    },
    interacts: ["session_timeout_ms", "heartbeat_interval_ms", "partition_assignment_strategy"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("group.protocol")
  }),
  groupInstanceId: text({
    sql: "group_instance_id",
    kafka: "group.instance.id",
    meaning: "Makes a static member of that name, which keeps its partitions while it is away for less than a session: "
      + "a restart is no rebalance. No two members of a group may share it, so a row or a profile, which all members "
      + "read, says {hostname}, in whose place each puts its host's name. kafkajs has no static members, and says so.",
    leftOut: "a member that is not static",
    maxLength: { value: 249, reason: "Kafka takes no longer one" },
    characters: { pattern: /^(?:[A-Za-z0-9._-]|\{hostname\})*$/, inWords: "letters, digits, dots, _ and -" },
    interacts: ["session_timeout_ms", "group_protocol"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("group.instance.id")
  }),
  maxPollRecords: integer({
    sql: "max_poll_records",
    kafka: "max.poll.records",
    unit: "records",
    meaning: "The most records that one batch hands to processing; it also scales the partition queues.",
    default: 100,
    min: { value: 1, reason: "a batch without records makes no progress" },
    max: { value: 5000, reason: "a larger batch holds memory and delays a rebalance without being faster" },
    tooLow: "each batch pays its fixed costs (commit, metrics, a transaction) for few records",
    tooHigh: "more memory, and more work to drain before a partition can be given up",
    interacts: ["max_poll_interval_ms", "max_partition_fetch_bytes"],
    reload: "hot",
    profiles: { "high-volume": 500, gpu: 1, "network-io": 10, "db-writer": 500, llm: 4 },
    link: kafkaDocs("max.poll.records")
  }),
  sessionTimeoutMs: integer({
    sql: "session_timeout_ms",
    kafka: "session.timeout.ms",
    unit: "milliseconds",
    meaning: "How long the group waits without a heartbeat before a member counts as dead and its partitions move on.",
    leftOut: "the profile's value or the default, at most max_poll_interval_ms",
    default: 60_000,
    min: { value: 6_000, reason: "brokers refuse less than group.min.session.timeout.ms, 6000 by default" },
    max: { value: 1_800_000, reason: "brokers refuse more than group.max.session.timeout.ms, 1800000 by default" },
    tooLow: "a pause of the process or the network makes the group rebalance for nothing",
    tooHigh: "after a crash the partitions stand still for that long",
    interacts: ["heartbeat_interval_ms", "max_poll_interval_ms"],
    reload: "rejoin",
    profiles: { "high-volume": 30_000, gpu: 300_000, "network-io": 120_000, llm: 120_000 },
    link: kafkaDocs("session.timeout.ms")
  }),
  maxPollIntervalMs: integer({
    sql: "max_poll_interval_ms",
    kafka: "max.poll.interval.ms",
    unit: "milliseconds",
    meaning: "How long a partition may make no progress before it counts as stalled, and how long a rebalance waits.",
    leftOut: "the profile's value or the default, at least session_timeout_ms",
    default: 300_000,
    min: { value: 6_000, reason: "it may not be less than the shortest session timeout" },
    max: { value: day, reason: "a stalled partition that nobody hears of for more than a day is no bound" },
    tooLow: "slow records are reported as stalled, and rebalances cut work off",
    tooHigh: "a stuck record holds its partition, and a rebalance its group, for that long",
    interacts: ["session_timeout_ms", "request_timeout_ms", "max_poll_records", "retry_backoff_ms"],
    reload: "rejoin",
    profiles: { "high-volume": 60_000, gpu: 600_000, llm: 900_000 },
    link: kafkaDocs("max.poll.interval.ms")
  }),
  heartbeatIntervalMs: integer({
    sql: "heartbeat_interval_ms",
    kafka: "heartbeat.interval.ms",
    unit: "milliseconds",
    meaning: "How often a member tells the group that it is alive and learns that a rebalance has begun.",
    leftOut: "the default, at most a third of session_timeout_ms (a session of 30000 makes it 10000)",
    default: 20_000,
    min: { value: 100, reason: "more than ten heartbeats a second load the coordinator and detect nothing sooner" },
    max: { value: 600_000, reason: "a third of the longest session timeout" },
    tooLow: "needless load on the group's coordinator",
    tooHigh: "rebalances begin late, and one lost heartbeat is enough to be taken for dead",
    interacts: ["session_timeout_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("heartbeat.interval.ms")
  }),
  partitionAssignmentStrategy: choice({
    sql: "partition_assignment_strategy",
    kafka: "partition.assignment.strategy",
    meaning: "How the group's leader shares the partitions among the members.",
    default: "range",
    choices: {
      range: "neighbouring partitions of each topic to one member, so that equal keys of several topics meet",
      roundrobin: "partitions dealt out one by one over all topics: the most even",
      sticky: "even, and as few partitions as possible change their member",
      "cooperative-sticky": "as sticky, and a rebalance stops only the partitions that move"
    },
    interacts: ["session_timeout_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("partition.assignment.strategy")
  }),
  enableAutoCommit: flag({
    sql: "enable_auto_commit",
    kafka: "enable.auto.commit",
    meaning: "Whether offsets are committed on the clock alone; only settled offsets are committed either way.",
    default: false,
    on: "settled offsets are committed every auto_commit_interval_ms, not sooner",
    off: "they are committed as soon as they are settled, one commit at a time",
    interacts: ["auto_commit_interval_ms"],
    reload: "hot",
    profiles: {},
    link: kafkaDocs("enable.auto.commit")
  }),
  autoCommitIntervalMs: integer({
    sql: "auto_commit_interval_ms",
    kafka: "auto.commit.interval.ms",
    unit: "milliseconds",
    meaning: "How often settled offsets are committed where enable_auto_commit is on.",
    default: 5_000,
    min: { value: 100, reason: "more than ten commits a second load the coordinator for nothing" },
    max: { value: 3_600_000, reason: "a crash would repeat more than an hour of work" },
    tooLow: "many small commits",
    tooHigh: "after a crash more records are processed a second time",
    interacts: ["enable_auto_commit"],
    reload: "hot",
    profiles: {},
    link: kafkaDocs("auto.commit.interval.ms")
  }),
  autoOffsetReset: choice({
    sql: "auto_offset_reset",
    kafka: "auto.offset.reset",
    meaning: "Where a partition begins that has no committed offset, or whose committed offset no longer exists.",
    default: "earliest",
    choices: {
      earliest: "with the oldest record that is kept: nothing is skipped",
      latest: "with records that arrive from now on: what is there already is skipped",
      none: "nowhere: the consumer fails with a typed error, so that a human decides"
    },
    interacts: ["consumer_group_id"],
    reload: "restart",
    profiles: {},
    link: kafkaDocs("auto.offset.reset")
  }),
  fetchMinBytes: integer({
    sql: "fetch_min_bytes",
    kafka: "fetch.min.bytes",
    unit: "bytes",
    meaning: "How much a broker collects before it answers a fetch, unless fetch_max_wait_ms passes first.",
    leftOut: "the profile's value or the default, at most fetch_max_bytes",
    default: 1,
    min: { value: 1, reason: "0 makes an idle consumer ask without a pause" },
    max: { value: 52_428_800, reason: "more than a whole answer of the default size only adds waiting" },
    tooLow: "more requests with fewer records each",
    tooHigh: "each fetch waits for fetch_max_wait_ms",
    interacts: ["fetch_max_wait_ms", "fetch_max_bytes"],
    reload: "hot",
    profiles: { "db-writer": 65_536 },
    link: kafkaDocs("fetch.min.bytes")
  }),
  fetchMaxWaitMs: integer({
    sql: "fetch_max_wait_ms",
    kafka: "fetch.max.wait.ms",
    unit: "milliseconds",
    meaning: "The longest that a broker holds a fetch for which it has less than fetch_min_bytes.",
    leftOut: "the profile's value or the default, less than request_timeout_ms",
    default: 500,
    min: { value: 1, reason: "0 makes an idle consumer ask without a pause" },
    max: { value: 30_000, reason: "a held fetch delays pausing, resuming and, in some clients, heartbeats" },
    tooLow: "an idle consumer asks often",
    tooHigh: "a sparse topic is read late, and a resumed partition waits",
    interacts: ["fetch_min_bytes", "request_timeout_ms"],
    reload: "hot",
    profiles: {},
    link: kafkaDocs("fetch.max.wait.ms")
  }),
  fetchMaxBytes: integer({
    sql: "fetch_max_bytes",
    kafka: "fetch.max.bytes",
    unit: "bytes",
    meaning: "The most bytes in one answer of a broker; memory in flight is at most this times the number of brokers.",
    leftOut: "the profile's value or the default, at least max_partition_fetch_bytes",
    default: 52_428_800,
    min: { value: kibibyte, reason: "less than one small record" },
    max: { value: gibibyte, reason: "one answer is held in memory as a whole" },
    tooLow: "many requests; partitions take turns slowly",
    tooHigh: "memory in flight per broker",
    interacts: ["max_partition_fetch_bytes", "fetch_min_bytes"],
    reload: "hot",
    profiles: {},
    link: kafkaDocs("fetch.max.bytes")
  }),
  maxPartitionFetchBytes: integer({
    sql: "max_partition_fetch_bytes",
    kafka: "max.partition.fetch.bytes",
    unit: "bytes",
    meaning: "The most bytes of one partition in one answer; a larger record still comes through, alone.",
    leftOut: "the profile's value or the default, at most fetch_max_bytes",
    default: 1_048_576,
    min: { value: kibibyte, reason: "less than one small record" },
    max: { value: gibibyte, reason: "one answer is held in memory as a whole" },
    tooLow: "large records come one by one",
    tooHigh: "one partition fills the answer, and memory grows with the number of partitions",
    interacts: ["fetch_max_bytes", "max_poll_records"],
    reload: "hot",
    profiles: { gpu: 52_428_800 },
    link: kafkaDocs("max.partition.fetch.bytes")
  }),
  requestTimeoutMs: integer({
    sql: "request_timeout_ms",
    kafka: "request.timeout.ms",
    unit: "milliseconds",
    meaning: "How long a request to a broker may take before it fails and is tried again.",
    leftOut: "the profile's value or the default, or max_poll_interval_ms + 5000 where that is not more",
    default: 305_000,
    min: { value: 6_001, reason: "it must exceed the shortest max_poll_interval_ms" },
    max: { value: day + 5_000, reason: "5 seconds more than the longest max_poll_interval_ms" },
    tooLow:
      "the broker holds a join until all members have come, for up to max_poll_interval_ms; giving up starts over",
    tooHigh: "a broker that is gone without a word is noticed late",
    interacts: ["max_poll_interval_ms", "fetch_max_wait_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("request.timeout.ms")
  }),
  retryBackoffMs: integer({
    sql: "retry_backoff_ms",
    kafka: "retry.backoff.ms",
    unit: "milliseconds",
    meaning: "The first pause before a failed record or request is tried again; the pauses grow from there.",
    leftOut: "the profile's value or the default, less than max_poll_interval_ms",
    default: 100,
    min: { value: 1, reason: "0 tries again without a pause and keeps a failing service down" },
    max: { value: 300_000, reason: "a first pause of more than 5 minutes stalls the partition by design" },
    tooLow: "a failing service is hammered",
    tooHigh: "a short hiccup stalls the partition",
    interacts: ["max_poll_interval_ms"],
    reload: "hot",
    profiles: { "network-io": 1_000, "db-writer": 500, llm: 5_000 },
    link: kafkaDocs("retry.backoff.ms")
  }),
  reconnectBackoffMs: integer({
    sql: "reconnect_backoff_ms",
    kafka: "reconnect.backoff.ms",
    unit: "milliseconds",
    meaning: "The first pause before a lost connection to a broker is opened again.",
    leftOut: "the profile's value or the default, at most reconnect_backoff_max_ms",
    default: 50,
    min: { value: 1, reason: "0 opens connections without a pause" },
    max: { value: 300_000, reason: "longer than that and the group has given the member up" },
    tooLow: "a broker that starts is met by a crowd",
    tooHigh: "consumption resumes late after a short outage",
    interacts: ["reconnect_backoff_max_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("reconnect.backoff.ms")
  }),
  reconnectBackoffMaxMs: integer({
    sql: "reconnect_backoff_max_ms",
    kafka: "reconnect.backoff.max.ms",
    unit: "milliseconds",
    meaning: "The longest pause between two attempts to open a connection; the pauses double up to it.",
    leftOut: "the profile's value or the default, at least reconnect_backoff_ms",
    default: 1_000,
    min: { value: 1, reason: "0 opens connections without a pause" },
    max: { value: 3_600_000, reason: "a broker that is back would go unnoticed for more than an hour" },
    tooLow: "a broker that is down for long is asked all the time",
    tooHigh: "consumption resumes late after a long outage",
    interacts: ["reconnect_backoff_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("reconnect.backoff.max.ms")
  }),
  connectionsMaxIdleMs: integer({
    sql: "connections_max_idle_ms",
    kafka: "connections.max.idle.ms",
    unit: "milliseconds",
    meaning: "How long a connection to a broker may carry nothing before it is closed.",
    default: 540_000,
    min: { value: 1_000, reason: "connections would be opened and closed all the time" },
    max: { value: day, reason: "firewalls forget connections long before" },
    tooLow: "connections are opened again and again",
    tooHigh: "connections that a firewall has dropped in silence are found out by a timeout",
    interacts: ["request_timeout_ms"],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("connections.max.idle.ms")
  }),
  isolationLevel: choice({
    sql: "isolation_level",
    kafka: "isolation.level",
    meaning: "Whether records of open and aborted transactions are seen. Kafka's own default is read_uncommitted; "
      + "processing has effects outside of Kafka, and those of an aborted record cannot be taken back.",
    default: "read_committed",
    choices: {
      read_committed: "only records that no abort can take back; reading waits for open transactions",
      read_uncommitted: "every record at once, those of transactions that abort later included"
    },
    interacts: [],
    reload: "rejoin",
    profiles: {},
    link: kafkaDocs("isolation.level")
  }),
  processingOrder: choice({
    sql: "processing_order",
    meaning: "Which records wait for each other; an offset is committed only when every earlier one is settled.",
    leftOut: "what the program says, else the default",
    default: "partition",
    choices: {
      partition: "each record for the one before it in its partition",
      key: "each record for the one before it with the same key in its partition; batches as by partition",
      none: "none for any other"
    },
    interacts: ["concurrency", "max_in_flight"],
    reload: "hot",
    profiles: {}
  }),
  concurrency: integer({
    sql: "concurrency",
    unit: "workers",
    meaning: "How many records (or batches) a member processes at the same time; 0 is one for each assigned partition, "
      + "or 16 where the order is not by partition.",
    leftOut: "what the program says, else the default",
    default: 0,
    min: { value: 0, reason: "0 is as many as the order calls for, and none at all makes no progress" },
    max: { value: 10_000, reason: "each is a fiber with a record in its hands; more members carry more" },
    tooLow: "records wait although what they wait for has room",
    tooHigh: "what the handler calls (a database, a GPU, a service) is overrun, and memory grows",
    interacts: ["processing_order", "max_in_flight"],
    reload: "hot",
    profiles: {}
  }),
  maxInFlight: integer({
    sql: "max_in_flight",
    unit: "records",
    meaning: "The most records that a member has taken from its partition queues and not settled, shared evenly among "
      + "its partitions; 0 is twice the batch for each partition, or 16 for each worker where the order is not by "
      + "partition.",
    leftOut: "what the program says, else the default",
    default: 0,
    min: { value: 0, reason: "0 is as many as the order calls for, and none at all makes no progress" },
    max: { value: 10_000_000, reason: "all of them are in memory, and all of them are repeated after a crash" },
    tooLow: "workers wait for records that are there",
    tooHigh: "more memory, and more work to drain before a partition can be given up",
    interacts: ["concurrency", "max_poll_records"],
    reload: "hot",
    profiles: {}
  }),
  queueMaxRecords: integer({
    sql: "queue_max_records",
    unit: "records",
    meaning: "The most records that wait in one partition queue before its fetching pauses.",
    leftOut: "what profile or program say, else 50 times max_poll_records",
    default: 5_000,
    min: { value: 1, reason: "a queue without room brings nothing" },
    max: { value: 10_000_000, reason: "queue_max_bytes is reached long before" },
    tooLow: "fetching pauses and resumes all the time, and workers wait for it",
    tooHigh: "memory, where the records are small",
    interacts: ["max_poll_records", "queue_max_bytes"],
    reload: "hot",
    profiles: {}
  }),
  queueMaxBytes: integer({
    sql: "queue_max_bytes",
    unit: "bytes",
    meaning:
      "The most bytes that wait in one partition queue before its fetching pauses; what is under way still comes.",
    leftOut: "what profile or program say, else twice max_partition_fetch_bytes",
    default: 2_097_152,
    min: { value: kibibyte, reason: "less than one small record" },
    max: { value: 2 * gibibyte - 1, reason: "the largest whole number that the column holds" },
    tooLow: "each answer of a broker pauses its partitions, and workers wait for the next one",
    tooHigh: "memory grows with the number of partitions",
    interacts: ["max_partition_fetch_bytes", "buffer_max_bytes"],
    reload: "hot",
    profiles: {}
  }),
  bufferMaxBytes: integer({
    sql: "buffer_max_bytes",
    unit: "bytes",
    meaning: "The most bytes that wait in all partition queues of a member together; what is under way still comes.",
    leftOut: "what profile or program say, else twice fetch_max_bytes",
    default: 104_857_600,
    min: { value: kibibyte, reason: "less than one small record" },
    max: { value: 2 * gibibyte - 1, reason: "the largest whole number that the column holds" },
    tooLow: "partitions take turns, and workers wait for theirs",
    tooHigh: "the memory of the process",
    interacts: ["fetch_max_bytes", "queue_max_bytes"],
    reload: "hot",
    profiles: {}
  }),
  metricsIntervalMs: integer({
    sql: "metrics_interval_ms",
    unit: "milliseconds",
    meaning: "How often a member measures itself and its lag, and writes it to the sink of metrics.",
    leftOut: "what the program says, else the default",
    default: 10_000,
    min: { value: 100, reason: "more than ten measurements a second load brokers and database for nothing" },
    max: { value: 3_600_000, reason: "a lag that nobody hears of for more than an hour is no measurement" },
    tooLow: "rows in the database, and requests for end offsets",
    tooHigh: "lag and failures show late",
    interacts: [],
    reload: "hot",
    profiles: {}
  })
}

/**
 * The name of a setting in code.
 *
 * @category models
 * @since 0.1.0
 */
export type SettingKey = keyof typeof settings

/**
 * The names of all settings, in the order of the table.
 *
 * @category table
 * @since 0.1.0
 */
export const keys = Object.keys(settings) as ReadonlyArray<SettingKey>

/**
 * The setting of a name, as a member of the closed union.
 *
 * @category table
 * @since 0.1.0
 */
export const get = (key: SettingKey): Setting => settings[key]

const bySql: ReadonlyMap<string, SettingKey> = new Map(keys.map((key) => [settings[key].sql, key]))

/**
 * The setting of a column of `pipeline_consumer_configs`, or `undefined` where the column is none.
 *
 * @category table
 * @since 0.1.0
 */
export const fromSql = (column: string): SettingKey | undefined => bySql.get(column)

const defaultText = (setting: Setting): string =>
  setting.type === "name"
    ? `<service>${setting.defaultSuffix}`
    : setting.default === ""
    ? "none"
    : String(setting.default)

/**
 * What values a setting accepts, in words: `1 to 5000`, `earliest, latest or none`.
 *
 * @category rendering
 * @since 0.1.0
 */
export const accepts = (setting: Setting): string => {
  switch (setting.type) {
    case "integer":
      return `${setting.min.value} to ${setting.max.value}`
    case "choice": {
      const choices = Object.keys(setting.choices)
      return `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`
    }
    case "flag":
      return "true or false"
    case "name":
      return `a name of up to ${setting.maxBytes.value} bytes`
    case "text":
      return `up to ${setting.maxLength.value} ${setting.characters.inWords}`
  }
}

/**
 * The unit of a setting's value, or `undefined` where it has none.
 *
 * @category rendering
 * @since 0.1.0
 */
export const unit = (setting: Setting): string | undefined => setting.type === "integer" ? setting.unit : undefined

/**
 * The text of the comment on a setting's column.
 *
 * @category rendering
 * @since 0.1.0
 */
export const sqlComment = (setting: Setting): string => {
  const inUnit = unit(setting) === undefined ? "" : ` ${unit(setting)}`
  const leftOut = setting.leftOut === undefined ? "" : ` NULL: ${setting.leftOut.replaceAll("`", "")}.`
  const kafka = setting.kafka === undefined ? "" : `${setting.kafka}. `
  return `${kafka}${setting.meaning} Accepts ${accepts(setting)}${inUnit}; default ${defaultText(setting)}. `
    + `Change: ${setting.reload}.${leftOut}`
}
