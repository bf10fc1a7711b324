/** One broker of a running Kafka. */
export interface KafkaNode {
  readonly id: number
  /** `host:port` of its clients' listener; it stays the same across restarts. */
  readonly address: string
  /** The JVM's process id, where it runs as a process of this machine. It changes with a restart. */
  readonly pid: number | undefined
  /** An orderly shutdown: leadership moves first. */
  readonly stop: () => Promise<void>
  /** A crash. */
  readonly kill: () => Promise<void>
  /** Starts it again after `stop` or `kill`, on the same port and data, and waits until the cluster counts it as alive. */
  readonly restart: () => Promise<void>
}

export interface KafkaServer {
  readonly brokers: ReadonlyArray<string>
  /** Empty where the brokers are not ours (KAFKA_BROKERS). */
  readonly nodes: ReadonlyArray<KafkaNode>
  readonly stop: () => Promise<void>
}

/** What the tests need of any broker, whichever way it is started; as Kafka names it. */
export const brokerSettings = (nodes: number): Readonly<Record<string, string | number | boolean>> => ({
  "auto.create.topics.enable": false,
  "default.replication.factor": nodes,
  "offsets.topic.num.partitions": 4,
  "offsets.topic.replication.factor": nodes,
  "transaction.state.log.num.partitions": 4,
  "transaction.state.log.replication.factor": nodes,
  "transaction.state.log.min.isr": Math.min(nodes, 2),
  "share.coordinator.state.topic.num.partitions": 1,
  "share.coordinator.state.topic.replication.factor": nodes,
  "share.coordinator.state.topic.min.isr": Math.min(nodes, 2),
  "min.insync.replicas": Math.min(nodes, 2),
  // Tests must not wait for members that may come, and want to see sessions expire.
  "group.initial.rebalance.delay.ms": 0,
  "group.min.session.timeout.ms": 100,
  "group.consumer.min.session.timeout.ms": 1000,
  "group.consumer.min.heartbeat.interval.ms": 100,
  // Of the group protocol of KIP-848, in which the broker says them: what the tests' members say of themselves in the other.
  "group.consumer.session.timeout.ms": 6000,
  "group.consumer.heartbeat.interval.ms": 500,
  // A killed broker is noticed after this, and only then may it come back under its id.
  "broker.session.timeout.ms": 3000,
  "broker.heartbeat.interval.ms": 500,
  // Small machines: the cleaner's buffer alone takes 128 MB by default.
  "log.cleaner.dedupe.buffer.size": 8_388_608,
  "num.network.threads": 2,
  "num.io.threads": 4
})
