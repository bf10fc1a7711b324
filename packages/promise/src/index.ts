/**
 * Kafka consumers configured from Postgres, with promises: see `createOptimizedConsumer` and `BaseKafkaConsumer`.
 *
 * @since 0.1.0
 */
export { BaseKafkaConsumer } from "./BaseKafkaConsumer.ts"
export { toKafkaJs, toPlatformatic } from "./ClientOptions.ts"
export { KafkaConsumerConfigLoader, loadConsumerConfig } from "./ConfigLoader.ts"
export type { ConsumerConfig } from "./ConsumerConfig.ts"
export type { ConsumerOptions } from "./ConsumerOptions.ts"
export * as Decoder from "./Decoder.ts"
export { createOptimizedConsumer, type OptimizedConsumer } from "./OptimizedConsumer.ts"
export { getProcessingRecommendations, type ProcessingRecommendation } from "./Recommendation.ts"
export { createTestCluster } from "./TestCluster.ts"
export {
  BatchRecordError,
  ConsumerStateError,
  DatabaseFailedError,
  DecodeError,
  HaltedError,
  InvalidOptionError,
  KafkaFailedError,
  WeftError
} from "./WeftError.ts"
export type { HeldRecord, WeftRecord } from "./WeftRecord.ts"
