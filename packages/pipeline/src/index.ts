/**
 * @since 0.1.0
 */
export * as BatchRecordError from "./BatchRecordError.ts"

/**
 * @since 0.1.0
 */
export * as FailurePolicy from "./FailurePolicy.ts"

/**
 * @since 0.1.0
 */
export * as MetricsSink from "./MetricsSink.ts"

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
export * as PipelineRecord from "./PipelineRecord.ts"
