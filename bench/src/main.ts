/**
 * `npm run bench`: how fast Weft consumes, against the clients that there are, on one real Kafka. Each run is a process of its
 * own; they take turns, so that whatever else the machine does counts for all. See bench/README.md.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import { dirname, join, relative } from "node:path"
import { temporaryFolder } from "../../scripts/servers/temporaryFolder.ts"
import type { ContenderName } from "./contenders/byName.ts"
import { type Flags, parse, usage } from "./flags.ts"
import { measure, type Outcome, runOnce } from "./measure.ts"
import { withOutcomes } from "./page.ts"
import { plotsOf } from "./plots.ts"
import { type CpuProfile, heaviest } from "./profile.ts"
import { type Servers, startServers } from "./servers.ts"
import { differenceTable, ratioTable, summaryTable } from "./tables.ts"
import { defaultShape, shapesOf, type Workload, workloads } from "./workloads.ts"

const profile = async (name: ContenderName, flags: Flags, { brokers, filledTopic }: Servers) => {
  const shape = { ...defaultShape, ...flags.shape }
  const topic = await filledTopic(shape)
  const folder = await temporaryFolder("weft-bench-profile-")
  const task = { brokers, topic, group: `${topic}-profile`, ...shape }
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

const show = ({ differences, ratios, summaries }: Outcome): void => {
  console.log(`\n${summaryTable(summaries)}`)
  if (ratios.length > 0) console.log(`\n${ratioTable(ratios)}`)
  if (differences.length > 0) console.log(`\n${differenceTable(differences)}`)
}

/** The machine and the versions, so that figures can be compared later. */
const about = ({ rounds }: Flags) => ({
  date: new Date().toISOString(),
  node: process.version,
  machine: { cpus: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) },
  rounds
})

/** Under which it is run again. */
const command = () => {
  const flags = process.argv.slice(2).join(" ").replaceAll(/ ?--(?:json|plots|page) \S+/g, "").trim()
  return flags === "" ? "npm run bench" : `npm run bench -- ${flags}`
}

const writePlots = async (folder: string, outcomes: ReadonlyArray<Outcome>) => {
  await mkdir(folder, { recursive: true })
  for (const [file, svg] of outcomes.flatMap(plotsOf)) await writeFile(join(folder, file), svg)
}

const writePage = async (page: string, plots: string | undefined, outcomes: ReadonlyArray<Outcome>) => {
  const before = await readFile(page, "utf8").catch(() => "")
  const folder = plots === undefined ? undefined : relative(dirname(page), plots)
  const date = new Date().toISOString().slice(0, 10)
  await writeFile(page, withOutcomes(before, outcomes, { date, command: command() }, folder))
}

const keep = async (flags: Flags, outcomes: ReadonlyArray<Outcome>) => {
  if (flags.json !== undefined) await writeFile(flags.json, JSON.stringify({ ...about(flags), outcomes }, null, 2))
  if (flags.plots !== undefined) await writePlots(flags.plots, outcomes)
  if (flags.page !== undefined) await writePage(flags.page, flags.plots, outcomes)
}

const measureAll = async (flags: Flags, servers: Servers): Promise<ReadonlyArray<Outcome>> => {
  const outcomes: Array<Outcome> = []
  for (const workload of flags.workloads) {
    const one: Workload = workloads[workload]
    const { about } = one
    for (const shape of shapesOf(one, flags.shape)) {
      console.log(`\n${workload}: ${about}`)
      const outcome = await measure(workload, shape, flags.rounds, servers)
      show(outcome)
      outcomes.push(outcome)
    }
    // A run that is broken off has told what it knows.
    await keep(flags, outcomes)
  }
  return outcomes
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
  const servers = await startServers()
  try {
    if (flags.profile !== undefined) {
      await profile(flags.profile, flags, servers)
      return 0
    }
    const outcomes = await measureAll(flags, servers)
    const failures = flags.strict ? disasters(outcomes) : []
    for (const failure of failures) console.error(failure)
    return failures.length > 0 ? 1 : 0
  } finally {
    await servers.stop()
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
