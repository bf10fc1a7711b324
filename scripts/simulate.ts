/**
 * `npm run simulate -- --schedules 1000 --seed S [--faults planned|crashes|all] [--mode streams|pipelines] [--only SEED]
 * [--first]`: seeded schedules on the in-memory cluster under virtual time. Prints each seed that breaks the contract, with
 * its story; the same seed is the same run.
 */
import * as Simulation from "@weft/testing/Simulation"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    faults: { type: "string" },
    mode: { type: "string" },
    verbose: { type: "boolean", default: false },
    first: { type: "boolean", default: false }
  }
})
const schedules = Number(values.schedules)
if (!Number.isInteger(schedules) || schedules < 1) {
  console.error("--schedules takes a whole number from 1 on")
  process.exit(2)
}
const kinds: ReadonlyArray<Simulation.Faults> = ["all", "planned", "crashes"]
const given = kinds.find((kind) => kind === values.faults)
if (values.faults !== undefined && given === undefined) {
  console.error(`--faults takes one of ${kinds.join(", ")}`)
  process.exit(2)
}
const modes: ReadonlyArray<Simulation.Mode> = ["streams", "pipelines"]
const mode = modes.find((one) => one === values.mode)
if (values.mode !== undefined && mode === undefined) {
  console.error(`--mode takes one of ${modes.join(", ")}`)
  process.exit(2)
}
const seeds = values.only === undefined
  ? Array.from({ length: schedules }, (_, i) => `${values.seed}-${i}`)
  : [values.only]

const started = performance.now()
let violations = 0
let records = 0
let duplicates = 0
for (const [i, seed] of seeds.entries()) {
  const faults = given ?? kinds[i % kinds.length]!
  const report = await Effect.runPromise(Simulation.run({ seed, faults, mode }))
  records += report.records
  duplicates += report.duplicates
  if (report.violations.length === 0 && !values.verbose) continue
  if (report.violations.length > 0) violations++
  console.log(`seed ${seed} --faults ${faults}`)
  for (const line of [...report.story, ...report.violations.slice(0, 10)]) console.log(`  ${line}`)
  if (values.first && violations > 0) break
}
const seconds = (performance.now() - started) / 1000
console.log(
  `${seeds.length} schedules, seed ${values.seed}: ${records} records, ${duplicates} duplicates, ` +
    `${violations} with violations; ${(seeds.length / seconds).toFixed(1)} schedules/s`
)
process.exit(violations === 0 ? 0 : 1)
