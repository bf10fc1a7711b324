/** The command as a program of its own, as a shell starts it. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Said } from "./weft.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Promise<Said> => {
  const { promise, resolve } = Promise.withResolvers<Said>()
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env["PATH"], ...env } })
  let out = ""
  let err = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => err += text)
  child.on("close", (code) => resolve({ code: code ?? -1, out, err }))
  return promise
}

/** A process takes a second to start, and much longer on a machine that is busy. */
export const timeout = 180_000
