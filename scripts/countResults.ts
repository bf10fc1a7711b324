/**
 * The last lines of .ci/run: `node scripts/countResults.ts <vitest's JSON report> check=<exit code> tests=<exit code> ...`.
 * Each test counts, and each of the other steps counts as one. Exits with 0 when nothing failed.
 */
import { existsSync, readFileSync } from "node:fs"
import { count, type Report } from "./ci/count.ts"

const [file, ...steps] = process.argv.slice(2)
if (file === undefined) throw new Error("which report?")
const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) as Report : undefined
const { failed, lines, passed } = count(
  report,
  Object.fromEntries(steps.map((step) => step.split("=") as [string, string]))
)
for (const line of lines) console.log(line)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
