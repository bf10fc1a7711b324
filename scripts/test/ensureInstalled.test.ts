import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

const script = fileURLToPath(new URL("../ensure-installed.mjs", import.meta.url))

describe("ensure-installed", () => {
  let house: string
  beforeEach(() => {
    house = mkdtempSync(join(tmpdir(), "weft-house-"))
    mkdirSync(join(house, "scripts"))
    mkdirSync(join(house, "node_modules"))
    cpSync(script, join(house, "scripts/ensure-installed.mjs"))
    writeFileSync(
      join(house, "npm.mjs"),
      "import { writeFileSync } from 'node:fs'\nwriteFileSync('ran', process.argv[2])\n"
    )
  })
  afterEach(() => rmSync(house, { recursive: true, force: true }))

  const lock = (file: string, packages: unknown) => writeFileSync(join(house, file), JSON.stringify({ packages }))

  /** Whether it installed. */
  const run = (...folder: ReadonlyArray<string>) => {
    const { status } = spawnSync(process.execPath, [
      join(house, "scripts/ensure-installed.mjs"),
      ...folder.map((name) => join(house, name))
    ], {
      env: { ...process.env, npm_execpath: join(house, "npm.mjs") }
    })
    expect(status).toBe(0)
    return existsSync(join(house, ...folder, "ran"))
  }

  const effect = { version: "4.1.0", integrity: "sha512-a" }

  it("installs when nothing is installed", () => {
    lock("package-lock.json", { "node_modules/effect": effect })
    expect(run()).toBe(true)
  })

  it("installs when the lock file has moved on", () => {
    lock("package-lock.json", { "node_modules/effect": { version: "4.1.1", integrity: "sha512-b" } })
    lock("node_modules/.package-lock.json", { "node_modules/effect": effect })
    expect(run()).toBe(true)
  })

  it("installs when a package is missing", () => {
    lock("package-lock.json", { "node_modules/effect": effect, "packages/new": { version: "0.1.0" } })
    lock("node_modules/.package-lock.json", { "node_modules/effect": effect })
    expect(run()).toBe(true)
  })

  it("installs in the folder that is named, and nowhere else", () => {
    mkdirSync(join(house, "peer"))
    lock("package-lock.json", { "node_modules/effect": effect })
    lock("node_modules/.package-lock.json", {})
    lock("peer/package-lock.json", { "node_modules/effect": effect })
    expect(run("peer")).toBe(true)
    expect(existsSync(join(house, "ran"))).toBe(false)
  })

  it("installs nothing when all is there but the packages of other platforms", () => {
    lock("package-lock.json", {
      "": { name: "weft" },
      "node_modules/effect": effect,
      "node_modules/binary-for-another-platform": { version: "1.0.0", optional: true }
    })
    lock("node_modules/.package-lock.json", { "node_modules/effect": effect })
    expect(run()).toBe(false)
  })
})
