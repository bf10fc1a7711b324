/**
 * @since 0.1.0
 */
export * as Conformance from "./Conformance.ts"

/**
 * @since 0.1.0
 */
export * as ConformanceEnv from "./ConformanceEnv.ts"

/**
 * @since 0.1.0
 */
export * as FaultPlan from "./FaultPlan.ts"

/**
 * @since 0.1.0
 */
export * as Fixtures from "./Fixtures.ts"

/**
 * @since 0.1.0
 */
export * as Invariants from "./Invariants.ts"

/**
 * @since 0.1.0
 */
export * as MemoryCluster from "./MemoryCluster.ts"

/**
 * @since 0.1.0
 */
export * as Probe from "./Probe.ts"

/**
 * @since 0.1.0
 */
export * as Simulation from "./Simulation.ts"
