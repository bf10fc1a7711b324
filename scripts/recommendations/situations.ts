/** The four common issues of the guide, each made on purpose, and what shows that it is there or gone. */
import * as Codec from "@weft/kafka/Codec"
import type { Evidence } from "@weft/pipeline/RecommendationEvidence"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"

export type Name = "rebalancing" | "memory" | "lag" | "timeouts"

export interface Situation {
  readonly title: string
  /** The rule that must see it. */
  readonly rule: string
  readonly members: number
  readonly partitions: number
  readonly row: Readonly<Record<string, number | string>>
  /** What waits in the topic when the members start. */
  readonly backlog: number
  /** What comes in while they run, in records a second. */
  readonly perSecond: number
  readonly valueBytes: number
  /** How long the way from what was recommended to its effect may take, beside one interval. */
  readonly settlesInSeconds: number
  /** What the issue is seen by: a figure of {@link figures}, and whether it says that the issue is there. */
  readonly symptom: readonly [figure: Figure, isThere: (value: number) => boolean]
}

const mebibyte = 1_048_576

/** What the evidence of the last intervals tells, for people. */
export const figures = {
  "records/s": ({ recordsPerSecond }) => recordsPerSecond,
  "p99 ms": ({ p99Ms }) => p99Ms,
  lag: ({ lag }) => lag.records,
  "lag growth/s": ({ lag }) => lag.growthPerSecond,
  rebalances: ({ rebalances }) => rebalances,
  "partitions lost": ({ lost }) => lost,
  stalls: ({ stalls }) => stalls,
  "records held, MiB": (seen) => (seen.queuedBytesMax + seen.inFlightMax * seen.bytesPerRecord) / mebibyte,
  "resident memory, MiB": ({ memoryMbMax }) => memoryMbMax,
  "longest pause of the event loop, ms": ({ eventLoopDelayMsMax }) => eventLoopDelayMsMax
} satisfies { readonly [figure: string]: (seen: Evidence) => number }

export type Figure = keyof typeof figures

export const situations: { readonly [N in Name]: Situation } = {
  rebalancing: {
    title: "Consumer rebalancing frequently: handlers block the event loop for 7 s, with a session of 6 s",
    rule: "frequent-rebalancing",
    members: 2,
    partitions: 4,
    row: { session_timeout_ms: 6_000, max_poll_interval_ms: 6_000, heartbeat_interval_ms: 2_000 },
    backlog: 0,
    perSecond: 40,
    valueBytes: 100,
    settlesInSeconds: 20,
    symptom: ["partitions lost", (lost) => lost > 0]
  },
  memory: {
    title:
      "High memory usage: 20 KB records, slowly processed, with fetches of 8 MiB and 200 records for each partition",
    rule: "high-memory",
    members: 1,
    partitions: 16,
    row: { max_poll_records: 200, max_partition_fetch_bytes: 8_388_608 },
    backlog: 12_000,
    perSecond: 150,
    valueBytes: 20_000,
    settlesInSeconds: 50,
    symptom: ["records held, MiB", (held) => held >= 64]
  },
  lag: {
    title: "Consumer lag increasing: batches of 20 records that cost 100 ms each, 2000 records a second",
    rule: "growing-lag",
    members: 1,
    partitions: 4,
    row: { max_poll_records: 20 },
    backlog: 0,
    perSecond: 2_000,
    valueBytes: 100,
    settlesInSeconds: 5,
    symptom: ["lag growth/s", (growth) => growth > 100]
  },
  timeouts: {
    title: "Messages timing out: records that take 9 s each, with a max_poll_interval_ms of 6 s",
    rule: "timing-out",
    members: 1,
    partitions: 2,
    row: { session_timeout_ms: 6_000, max_poll_interval_ms: 6_000, heartbeat_interval_ms: 2_000 },
    backlog: 200,
    perSecond: 0,
    valueBytes: 100,
    settlesInSeconds: 12,
    symptom: ["stalls", (stalls) => stalls > 0]
  }
}

/** The event loop stands still: nothing else of the process runs meanwhile. */
const standStill = (ms: number) => Effect.sync(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))

const handlers: { readonly [N in Name]: (common: Common) => Pipeline.Pipeline<never> } = {
  rebalancing: (common) => {
    let records = 0
    return Pipeline.make({
      ...common,
      process: () => Effect.suspend(() => ++records % 60 === 0 ? standStill(7_000) : Effect.sleep(1))
    })
  },
  memory: (common) => Pipeline.make({ ...common, process: () => Effect.sleep(80) }),
  lag: (common) => Pipeline.make({ ...common, processBatch: (records) => Effect.sleep(100 + records.length * 0.1) }),
  timeouts: (common) => Pipeline.make({ ...common, process: () => Effect.sleep(9_000) })
}

interface Common {
  readonly service: string
  readonly topics: ReadonlyArray<string>
  readonly value: Codec.Codec<Uint8Array>
}

export const pipelineOf = (name: Name, topic: string): Pipeline.Pipeline<never> =>
  handlers[name]({ service: `${name}-service`, topics: [topic], value: Codec.bytes })
