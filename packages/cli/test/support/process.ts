/** The command as a program of its own, as a shell starts it. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Said } from "./weft.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** A command that goes on until it is told to end. */
export const begin = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const { promise: ended, resolve } = Promise.withResolvers<Said>()
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env["PATH"], ...env } })
  const said = { out: "", err: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => said.out += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => said.err += text)
  child.on("close", (code) => resolve({ code: code ?? -1, ...said }))
  return {
    said: said as Readonly<typeof said>,
    ended,
    stop: () => {
      child.kill("SIGTERM")
      return ended
    }
  }
}

export const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Promise<Said> =>
  begin(args, env).ended

/** A process takes a second to start, and much longer on a machine that is busy. */
export const timeout = 600_000
