/** Who runs in each workload, what is compared with what, and the ratios that Weft is meant to reach. Data. */
import type { Pair } from "./Comparison.ts"
import type { ContenderName } from "./contenders/byName.ts"

interface NamedPair extends Pair {
  readonly name: ContenderName
  readonly baseline: ContenderName
}

export interface Workload {
  readonly about: string
  readonly pairs: ReadonlyArray<NamedPair>
  /** Where fewer do: work that takes its time is not measured better by more of it. */
  readonly recordsAtMost?: number | undefined
}

export const workloads = {
  batch: {
    about: "batches of records whose values are looked at, and nothing else",
    pairs: [
      { name: "weft processBatch", baseline: "kafkajs eachBatch", target: 3 },
      { name: "weft processBatch", baseline: "platformatic on data", target: 3 },
      { name: "weft processBatch", baseline: "java ConsumerPerformance", target: 1.2 },
      { name: "weft Consumer.batches", baseline: "kafkajs eachBatch", target: 3 },
      { name: "weft Consumer.batches", baseline: "one socket, weft's decoder" }
    ]
  },
  record: {
    about: "one record after the other, with metrics and offset tracking",
    pairs: [
      { name: "weft process", baseline: "kafkajs eachMessage", target: 2.5 },
      { name: "weft process", baseline: "platformatic for await" },
      { name: "weft Consumer.stream", baseline: "kafkajs eachMessage" }
    ]
  },
  transports: {
    about: "batches by the transport on @platformatic/kafka, against the one on kafkajs and the bare client",
    pairs: [
      { name: "weft on platformatic", baseline: "weft Consumer.batches" },
      { name: "weft on platformatic", baseline: "platformatic on data" }
    ]
  },
  json: {
    about: "values parsed as JSON, by a Schema and by hand",
    pairs: [
      { name: "weft JSON by Schema", baseline: "weft JSON by hand", target: 0.8 },
      { name: "weft JSON by hand", baseline: "kafkajs eachBatch", target: 1.3 }
    ]
  },
  keys: {
    about: "5 ms of asynchronous work for each record, in order by key, 64 at a time",
    pairs: [{ name: "weft by key", baseline: "timers alone", target: 0.9 }],
    recordsAtMost: 100_000
  },
  metrics: {
    about: "what measuring costs: nothing measured, against all of it every second",
    pairs: [
      { name: "weft processBatch measured", baseline: "weft processBatch unmeasured", target: 0.97 },
      { name: "weft process measured", baseline: "weft process unmeasured", target: 0.97 }
    ]
  },
  tracing: {
    about: "what a span for each batch costs",
    pairs: [{ name: "weft processBatch traced", baseline: "weft processBatch untraced", target: 0.95 }]
  }
} satisfies Record<string, Workload>

export type WorkloadName = keyof typeof workloads

export const isWorkload = (name: string): name is WorkloadName => Object.hasOwn(workloads, name)

export const contendersOf = (
  { pairs }: Workload
): ReadonlyArray<ContenderName> => [...new Set(pairs.flatMap(({ baseline, name }) => [baseline, name]))]
