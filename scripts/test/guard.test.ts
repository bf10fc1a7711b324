import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { describe, expect, it, vi } from "vitest"
import { isAlive } from "../servers/leftover.ts"

/** A program that starts a server in a temporary folder, tells about both, and waits. */
const program = (server: string) => `
  import { spawnServer } from ${JSON.stringify(fileURLToPath(new URL("../servers/serverProcess.ts", import.meta.url)))}
  import { temporaryFolder } from ${
  JSON.stringify(fileURLToPath(new URL("../servers/temporaryFolder.ts", import.meta.url)))
}
  const folder = await temporaryFolder("weft-guard-")
  const { pid } = await spawnServer({
    command: process.execPath,
    args: ["-e", ${JSON.stringify(server)}],
    logFile: folder.path + "/log",
    stopSignal: "SIGTERM"
  })
  console.log(JSON.stringify({ pid, folder: folder.path }))
  setInterval(() => {}, 1000)
`

const start = async (server: string) => {
  const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", program(server)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [line] = await once(createInterface({ input: parent.stdout }), "line") as [string]
  return { parent, ...(JSON.parse(line) as { readonly pid: number; readonly folder: string }) }
}

describe("a server never outlives the program that started it", () => {
  const waits = "console.log('up'); setInterval(() => {}, 1000)"

  for (const signal of ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"] as const) {
    it(`when the program dies by ${signal}: the server ends and its folder goes`, async () => {
      const { folder, parent, pid } = await start(waits)
      expect(isAlive(pid)).toBe(true)
      await vi.waitFor(async () => expect(await readFile(`${folder}/log`, "utf8")).toContain("up"), 60_000)
      parent.kill(signal)
      await vi.waitFor(() => expect([isAlive(pid), existsSync(folder)]).toEqual([false, false]), 60_000)
    }, 180_000)
  }
})
