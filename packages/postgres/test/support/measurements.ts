/** Measurements for tests, of one member in one interval. */
import type * as MetricsSink from "@weft/pipeline/MetricsSink"

export const processingMetrics = (
  timestamp: number,
  change: Partial<MetricsSink.ProcessingMetrics> = {}
): MetricsSink.ProcessingMetrics => ({
  service: "georegion-detector",
  topic: "location.address.geocoded",
  member: "m1",
  timestamp,
  intervalMs: 5000,
  messagesProcessed: 500,
  processingTimeMs: 2.5,
  processingTimeP50Ms: 2,
  processingTimeP95Ms: 5,
  processingTimeP99Ms: 9,
  messagesPerSecond: 100,
  bytes: 100_000,
  retries: 3,
  failures: 4,
  skipped: 1,
  deadLetters: 2,
  durations: [[2, 400], [5, 80], [9, 20]],
  batches: 5,
  fullBatches: 1,
  partitions: 3,
  busiestPartitionRecords: 300,
  busiestKeyRecords: 40,
  memoryUsageMb: 80.5,
  ...change
})

export const memberMetrics = (
  timestamp: number,
  change: Partial<MetricsSink.MemberMetrics> = {}
): MetricsSink.MemberMetrics => ({
  service: "georegion-detector",
  group: "loom-georegion",
  member: "m1",
  timestamp,
  intervalMs: 5000,
  partitions: 3,
  pausedPartitions: 1,
  queuedRecords: 1000,
  queuedBytes: 200_000,
  inFlight: 20,
  oldestInFlightMs: 12.5,
  uncommittedRecords: 60,
  commits: 4,
  commitFailures: 1,
  commitMeanMs: 3.5,
  commitP99Ms: 8,
  rebalances: 1,
  lost: 0,
  crashes: 0,
  stalls: 0,
  memoryUsageMb: 80.5,
  heapUsedMb: 30.5,
  eventLoopDelayMs: 15,
  lateCompletions: 2,
  ...change
})

export const lagSample = (
  timestamp: number,
  partition: number,
  change: Partial<MetricsSink.LagSample> = {}
): MetricsSink.LagSample => ({
  service: "georegion-detector",
  group: "loom-georegion",
  member: "m1",
  topic: "location.address.geocoded",
  partition,
  lag: 20n,
  consumerOffset: 100n,
  endOffset: 120n,
  lagSeconds: 1.5,
  status: "slow",
  timestamp,
  ...change
})
