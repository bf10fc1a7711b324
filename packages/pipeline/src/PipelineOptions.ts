/**
 * What a pipeline may say about itself.
 *
 * @since 0.1.0
 */
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import type * as Codec from "@weft/kafka/Codec"
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import type * as Subscription from "@weft/kafka/Subscription"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { BatchRecordError } from "./BatchRecordError.ts"
import type * as FailurePolicy from "./FailurePolicy.ts"
import type { PipelineRecord } from "./PipelineRecord.ts"

/**
 * Which records wait for each other:
 *
 * - `partition`: each record for the one before it in its partition.
 * - `key`: each record for the one before it with the same key in its partition; records without a key for none.
 * - `none`: none for any other.
 *
 * Whatever the order of completion, an offset is committed only when every earlier one of its partition is settled.
 *
 * @category models
 * @since 0.1.0
 */
export type Order = "partition" | "key" | "none"

/**
 * What to do with a tombstone (a record whose value is null): hand it to the handler with `value: null`, settle it
 * unseen, or write it to the dead-letter topic.
 *
 * @category models
 * @since 0.1.0
 */
export type TombstonePolicy = "process" | "skip" | "dead-letter"

/**
 * The tags of a handler's errors; of a `BatchRecordError`, those of its cause.
 *
 * @category models
 * @since 0.1.0
 */
export type TagOf<E> = E extends BatchRecordError<infer Cause> ? TagOf<Cause>
  : E extends { readonly _tag: infer Tag extends string } ? Tag
  : never

/**
 * Policies by the failure's `_tag`. Two tags are the pipeline's own:
 *
 * - `DecodeError`: key or value cannot be decoded. Default: dead letter without a retry, as no attempt will heal it.
 * - `Defect`: the handler died of an error that is not in its type. Default: as any other failure. A retry heals those
 *   that are failures in disguise (a rejected promise); a bug that concerns one record costs that record, kept in the
 *   dead-letter topic, and not the partition behind it. Choose `halt` where order or completeness outweighs progress.
 *
 * `otherwise` is for errors that none of the tags names. Default: retry, then dead letter.
 *
 * @category models
 * @since 0.1.0
 */
export type FailurePolicies<E> = {
  readonly [
    // An error type that is not known yet (while the compiler infers it) or at all allows any tag.
    Tag in (unknown extends E ? string : TagOf<E> | "DecodeError" | "Defect" | "otherwise")
  ]?: FailurePolicy.FailurePolicy
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
  /** The longest message, and the longest stack trace, that is written, in characters. Default 8192. */
  readonly stackTraceLimit?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface BatchOptions {
  /** The most records of a batch. Default: `max_poll_records`, hot-reloadable. */
  readonly size?: number | undefined
  /**
   * How long a batch that is not full waits for more records, from its first one on: by so much records may be late. 0 hands
   * over what there is. A batch that has waited for so long, and for which no worker is free yet, goes on filling. Default
   * 100 ms.
   */
  readonly window?: Duration.Input | undefined
}

/**
 * What every pipeline may say.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions<K, V, E> {
  /** The service's name: of its row of settings, in its logs, metrics and lag history; of its group, too, by default. */
  readonly service: string
  /** What it reads; a shorthand of `subscription: Subscription.topics(...)`. */
  readonly topics?: ReadonlyArray<string> | undefined
  /** What it reads: topics, a pattern, or partitions by hand. */
  readonly subscription?: Subscription.Subscription | undefined
  /** Default: the bytes. */
  readonly key?: Codec.Codec<K> | undefined
  readonly value: Codec.Codec<V>
  /** Default `process`: the handler is given `null`. */
  readonly tombstones?: TombstonePolicy | undefined
  /**
   * How many records (or batches) are processed at the same time, unless row (`concurrency`) or profile say it. Default:
   * with order `partition` one for each assigned partition, else 16.
   */
  readonly concurrency?: number | undefined
  /**
   * The most records that were taken from the partition queues and are not settled, over all partitions; shared evenly
   * among them, so that neither a slow key nor a slow partition takes it all. Records that wait for a retry count.
   * Row (`max_in_flight`) and profile come first. Default: with order `partition` (and with batches) twice the batch for each partition, else 16 x `concurrency`.
   */
  readonly maxInFlight?: number | undefined
  /** The values that stand between the service's row and the defaults. */
  readonly profile?: WorkloadProfile.WorkloadProfile | undefined
  /**
   * The schedule of the default retry, for failures whose policy names none. Default: `retry_backoff_ms`, doubled up to
   * a minute, with jitter, 8 attempts in all.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  readonly onFailure?: FailurePolicies<NoInfer<E>> | undefined
  readonly deadLetter?: DeadLetterOptions | undefined
  /**
   * One CONSUMER span for each run of records that a worker processes, with links to the producers' spans; one for each
   * record, as a child of the producer's; or none. Costs nothing where no tracer is installed. Default `batch`.
   */
  readonly tracing?: "batch" | "record" | "none" | undefined
  /**
   * Whether the pipeline times what it does, measures lag and itself, and tells sinks and exporters. With `none` only
   * `totals` are counted. It costs little (see the handbook on performance). Default `all`.
   */
  readonly metrics?: "all" | "none" | undefined
  /** How long a shutdown or a rebalance waits for what is in flight. Default: three fifths of `max_poll_interval_ms`. */
  readonly drainTimeout?: Duration.Input | undefined
  /**
   * How often metrics and lag are written to the sink, unless row (`metrics_interval_ms`) or profile say it. Default 10
   * seconds.
   */
  readonly metricsInterval?: Duration.Input | undefined
  /**
   * Settings that hold whatever environment, row and profile say. They are checked as those of a row are: one that cannot
   * hold falls back, with a reason; the configuration shows them with the source `code`.
   */
  readonly settings?: WorkloadProfile.Values | undefined
  /**
   * Settings of the consumer that are put in place of the configuration's, unchecked and unseen: for what the
   * configuration does not know (`clientId`, `stallPolicy`), and for tests.
   */
  readonly overrides?: Partial<ConsumerSettings> | undefined
}

/**
 * `Value` is what the handler sees: `V`, or `V | null` where it processes tombstones.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<K, V, Value, E, R> extends CommonOptions<K, V, E> {
  /** Succeeds when the record is done for good: its offset may be committed from then on. */
  readonly process?: ((record: PipelineRecord<K, Value>) => Effect.Effect<unknown, E, R>) | undefined
  /**
   * Instead of `process`: handles records of one partition together. Records that cannot be decoded, and tombstones
   * where their policy says so, never come to it.
   *
   * Succeeds when all records are done for good. A failure concerns the batch as a whole: it is retried as one, and at
   * the end its policy is applied to each of its records. Fail with a `BatchRecordError` to name the one that failed.
   */
  readonly processBatch?:
    | ((records: NonEmptyReadonlyArray<PipelineRecord<K, Value>>) => Effect.Effect<unknown, E, R>)
    | undefined
  /** The batches of `processBatch`. */
  readonly batch?: BatchOptions | undefined
  /**
   * Default `partition`. With `processBatch`: `partition`, or `none` for several batches of a partition at a time. Row
   * (`processing_order`) and profile come first: `settings: { processingOrder: "partition" }` insists on it.
   */
  readonly order?: Order | undefined
}

/**
 * Either `process` or `processBatch`.
 *
 * @category models
 * @since 0.1.0
 */
export type OneHandler =
  | { readonly process: unknown; readonly processBatch?: undefined; readonly batch?: undefined }
  | { readonly process?: undefined; readonly processBatch: unknown; readonly order?: "partition" | "none" | undefined }

/**
 * Tombstones come to the handler, as `null`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TombstonesProcessed {
  readonly tombstones?: "process" | undefined
}

/**
 * Tombstones never come to the handler.
 *
 * @category models
 * @since 0.1.0
 */
export interface TombstonesTakenOut {
  readonly tombstones: "skip" | "dead-letter"
}

/**
 * Options whose types have been checked; the runtime needs only what they require.
 *
 * @category models
 * @since 0.1.0
 */
export type Definition<R> = Options<unknown, unknown, unknown, unknown, R>
