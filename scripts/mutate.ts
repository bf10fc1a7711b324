/**
 * `npm run mutate`: does the simulation notice? Plants known bugs one at a time in a copy of the sources and runs seeded
 * schedules on it until one of them breaks the contract. A bug that stays unnoticed fails the run.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

interface Bug {
  readonly name: string
  /** Below packages. */
  readonly file: string
  readonly replace: string
  readonly by: string
  readonly faults: "planned" | "crashes" | "all"
}

const bugs: ReadonlyArray<Bug> = [
  {
    name: "a record counts as settled when it is handed out",
    file: "kafka/src/internal/assignedPartition.ts",
    replace: "if (run.settled > 0 || to === from) this.settled",
    by: "if (to >= from) this.settled",
    faults: "planned"
  },
  {
    name: "a partition that was given up can still be settled and committed",
    file: "kafka/src/internal/consumerState.ts",
    replace: "      this.partitions.delete(partition.topicPartition.key)\n",
    by: "",
    faults: "all"
  },
  {
    name: "a commit passes over a gap",
    file: "kafka/src/internal/offsetTracker.ts",
    replace: "return first === undefined || first.done === first.from ? this.below : first.batch.offset(first.done)",
    by: "const last = this.entries.at(-1); return last instanceof Span ? last.nextOffset : last?.end ?? this.below",
    faults: "planned"
  },
  {
    name: "a commit says what was fetched, not what was settled",
    file: "kafka/src/internal/assignedPartition.ts",
    replace: "const offset = this.tracker.watermark",
    by: "const offset = this.position",
    faults: "planned"
  },
  {
    name: "back-pressure never resumes a partition",
    file: "kafka/src/internal/flowControl.ts",
    replace: "!this.waiting.has(partition) && this.isLow(partition)",
    by: "this.waiting.has(partition) && this.isLow(partition)",
    faults: "planned"
  },
  {
    name: "a rebalance does not wait for what is in flight",
    file: "kafka/src/internal/drain.ts",
    replace: "inFlight > 0 && state.readers > 0",
    by: "inFlight < 0 && state.readers > 0",
    faults: "planned"
  },
  {
    name: "partitions that were lost are kept",
    file: "kafka/src/internal/membership.ts",
    replace: "onLost: (partitions) => state.giveUp(held(partitions), \"Lost\")",
    by: "onLost: () => {}",
    faults: "all"
  },
  {
    name: "what a commit's metadata tells is not read",
    file: "kafka/src/internal/membership.ts",
    replace: "decode(offset, metadata)",
    by: "[]",
    faults: "crashes"
  },
  {
    name: "a retained partition stays closed",
    file: "kafka/src/internal/membership.ts",
    replace: "for (const partition of kept) partition.undrain()",
    by: "",
    faults: "planned"
  },
  {
    name: "the first record of a batch gets lost",
    file: "kafka/src/internal/assignedPartition.ts",
    replace: "this.queue.admit(batch, from)",
    by: "this.queue.admit(batch, Math.min(from + 1, batch.count))",
    faults: "planned"
  },
  {
    name: "a group without an offset starts at the end of the log",
    file: "kafka/src/internal/membership.ts",
    replace: "policy === \"earliest\" ? beginning : end",
    by: "policy === \"earliest\" ? end : beginning",
    faults: "planned"
  },
  {
    name: "a retained partition goes on at the end of the log",
    file: "kafka/src/internal/membership.ts",
    replace: "offset: partition.position",
    by: "offset: partition.highWatermark ?? partition.position",
    faults: "planned"
  },
  {
    name: "a start at the end of the log is not committed",
    file: "kafka/src/internal/membership.ts",
    replace: "policy === \"latest\" && position === undefined",
    by: "policy === \"none\"",
    faults: "crashes"
  },
  {
    name: "a dead letter that was refused is settled",
    file: "pipeline/src/internal/recovery.ts",
    replace: "if (sent._tag === \"Success\") break",
    by: "break",
    faults: "planned"
  },
  {
    name: "records of a key do not wait for each other",
    file: "pipeline/src/internal/partitionWork.ts",
    replace: "order === \"key\" ? keyOf(batch, index) : undefined",
    by: "undefined",
    faults: "planned"
  },
  {
    name: "nobody is told that there is room again",
    file: "pipeline/src/internal/hub.ts",
    replace: "onRoom: (group) => group.owner.room.signal()",
    by: "onRoom: () => undefined",
    faults: "planned"
  },
  {
    name: "a batch that is not full waits for ever",
    file: "pipeline/src/internal/feeder.ts",
    replace: "work.closeFilling()",
    by: "",
    faults: "planned"
  },
  {
    name: "records go on being begun while their partition is given up",
    file: "kafka/src/internal/partitionStream.ts",
    replace: "if (partition.state !== \"active\" || !batch.isLive) return false",
    by: "if (!batch.isLive) return false",
    faults: "planned"
  }
]

const { values } = parseArgs({
  options: { schedules: { type: "string", default: "300" }, seed: { type: "string", default: "mutation" } }
})
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const copy = mkdtempSync(join(tmpdir(), "weft-mutate-"))
process.on("exit", () => rmSync(copy, { recursive: true, force: true }))

cpSync(join(root, "packages"), join(copy, "packages"), {
  recursive: true,
  filter: (path) => !path.endsWith("/dist") && !path.endsWith("/node_modules")
})
cpSync(join(root, "scripts/simulate.ts"), join(copy, "scripts/simulate.ts"))
writeFileSync(join(copy, "package.json"), "{ \"type\": \"module\" }")
mkdirSync(join(copy, "node_modules/@weft"), { recursive: true })
for (const name of readdirSync(join(root, "node_modules"))) {
  if (name !== "@weft") symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name))
}
for (const name of readdirSync(join(copy, "packages"))) {
  symlinkSync(join(copy, "packages", name), join(copy, "node_modules/@weft", name))
}

const simulate = (faults: string): { readonly failed: boolean; readonly last: string } => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["scripts/simulate.ts", "--schedules", values.schedules, "--seed", values.seed, "--faults", faults, "--first"],
    { cwd: copy, encoding: "utf8" }
  )
  const violation = stdout.split("\n").find((line) =>
    /^ {2}[a-z ]+: |^ {2}\d+ duplicates/.test(line) && !/^ {2}\d+: /.test(line)
  )
  return { failed: status === 1, last: violation?.trim() ?? stdout.trim().split("\n").at(-1) ?? "" }
}

const sound = ["planned", "crashes", "all"].filter((faults) => simulate(faults).failed)
if (sound.length > 0) {
  console.error(`the sources as they are fail the simulation with faults: ${sound.join(", ")}`)
  process.exit(2)
}
let caught = 0
for (const bug of bugs) {
  const path = join(copy, "packages", bug.file)
  const source = readFileSync(path, "utf8")
  if (source.split(bug.replace).length !== 2) {
    console.error(`${bug.file} does not hold "${bug.replace.trim()}" once: the bug "${bug.name}" cannot be planted`)
    process.exit(2)
  }
  writeFileSync(path, source.replace(bug.replace, () => bug.by))
  const { failed, last } = simulate(bug.faults)
  writeFileSync(path, source)
  if (failed) caught++
  console.log(`${failed ? "caught " : "MISSED "} ${bug.name}\n          ${last}`)
}
console.log(`${caught} of ${bugs.length} caught`)
process.exit(caught === bugs.length ? 0 : 1)
