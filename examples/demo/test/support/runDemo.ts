import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs the demo as anybody would, in an environment of its own. `onOutput` may send it a signal. */
export const runDemo = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  onOutput: (output: string, signal: (name: NodeJS.Signals) => void) => void = () => {}
): Promise<Ended> => {
  const { HOME, PATH } = process.env
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...(HOME !== undefined && { HOME }), ...(PATH !== undefined && { PATH }), ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
      onOutput(output, (name) => child.kill(name))
    })
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })))
}

/** The number that the summary tells after a word. */
export const told = (output: string, word: string): number => {
  const found = new RegExp(`^ +${word} +([0-9,]+)`, "m").exec(output)?.[1]
  if (found === undefined) throw new Error(`${word} is not told in\n${output}`)
  return Number(found.replaceAll(",", ""))
}
