/** Rounds of a workload: each run is a process of its own, and they take turns. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { compare, type Difference, differences, type Ratio, type Summary, summarize } from "./Comparison.ts"
import type { ContenderName } from "./contenders/byName.ts"
import type { Result, Task } from "./contenders/Contender.ts"
import type { Servers } from "./servers.ts"
import { readable } from "./tables.ts"
import { entrantsOf, type Shape, type Workload, type WorkloadName, workloads } from "./workloads.ts"

const longestRunMs = 600_000
const program = fileURLToPath(new URL("contender.ts", import.meta.url))

export const runOnce = async (
  name: ContenderName,
  task: Task,
  nodeFlags: ReadonlyArray<string> = []
): Promise<Result> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeFlags, program, name, JSON.stringify(task)],
    { timeout: longestRunMs, killSignal: "SIGKILL" }
  )
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Result
  const isWhole = result.records >= task.records
    && (result.bytes === undefined || result.bytes === result.records * task.bytes)
  if (!isWhole) throw new Error(`${name} saw ${result.records} records of ${result.bytes} bytes`)
  return result
}

export interface Outcome {
  readonly workload: WorkloadName
  readonly shape: Shape
  readonly summaries: ReadonlyArray<Summary>
  readonly ratios: ReadonlyArray<Ratio>
  readonly differences: ReadonlyArray<Difference>
  readonly runs: Readonly<Record<string, ReadonlyArray<Result>>>
}

const groupOf = (topic: string, workload: WorkloadName, round: number, name: string): string =>
  `${topic}-${workload}-${round}-${name.replaceAll(/[^a-zA-Z0-9]+/g, "-")}`

const told = ({ figures, recordsPerSecond }: Result): string =>
  figures === undefined
    ? `${Math.round(recordsPerSecond)} records/s`
    : Object.entries(figures).map(([figure, value]) => `${figure} ${readable(value)}`).join(", ")

export const measure = async (
  workload: WorkloadName,
  shape: Shape,
  rounds: number,
  servers: Servers
): Promise<Outcome> => {
  const one: Workload = workloads[workload]
  const entrants = entrantsOf(one)
  const runs = new Map<string, Array<Result>>([...entrants.keys()].map((name) => [name, []]))
  const run = async (name: string, round: number): Promise<Result> => {
    const { contender, ...own } = entrants.get(name)!
    const { bytes, partitions, records } = { ...shape, ...own }
    const inTopic = async (topic: string) =>
      runOnce(contender, {
        brokers: servers.brokers,
        topic,
        group: groupOf(topic, workload, round, name),
        records,
        bytes,
        partitions,
        ...(one.needs?.includes("postgres") === true && { postgres: await servers.freshDatabase() })
      })
    return one.filled === false
      ? servers.withEmptyTopic(partitions, inTopic)
      : inTopic(await servers.filledTopic({ records, bytes, partitions }))
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [name, own] of runs) {
      const result = await run(name, round)
      own.push(result)
      console.log(`round ${round} of ${rounds}  ${name.padEnd(32)} ${told(result)}`)
    }
  }
  return {
    workload,
    shape,
    summaries: summarize(runs),
    ratios: compare(runs, one.pairs),
    differences: differences(runs, one.figures ?? []),
    runs: Object.fromEntries(runs)
  }
}
