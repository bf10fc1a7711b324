/**
 * @since 0.1.0
 */
export * as ConfigChange from "./ConfigChange.ts"
/**
 * @since 0.1.0
 */
export * as ConfigHistory from "./ConfigHistory.ts"
/**
 * @since 0.1.0
 */
export * as ConfigWriter from "./ConfigWriter.ts"
/**
 * @since 0.1.0
 */
export * as LagHistory from "./LagHistory.ts"
/**
 * @since 0.1.0
 */
export * as MetricsHistory from "./MetricsHistory.ts"
/**
 * @since 0.1.0
 */
export * as MetricsMaintenance from "./MetricsMaintenance.ts"
/**
 * @since 0.1.0
 */
export * as Postgres from "./Postgres.ts"
/**
 * @since 0.1.0
 */
export * as PostgresAlertFacts from "./PostgresAlertFacts.ts"
/**
 * @since 0.1.0
 */
export * as PostgresAlertWatch from "./PostgresAlertWatch.ts"
/**
 * @since 0.1.0
 */
export * as PostgresAlerts from "./PostgresAlerts.ts"
/**
 * @since 0.1.0
 */
export * as PostgresAppliedConfigs from "./PostgresAppliedConfigs.ts"
/**
 * @since 0.1.0
 */
export * as PostgresConfigStore from "./PostgresConfigStore.ts"
/**
 * @since 0.1.0
 */
export * as PostgresMetricsSink from "./PostgresMetricsSink.ts"
/**
 * @since 0.1.0
 */
export * as PostgresPipeline from "./PostgresPipeline.ts"
/**
 * @since 0.1.0
 */
export * as PostgresRejoinTurns from "./PostgresRejoinTurns.ts"
/**
 * @since 0.1.0
 */
export * as Recommendations from "./Recommendations.ts"
/**
 * @since 0.1.0
 */
export * as SqlMigrator from "./SqlMigrator.ts"
