/**
 * @since 0.1.0
 */
export * as Client from "./Client.ts"

/**
 * @since 0.1.0
 */
export * as Cluster from "./Cluster.ts"

/**
 * @since 0.1.0
 */
export * as ClusterAdmin from "./ClusterAdmin.ts"

/**
 * @since 0.1.0
 */
export * as ConnectionSettings from "./ConnectionSettings.ts"

/**
 * @since 0.1.0
 */
export * as ConsumerProtocol from "./ConsumerProtocol.ts"

/**
 * @since 0.1.0
 */
export * as Coordinator from "./Coordinator.ts"

/**
 * @since 0.1.0
 */
export * as DescribeConsumerGroups from "./DescribeConsumerGroups.ts"

/**
 * @since 0.1.0
 */
export * as ErrorCode from "./ErrorCode.ts"

/**
 * @since 0.1.0
 */
export * as Failure from "./Failure.ts"

/**
 * @since 0.1.0
 */
export * as FetchAnswer from "./FetchAnswer.ts"

/**
 * @since 0.1.0
 */
export * as FetchLayout from "./FetchLayout.ts"

/**
 * @since 0.1.0
 */
export * as FetchRequest from "./FetchRequest.ts"

/**
 * @since 0.1.0
 */
export * as GroupConsumer from "./GroupConsumer.ts"

/**
 * @since 0.1.0
 */
export * as GroupReaction from "./GroupReaction.ts"

/**
 * @since 0.1.0
 */
export * as Handshake from "./Handshake.ts"

/**
 * @since 0.1.0
 */
export * as LaneProducer from "./LaneProducer.ts"

/**
 * @since 0.1.0
 */
export * as Offsets from "./Offsets.ts"

/**
 * @since 0.1.0
 */
export * as Plan from "./Plan.ts"

/**
 * @since 0.1.0
 */
export * as RecordBatchEncoder from "./RecordBatchEncoder.ts"

/**
 * @since 0.1.0
 */
export * as Wire from "./Wire.ts"
