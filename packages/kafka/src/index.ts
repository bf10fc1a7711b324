/**
 * @since 0.1.0
 */
export * as Admin from "./Admin.ts"

/**
 * @since 0.1.0
 */
export * as ClientMetrics from "./ClientMetrics.ts"

/**
 * @since 0.1.0
 */
export * as Codec from "./Codec.ts"

/**
 * @since 0.1.0
 */
export * as Consumer from "./Consumer.ts"

/**
 * @since 0.1.0
 */
export * as ConsumerEvent from "./ConsumerEvent.ts"

/**
 * @since 0.1.0
 */
export * as ConsumerRecord from "./ConsumerRecord.ts"

/**
 * @since 0.1.0
 */
export * as ConsumerSettings from "./ConsumerSettings.ts"

/**
 * @since 0.1.0
 */
export * as Crc32c from "./Crc32c.ts"

/**
 * @since 0.1.0
 */
export * as FetchStrategy from "./FetchStrategy.ts"

/**
 * @since 0.1.0
 */
export * as FetchedBatch from "./FetchedBatch.ts"

/**
 * @since 0.1.0
 */
export * as KafkaError from "./KafkaError.ts"

/**
 * @since 0.1.0
 */
export * as LogReader from "./LogReader.ts"

/**
 * @since 0.1.0
 */
export * as Offset from "./Offset.ts"

/**
 * @since 0.1.0
 */
export * as OffsetTimes from "./OffsetTimes.ts"

/**
 * @since 0.1.0
 */
export * as OptionalTransport from "./OptionalTransport.ts"

/**
 * @since 0.1.0
 */
export * as PartitionSnapshot from "./PartitionSnapshot.ts"

/**
 * @since 0.1.0
 */
export * as Producer from "./Producer.ts"

/**
 * @since 0.1.0
 */
export * as RecordBatch from "./RecordBatch.ts"

/**
 * @since 0.1.0
 */
export * as RecordBatchDecoder from "./RecordBatchDecoder.ts"

/**
 * @since 0.1.0
 */
export * as Signals from "./Signals.ts"

/**
 * @since 0.1.0
 */
export * as Subscription from "./Subscription.ts"

/**
 * @since 0.1.0
 */
export * as TopicPartition from "./TopicPartition.ts"

/**
 * @since 0.1.0
 */
export * as Transport from "./Transport.ts"
