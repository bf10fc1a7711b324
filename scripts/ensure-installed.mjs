/**
 * Runs `npm ci` when node_modules is missing or does not hold what package-lock.json says, so that one command is enough on a fresh
 * clone. Of the repository, or of the folder that is named. Plain JavaScript without dependencies: it runs before anything is
 * installed, on a Node as old as 20.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"

const [folder] = process.argv.slice(2)
const root = folder === undefined ? new URL("../", import.meta.url) : pathToFileURL(`${folder}/`)

const packagesOf = (lockFile) => {
  try {
    return JSON.parse(readFileSync(new URL(lockFile, root), "utf8")).packages
  } catch {
    return undefined
  }
}

/** The first package that is missing or differs; npm itself writes the list of what it installed. */
const outdated = () => {
  const wanted = packagesOf("package-lock.json")
  const installed = packagesOf("node_modules/.package-lock.json")
  if (installed === undefined) return "node_modules"
  return Object.keys(wanted).find((path) =>
    // Optional packages are those of other platforms; the empty path is the repository itself.
    path !== "" && !wanted[path].optional &&
    (wanted[path].version !== installed[path]?.version || wanted[path].integrity !== installed[path]?.integrity)
  )
}

const reason = outdated()
if (reason !== undefined) {
  console.error(`Installing the dependencies (${reason} is missing or outdated) ...`)
  // loglevel error: an old Node is expected here and warned about by many packages; what runs afterwards is the one installed.
  const npm = process.env.npm_execpath
  const [command, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm]
  const { status } = spawnSync(command, [...args, "ci", "--loglevel=error"], {
    cwd: fileURLToPath(root),
    stdio: "inherit"
  })
  process.exit(status ?? 1)
}
