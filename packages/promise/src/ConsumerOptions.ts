/**
 * What can be said of a consumer when it is made.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions as TlsOptions } from "node:tls"
import type { Connection, Sasl, TransportName } from "./Connection.ts"
import type { ConsumerSettings, Database, Profile } from "./ConsumerConfig.ts"
import type { Decoder } from "./Decoder.ts"

/**
 * What ends a record that failed for good: written to the dead-letter topic (and settled once that is acknowledged);
 * settled as if it had been processed; or the consumer stops, and the record comes again at the next start.
 *
 * @category models
 * @since 0.1.0
 */
export type FinalAction = "dead-letter" | "skip" | "halt"

/**
 * What becomes of a failure: its end at once, or after so many attempts (the first included; default 8), with pauses
 * from `retryBackoffMs` on, doubled up to a minute. `finally` is `dead-letter` by default.
 *
 * @category models
 * @since 0.1.0
 */
export type FailurePolicy = FinalAction | {
  readonly attempts?: number | undefined
  readonly finally?: FinalAction | undefined
}

/**
 * Policies by the `name` of the error that a handler throws. Two names are Weft's own: `DecodeError` (key or value cannot
 * be decoded; default: dead letter at once) and `otherwise` (whatever no other name fits; default: 8 attempts, then dead
 * letter).
 *
 * @category models
 * @since 0.1.0
 */
export interface FailurePolicies {
  readonly [errorName: string]: FailurePolicy | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface DeadLetterOptions {
  /** The dead-letter topic, or how it follows from a record's topic. Default: `<topic>.dlq`. */
  readonly topic?: string | ((topic: string) => string) | undefined
  /** Whether to create the topic where it is missing, with as many partitions as the record's topic. Default `true`. */
  readonly create?: boolean | undefined
  /** Replicas of a topic that is created. Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined
}

/**
 * Where log lines go; `console`, and most loggers with a small adapter, fit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Logger {
  readonly debug: (message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly info: (message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly error: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

/**
 * How a consumer works on its records, whoever handles them.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessingOptions<V, K> {
  /** Default: JSON, unchecked. */
  readonly value?: Decoder<V> | undefined
  /** Default: text. */
  readonly key?: Decoder<K> | undefined
  /**
   * What to do with a tombstone (a record whose value is null): write it to the dead-letter topic, settle it unseen, or
   * (where the type of values has `null`) hand it over with the value `null`. Default `dead-letter`.
   */
  readonly tombstones?: (null extends V ? "process" | "skip" | "dead-letter" : "skip" | "dead-letter") | undefined
  /**
   * Which records wait for each other: each for the one before it in its partition (`partition`), for the one before it
   * with the same key (`key`), or for none (`none`). An offset is committed only when every earlier one is settled,
   * whatever the order. A row with `processing_order` comes first. Default `partition`.
   */
  readonly order?: "partition" | "key" | "none" | undefined
  /**
   * How many records (or batches) are processed at the same time, unless the row says it. Default: one per partition, else
   * 16.
   */
  readonly concurrency?: number | undefined
  /** The most records that were taken from the partition queues and are not settled, unless the row says it. */
  readonly maxInFlight?: number | undefined
  /** The batches of `eachBatch`: their size (default `maxPollRecords`), and how long one waits to be full (100 ms). */
  readonly batch?: { readonly size?: number | undefined; readonly windowMs?: number | undefined } | undefined
  readonly onFailure?: FailurePolicies | undefined
  readonly deadLetter?: DeadLetterOptions | undefined
  /** How long a rebalance, or the end, waits for what is in flight. Default: three fifths of `maxPollIntervalMs`. */
  readonly drainTimeoutMs?: number | undefined
  /** How often metrics and lag are written to the database, unless the row says it. Default 10000. */
  readonly metricsIntervalMs?: number | undefined
}

/**
 * Where to answer the probes of an orchestrator: `GET /health/started`, `/health/ready` and `/health/live` with 200 or 503
 * and the reasons as JSON, and `/metrics` for Prometheus. They are about all consumers that run in the process, so one of
 * them is enough to have it. `/health/live` fails only for what a restart cures.
 *
 * @category models
 * @since 0.1.0
 */
export interface HealthOptions {
  /** From 0 to 65535; 0 takes a free one. */
  readonly port: number
  /** Default `0.0.0.0`, as an orchestrator asks from outside. */
  readonly host?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ConsumerOptions<V, K> extends ProcessingOptions<V, K> {
  /** The service's name: of its row of settings, in its logs and metrics; of its group, too, by default. */
  readonly service: string
  /** Topics by name, or every topic whose whole name matches. */
  readonly topics: ReadonlyArray<string> | RegExp
  /**
   * The client library: `kafkajs`, which is the faster one; or `platformatic`, which has the group protocol of KIP-848 and
   * static members (`settings: { groupProtocol, groupInstanceId }`), and needs the package `@weft/platformatic` beside this
   * one. Default `kafkajs`.
   */
  readonly transport?: TransportName | undefined
  /** `host:port` of some brokers, as a list or separated by commas. Not needed with a `connection`. */
  readonly brokers?: string | ReadonlyArray<string> | undefined
  /**
   * Where the settings are, and the metrics go. Without one, the settings are the profile's, the defaults, and those
   * given here, and nothing is measured.
   */
  readonly database?: string | Database | undefined
  /** `group.id`. Default: the row's `consumer_group_id`, else `<service>-consumer-group`. */
  readonly groupId?: string | undefined
  /** `client.id`. Default: the service's name. */
  readonly clientId?: string | undefined
  /** `true`, or Node's own TLS options. Default: no TLS. */
  readonly ssl?: boolean | TlsOptions | undefined
  /** Default: no authentication. */
  readonly sasl?: Sasl | undefined
  /** Another Kafka than `brokers` by way of kafkajs: a `TestCluster`'s, for tests. */
  readonly connection?: Connection | undefined
  /** Default `default`. */
  readonly profile?: Profile | undefined
  /**
   * Settings that hold whatever row and profile say. They are checked as those of a row are: one that cannot hold falls
   * back, and `consumer.config.issues` says why.
   */
  readonly settings?: Partial<Omit<ConsumerSettings, "consumerGroupId">> | undefined
  /**
   * Signals at which a running consumer ends in order: it stops fetching, finishes what is in flight, commits, leaves the
   * group. A second signal is Node's own business again. Default `SIGTERM` and `SIGINT`; `false`: none.
   */
  readonly stopOn?: ReadonlyArray<NodeJS.Signals> | false | undefined
  /** Listens from when the consumer is made until it is closed. Default: nowhere. */
  readonly health?: HealthOptions | undefined
  /** Where log lines go; `false`: nowhere. Default: standard output. */
  readonly logger?: Logger | false | undefined
}
