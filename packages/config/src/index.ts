/**
 * @since 0.1.0
 */
export * as AppliedConfig from "./AppliedConfig.ts"
/**
 * @since 0.1.0
 */
export * as AppliedConfigs from "./AppliedConfigs.ts"
/**
 * @since 0.1.0
 */
export * as ConfigIssue from "./ConfigIssue.ts"
/**
 * @since 0.1.0
 */
export * as ConfigRow from "./ConfigRow.ts"
/**
 * @since 0.1.0
 */
export * as ConfigRows from "./ConfigRows.ts"
/**
 * @since 0.1.0
 */
export * as ConfigStore from "./ConfigStore.ts"
/**
 * @since 0.1.0
 */
export * as ConsumerConfig from "./ConsumerConfig.ts"
/**
 * @since 0.1.0
 */
export * as Environment from "./Environment.ts"
/**
 * @since 0.1.0
 */
export * as LastKnownGood from "./LastKnownGood.ts"
/**
 * @since 0.1.0
 */
export * as LastKnownGoodFiles from "./LastKnownGoodFiles.ts"
/**
 * @since 0.1.0
 */
export * as RejoinTurns from "./RejoinTurns.ts"
/**
 * @since 0.1.0
 */
export * as ReloadPlan from "./ReloadPlan.ts"
/**
 * @since 0.1.0
 */
export * as Resolution from "./Resolution.ts"
/**
 * @since 0.1.0
 */
export * as Setting from "./Setting.ts"
/**
 * @since 0.1.0
 */
export * as WorkloadProfile from "./WorkloadProfile.ts"
