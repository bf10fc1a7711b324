/**
 * @since 0.1.0
 */
export * as Alert from "./Alert.ts"

/**
 * @since 0.1.0
 */
export * as AlertFacts from "./AlertFacts.ts"

/**
 * @since 0.1.0
 */
export * as AlertRules from "./AlertRules.ts"

/**
 * @since 0.1.0
 */
export * as AlertSink from "./AlertSink.ts"

/**
 * @since 0.1.0
 */
export * as AlertStore from "./AlertStore.ts"

/**
 * @since 0.1.0
 */
export * as AlertTracker from "./AlertTracker.ts"

/**
 * @since 0.1.0
 */
export * as AlertWatch from "./AlertWatch.ts"

/**
 * @since 0.1.0
 */
export * as AlertWebhook from "./AlertWebhook.ts"

/**
 * @since 0.1.0
 */
export * as BatchRecordError from "./BatchRecordError.ts"

/**
 * @since 0.1.0
 */
export * as DeadLetter from "./DeadLetter.ts"

/**
 * @since 0.1.0
 */
export * as EventLoopDelay from "./EventLoopDelay.ts"

/**
 * @since 0.1.0
 */
export * as FailurePolicy from "./FailurePolicy.ts"

/**
 * @since 0.1.0
 */
export * as GroupMonitor from "./GroupMonitor.ts"

/**
 * @since 0.1.0
 */
export * as Health from "./Health.ts"

/**
 * @since 0.1.0
 */
export * as Histogram from "./Histogram.ts"

/**
 * @since 0.1.0
 */
export * as LagMonitor from "./LagMonitor.ts"

/**
 * @since 0.1.0
 */
export * as LagStatus from "./LagStatus.ts"

/**
 * @since 0.1.0
 */
export * as LagWindow from "./LagWindow.ts"

/**
 * @since 0.1.0
 */
export * as MeasuredFacts from "./MeasuredFacts.ts"

/**
 * @since 0.1.0
 */
export * as MetricCatalogue from "./MetricCatalogue.ts"

/**
 * @since 0.1.0
 */
export * as MetricsSink from "./MetricsSink.ts"

/**
 * @since 0.1.0
 */
export * as MetricsSinks from "./MetricsSinks.ts"

/**
 * @since 0.1.0
 */
export * as PartitionWindows from "./PartitionWindows.ts"

/**
 * @since 0.1.0
 */
export * as Pipeline from "./Pipeline.ts"

/**
 * @since 0.1.0
 */
export * as PipelineError from "./PipelineError.ts"

/**
 * @since 0.1.0
 */
export * as PipelineOptions from "./PipelineOptions.ts"

/**
 * @since 0.1.0
 */
export * as PipelineRecord from "./PipelineRecord.ts"

/**
 * @since 0.1.0
 */
export * as PrometheusMetrics from "./PrometheusMetrics.ts"

/**
 * @since 0.1.0
 */
export * as Recommendation from "./Recommendation.ts"

/**
 * @since 0.1.0
 */
export * as RecommendationEvidence from "./RecommendationEvidence.ts"

/**
 * @since 0.1.0
 */
export * as RecommendationRules from "./RecommendationRules.ts"

/**
 * @since 0.1.0
 */
export * as RunningPipeline from "./RunningPipeline.ts"

/**
 * @since 0.1.0
 */
export * as Tracing from "./Tracing.ts"
