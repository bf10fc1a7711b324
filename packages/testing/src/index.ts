export * as FaultPlan from "./FaultPlan.ts"
export * as MemoryCluster from "./MemoryCluster.ts"
