/** Who runs in each workload, what is compared with what, and the ratios that Weft is meant to reach. Data. */
import type { FigurePair, Pair } from "./Comparison.ts"
import { type ContenderName, isContender } from "./contenders/byName.ts"

/** The records that are read, and over how many partitions. */
export interface Shape {
  readonly records: number
  readonly bytes: number
  readonly partitions: number
}

/** A contender under a name of its own, for another shape: so the same one can be compared with itself. */
export interface Entrant extends Partial<Shape> {
  readonly contender: ContenderName
}

export interface Workload {
  readonly about: string
  /** Each of these names is that of an entrant, or else of a contender. */
  readonly pairs: ReadonlyArray<Pair>
  readonly entrants?: Readonly<Record<string, Entrant>> | undefined
  /** Where it is about figures that are not the speed. */
  readonly figures?: ReadonlyArray<FigurePair> | undefined
  /** Measured in each of these shapes, where none is asked for. */
  readonly shapes?: ReadonlyArray<Partial<Shape>> | undefined
  /** Where fewer do: work that takes its time is not measured better by more of it. */
  readonly recordsAtMost?: number | undefined
  /** False where contenders write themselves: each run has an empty topic of its own. */
  readonly filled?: false | undefined
  readonly needs?: ReadonlyArray<"postgres"> | undefined
  /** Plotted as curves instead of bars. */
  readonly curves?: ReadonlyArray<Curve> | undefined
}

/** The speed, what a record costs, or a figure. */
export type Quantity = "records/s" | "CPU s per 10^6" | (string & {})

/**
 * Either a curve for each contender, over what the shapes of its entrants differ by; or, where `x` is a figure, a curve for
 * each of `y`.
 */
export interface Curve {
  /** Of the file, and before the title. */
  readonly name: string
  readonly x: keyof Shape | { readonly figure: string }
  readonly y: ReadonlyArray<Quantity>
  /** `x` is what `y` is compared with. */
  readonly isIdentityShown?: true | undefined
}

export const defaultShape: Shape = { records: 1_000_000, bytes: 200, partitions: 4 }

const shapes: ReadonlyArray<Partial<Shape>> = [
  {},
  { bytes: 1000, records: 500_000 },
  { partitions: 1 },
  { partitions: 64 }
]

const pauses = (name: ContenderName, baseline: ContenderName): ReadonlyArray<FigurePair> =>
  ["join, retained ms", "join, moved ms", "leave, retained ms", "leave, moved ms"].map((figure) => ({
    figure,
    name,
    baseline
  }))

/** The same contender in several shapes, each under a name of its own. */
const inShapes = (
  contender: ContenderName,
  shapes: Readonly<Record<string, Partial<Shape>>>
): Readonly<Record<string, Entrant>> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`${contender}, ${name}`, { contender, ...shape }]))

const partitionCounts = [1, 4, 16, 64, 256, 1_000]
const backlogs = [10_000, 100_000, 1_000_000, 10_000_000]
const rates = [100, 1_000, 10_000, 50_000]

const overPartitions = (contender: ContenderName) => ({
  entrants: inShapes(
    contender,
    // Of fewer, who has 1,000 partitions reads few of each.
    Object.fromEntries(
      partitionCounts.map((partitions) => [`partitions: ${partitions}`, { partitions, records: 3_000_000 }])
    )
  ),
  pairs: partitionCounts.filter((partitions) => partitions !== 4).map((partitions) => ({
    name: `${contender}, partitions: ${partitions}`,
    baseline: `${contender}, partitions: 4`
  }))
})

const batchesOverPartitions = overPartitions("weft processBatch")
const streamOverPartitions = overPartitions("weft Consumer.batches")
const wireOverPartitions = overPartitions("one socket, weft's decoder")

export const workloads = {
  batch: {
    about: "batches of records whose values are looked at, and nothing else",
    // A million is read before everyone's functions are compiled: once like that, and then what lasts.
    shapes: [
      { records: 5_000_000 },
      {},
      { bytes: 1000, records: 2_000_000 },
      { partitions: 1, records: 3_000_000 },
      { partitions: 64, records: 3_000_000 }
    ],
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
    shapes,
    pairs: [
      { name: "weft process", baseline: "kafkajs eachMessage", target: 2.5 },
      { name: "weft process", baseline: "platformatic for await" },
      { name: "weft Consumer.stream", baseline: "kafkajs eachMessage" }
    ]
  },
  effect: {
    about: "one record after the other, by an Effect for each and by a Stream",
    pairs: [
      { name: "weft process", baseline: "effect-kafka handler" },
      { name: "weft Consumer.stream", baseline: "effect-kafka stream" }
    ]
  },
  transports: {
    about: "batches by the transport on @platformatic/kafka, against the one on kafkajs and the bare client",
    pairs: [
      { name: "weft on platformatic", baseline: "weft Consumer.batches" },
      { name: "weft on platformatic", baseline: "platformatic on data" }
    ]
  },
  decoder: {
    about: "batches by kafkajs's own decoder, with Weft around it and without, and what checking checksums costs",
    pairs: [
      { name: "weft by kafkajs's decoder", baseline: "kafkajs eachBatch", target: 0.95 },
      { name: "weft Consumer.batches", baseline: "weft without checksums" }
    ]
  },
  produce: {
    about: "records written with acks all, 500 to a send, 4,000 under way",
    pairs: [
      { name: "weft sendAll of 500", baseline: "kafkajs send of 500", target: 1 },
      { name: "weft sendAll of 500 on platformatic", baseline: "platformatic send of 500", target: 0.9 },
      { name: "weft sendAll of 500", baseline: "java ProducerPerformance" }
    ],
    filled: false
  },
  send: {
    about: "records written with acks all, one to a send, 4,000 under way",
    pairs: [
      { name: "weft send", baseline: "kafkajs send", target: 1 },
      { name: "weft send on platformatic", baseline: "platformatic send", target: 1 }
    ],
    filled: false,
    recordsAtMost: 100_000
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
  },
  latency: {
    about: "from when a record is due at the producer until the handler has it, at 1,000 records a second",
    pairs: [],
    figures: [
      { figure: "p99 ms", name: "latency, weft process", baseline: "latency, kafkajs eachMessage", atMostMore: 2 },
      { figure: "p99 ms", name: "latency, weft processBatch", baseline: "latency, kafkajs eachMessage", atMostMore: 2 },
      {
        figure: "p99 ms",
        name: "latency, weft process on platformatic",
        baseline: "latency, platformatic on data",
        atMostMore: 2
      }
    ],
    filled: false,
    recordsAtMost: 15_000
  },
  startup: {
    about: "from the start of a process to its first record, in a new group",
    pairs: [],
    figures: [
      { figure: "ms to first record", name: "startup, weft process", baseline: "startup, kafkajs eachMessage" },
      {
        figure: "ms to first record",
        name: "startup, weft process on platformatic",
        baseline: "startup, platformatic on data"
      },
      { figure: "ms to first record", name: "startup, weft process", baseline: "startup, java console consumer" },
      { figure: "ms to first record", name: "startup, weft process, compile cache", baseline: "startup, weft process" }
    ],
    recordsAtMost: 1
  },
  rebalance: {
    about: "how long partitions stand still while a second member joins, and while it leaves; a heartbeat every 3 s",
    shapes: [{ partitions: 8 }],
    pairs: [],
    figures: [
      ...pauses("rebalance, weft process", "rebalance, kafkajs eachMessage"),
      ...pauses("rebalance, weft process on platformatic", "rebalance, platformatic on data"),
      ...pauses("rebalance, weft process on platformatic, KIP-848", "rebalance, weft process on platformatic")
    ],
    filled: false,
    recordsAtMost: 15_000
  },
  sinks: {
    about: "what a database costs: settings, metrics, lag, turns and recommendations in PostgreSQL, against none of it",
    pairs: [
      { name: "weft processBatch, sinks", baseline: "weft processBatch, no database", target: 0.97 },
      { name: "weft processBatch, sinks every second", baseline: "weft processBatch, no database", target: 0.97 },
      { name: "weft process, sinks every second", baseline: "weft process, no database", target: 0.97 }
    ],
    needs: ["postgres"]
  },
  commits: {
    about: "commits after each batch, against one every five seconds",
    pairs: [
      { name: "weft processBatch, commits as settled", baseline: "weft processBatch, commits every 5 s" },
      { name: "weft Consumer.batches, commits awaited", baseline: "weft Consumer.batches, commits every 5 s" },
      { name: "kafkajs, commits each batch", baseline: "kafkajs, commits every 5 s" },
      { name: "platformatic, commits each fetch", baseline: "platformatic, commits every 5 s" },
      { name: "weft processBatch, commits as settled", baseline: "kafkajs, commits each batch" },
      { name: "weft processBatch, commits as settled", baseline: "platformatic, commits each fetch" }
    ]
  },
  consumers: {
    about: "many consumers in one process, each of a group of its own that reads all of the topic",
    pairs: [
      { name: "weft, 10 groups", baseline: "weft, 1 group" },
      { name: "weft, 50 groups", baseline: "weft, 1 group" },
      { name: "weft, 50 groups", baseline: "kafkajs, 50 groups" },
      { name: "kafkajs, 50 groups", baseline: "kafkajs, 1 group" }
    ]
  },
  idle: {
    about: "what consumers take that have nothing to read",
    pairs: [],
    figures: [
      { figure: "idle CPU ms/s", name: "weft, 50 idle", baseline: "kafkajs, 50 idle" },
      { figure: "idle RSS MiB", name: "weft, 50 idle", baseline: "kafkajs, 50 idle" },
      { figure: "idle CPU ms/s", name: "weft, 50 idle", baseline: "weft, 1 idle" },
      { figure: "idle RSS MiB", name: "weft, 50 idle", baseline: "weft, 1 idle" }
    ],
    recordsAtMost: 1_000
  },
  hour: {
    about: "an hour of backlog at 1,000 records a second with the default settings, and the memory that it takes",
    shapes: [{ records: 3_600_000 }],
    pairs: [
      { name: "weft, an hour of backlog", baseline: "kafkajs eachBatch" },
      { name: "weft, an hour of backlog, 1 ms a batch", baseline: "weft, an hour of backlog" }
    ],
    figures: [
      {
        figure: "MiB above idle",
        name: "weft, an hour of backlog, 1 ms a batch",
        baseline: "weft, an hour of backlog"
      }
    ]
  },
  partitions: {
    about: "the same records over 1 to 1,000 partitions, in record batches of the same size",
    entrants: {
      ...batchesOverPartitions.entrants,
      ...streamOverPartitions.entrants,
      ...wireOverPartitions.entrants
    },
    pairs: [
      ...[...batchesOverPartitions.pairs, ...streamOverPartitions.pairs].map((pair) => ({ ...pair, cpuTarget: 0.9 })),
      // What the broker's answers cost by themselves.
      ...wireOverPartitions.pairs
    ],
    curves: [
      { name: "partitions-cpu", x: "partitions", y: ["CPU s per 10^6"] },
      { name: "partitions", x: "partitions", y: ["records/s"] }
    ]
  },
  backlogs: {
    about: "10^4 to 10^7 records that wait for a process that is warm",
    entrants: inShapes(
      "weft processBatch, warm",
      Object.fromEntries(backlogs.map((records) => [`records: ${records}`, { records }]))
    ),
    pairs: backlogs.filter((records) => records !== 1_000_000).map((records) => ({
      name: `weft processBatch, warm, records: ${records}`,
      baseline: "weft processBatch, warm, records: 1000000",
      cpuTarget: 0.9
    })),
    curves: [
      { name: "backlogs-cpu", x: "records", y: ["CPU s per 10^6"] },
      { name: "backlogs", x: "records", y: ["records/s"] }
    ]
  },
  memory: {
    about: "what a process holds that is far behind and slow, against the formula of its settings",
    pairs: [],
    entrants: {
      ...inShapes("weft, slow", {
        "4 partitions": { partitions: 4 },
        "4 partitions of 100 kB": { partitions: 4, bytes: 100_000, records: 8_000 },
        "64 partitions of 1 kB": { partitions: 64, bytes: 1_000, records: 400_000 },
        "256 partitions": { partitions: 256 }
      }),
      ...inShapes("weft, slow, queues of 256 KiB", {
        "64 partitions of 1 kB": { partitions: 64, bytes: 1_000, records: 400_000 }
      }),
      ...inShapes("weft, slow, queues of 8 MiB", {
        "4 partitions of 1 kB": { partitions: 4, bytes: 1_000, records: 200_000 }
      }),
      ...inShapes("weft, slow, 16 MiB in all", {
        "64 partitions of 1 kB": { partitions: 64, bytes: 1_000, records: 400_000 }
      })
    },
    curves: [
      { name: "memory-alive", x: { figure: "formula, alive MiB" }, y: ["alive MiB"], isIdentityShown: true },
      { name: "memory-in-all", x: { figure: "formula, in all MiB" }, y: ["in all MiB"], isIdentityShown: true }
    ]
  },
  writes: {
    about: "what is written to the database in 30 s, at 100 to 50,000 records a second",
    pairs: [],
    entrants: Object.fromEntries(
      rates.map((rate) => [`weft at ${rate} records/s`, { contender: "weft, records at a rate", records: rate * 30 }])
    ),
    figures: rates.slice(1).map((rate) => ({
      figure: "rows/s",
      name: `weft at ${rate} records/s`,
      baseline: "weft at 100 records/s",
      atMostMore: 1
    })),
    filled: false,
    needs: ["postgres"],
    curves: [{ name: "writes", x: { figure: "asked records/s" }, y: ["rows/s", "transactions/s", "WAL kB/s"] }]
  }
} satisfies Record<string, Workload>

export type WorkloadName = keyof typeof workloads

export const isWorkload = (name: string): name is WorkloadName => Object.hasOwn(workloads, name)

/** Who runs in a workload, by name, each once. */
export const entrantsOf = ({ entrants = {}, figures = [], pairs }: Workload): ReadonlyMap<string, Entrant> => {
  const names = new Set([
    ...Object.keys(entrants),
    ...[...pairs, ...figures].flatMap(({ baseline, name }) => [baseline, name])
  ])
  return new Map([...names].map((name) => {
    const entrant = entrants[name]
    if (entrant !== undefined) return [name, entrant]
    if (!isContender(name)) throw new Error(`nobody is called ${name}`)
    return [name, { contender: name }]
  }))
}

/** A shape that is asked for takes the place of all of the workload's own; fewer records are fewer in each. */
export const shapesOf = (
  { recordsAtMost = Infinity, shapes = [{}] }: Workload,
  asked: Partial<Shape>
): ReadonlyArray<Shape> => {
  const own = asked.bytes === undefined && asked.partitions === undefined ? shapes : [{}]
  return own.map((shape) => {
    const merged = { ...defaultShape, ...shape, ...asked }
    return { ...merged, records: Math.min(merged.records, recordsAtMost) }
  })
}
