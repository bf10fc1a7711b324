export * as FaultPlan from "./FaultPlan.ts"
export * as Invariants from "./Invariants.ts"
export * as MemoryCluster from "./MemoryCluster.ts"
export * as Simulation from "./Simulation.ts"
