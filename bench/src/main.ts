/**
 * `npm run bench`: how fast Weft consumes, against the clients that there are, on one real Kafka. Each run is a process of its
 * own; they take turns, so that whatever else the machine does counts for all. See bench/README.md.
 */
import { execFile } from "node:child_process"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { startKafka } from "../../scripts/servers/kafka.ts"
import { temporaryFolder } from "../../scripts/servers/temporaryFolder.ts"
import { compare, type Ratio, ratioTable, type Summary, summarize, summaryTable } from "./Comparison.ts"
import type { ContenderName } from "./contenders/byName.ts"
import type { Result, Task } from "./contenders/Contender.ts"
import { type Flags, parse, usage } from "./flags.ts"
import { bars } from "./plot.ts"
import { type CpuProfile, heaviest } from "./profile.ts"
import { fill } from "./topic.ts"
import { contendersOf, type Workload, type WorkloadName, workloads } from "./workloads.ts"

const longestRunMs = 600_000
const program = fileURLToPath(new URL("contender.ts", import.meta.url))

const runOnce = async (name: ContenderName, task: Task, nodeFlags: ReadonlyArray<string> = []): Promise<Result> => {
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

/** A topic for each number of records, filled when it is first asked for. */
const makeTopics = (brokers: ReadonlyArray<string>, { bytes, partitions }: Flags) => {
  const filled = new Map<number, Promise<string>>()
  return (records: number): Promise<string> => {
    const known = filled.get(records)
    if (known !== undefined) return known
    const topic = `weft-bench-${process.pid}-${records}`
    console.log(`filling ${topic}: ${records} records of ${bytes} bytes, ${partitions} partitions`)
    const made = fill({ brokers, topic, partitions, records, bytes }).then(() => topic)
    filled.set(records, made)
    return made
  }
}

type Topics = ReturnType<typeof makeTopics>

interface Outcome {
  readonly workload: WorkloadName
  readonly summaries: ReadonlyArray<Summary>
  readonly ratios: ReadonlyArray<Ratio>
  readonly runs: Readonly<Record<string, ReadonlyArray<Result>>>
}

const measure = async (
  workload: WorkloadName,
  flags: Flags,
  brokers: ReadonlyArray<string>,
  topics: Topics
): Promise<Outcome> => {
  const { about, pairs, recordsAtMost = Infinity }: Workload = workloads[workload]
  const records = Math.min(flags.records, recordsAtMost)
  const topic = await topics(records)
  const names = contendersOf(workloads[workload])
  const runs = new Map<ContenderName, Array<Result>>(names.map((name) => [name, []]))
  console.log(`\n${workload}: ${about}`)
  for (let round = 1; round <= flags.rounds; round++) {
    for (const name of names) {
      const group = `${topic}-${workload}-${round}-${name.replaceAll(/[^a-zA-Z]+/g, "-")}`
      const { bytes, partitions } = flags
      const result = await runOnce(name, { brokers, topic, group, records, bytes, partitions })
      runs.get(name)!.push(result)
      console.log(
        `round ${round} of ${flags.rounds}  ${name.padEnd(28)} ${Math.round(result.recordsPerSecond)} records/s`
      )
    }
  }
  const summaries = summarize(runs)
  const ratios = compare(runs, pairs)
  console.log(`\n${summaryTable(summaries)}\n\n${ratioTable(ratios)}`)
  return { workload, summaries, ratios, runs: Object.fromEntries(runs) }
}

const profile = async (name: ContenderName, flags: Flags, brokers: ReadonlyArray<string>, topics: Topics) => {
  const { bytes, partitions, records } = flags
  const topic = await topics(records)
  const folder = await temporaryFolder("weft-bench-profile-")
  const task = { brokers, topic, group: `${topic}-profile`, records, bytes, partitions }
  const result = await runOnce(name, task, ["--cpu-prof", "--cpu-prof-dir", folder.path])
  const [file] = await readdir(folder.path)
  const text = await readFile(join(folder.path, file!), "utf8")
  const kept = flags.json ?? `${name.replaceAll(" ", "-")}.cpuprofile`
  await writeFile(kept, text)
  console.log(
    `\n${name}: ${Math.round(result.recordsPerSecond)} records/s under the profiler; the profile is in ${kept}\n`
  )
  for (const { share, where } of heaviest(JSON.parse(text) as CpuProfile, 10)) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${where}`)
  }
}

/** The machine, the versions and the shape of the records, so that figures can be compared later. */
const about = async ({ bytes, partitions, records, rounds }: Flags) => ({
  date: new Date().toISOString(),
  node: process.version,
  machine: { cpus: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) },
  records,
  bytes,
  partitions,
  rounds
})

const keep = async (flags: Flags, outcomes: ReadonlyArray<Outcome>) => {
  if (flags.json !== undefined) {
    await writeFile(flags.json, JSON.stringify({ ...await about(flags), outcomes }, null, 2))
  }
  if (flags.plots !== undefined) {
    await mkdir(flags.plots, { recursive: true })
    for (const { summaries, workload } of outcomes) {
      const title = `${workload}: records per second, values of ${flags.bytes} bytes, ${flags.partitions} partitions`
      await writeFile(join(flags.plots, `${workload}.svg`), bars(title, summaries))
    }
  }
}

/** A machine that does other things as well costs a part of a ratio, never half of it. */
const disasters = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.flatMap(({ ratios, workload }) =>
    ratios.flatMap(({ baseline, name, ratio, target }) =>
      target !== undefined && ratio < target / 2
        ? [`${workload}: ${name} is ${ratio.toFixed(2)} of ${baseline}, less than half of ${target}`]
        : []
    )
  )

const main = async (flags: Flags): Promise<number> => {
  const kafka = await startKafka()
  try {
    const topics = makeTopics(kafka.brokers, flags)
    if (flags.profile !== undefined) {
      await profile(flags.profile, flags, kafka.brokers, topics)
      return 0
    }
    const outcomes: Array<Outcome> = []
    for (const workload of flags.workloads) outcomes.push(await measure(workload, flags, kafka.brokers, topics))
    await keep(flags, outcomes)
    const failures = flags.strict ? disasters(outcomes) : []
    for (const failure of failures) console.error(failure)
    return failures.length > 0 ? 1 : 0
  } finally {
    await kafka.stop()
  }
}

const parsed = (): Flags => {
  try {
    return parse(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

await main(parsed()).then((code) => process.exit(code), (error: Error) => {
  console.error(error.message)
  process.exit(1)
})
