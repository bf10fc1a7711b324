/** `npm run check`: every script of package.json named check:*, each to its end, so that one run tells all. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
}
const names = Object.keys(scripts).filter((name) => name.startsWith("check:"))

const failed = names.filter((name) => {
  const started = performance.now()
  const { status, stderr, stdout } = spawnSync("npm", ["run", "--silent", name], { encoding: "utf8" })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`)
  if (status !== 0) console.log(stdout + stderr)
  return status !== 0
})

console.log(failed.length === 0 ? "check passed" : `check failed: ${failed.join(", ")}`)
process.exit(failed.length === 0 ? 0 : 1)
