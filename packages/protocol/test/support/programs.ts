/** The command and programs without Effect, as processes of their own: packages above this one, which it may not import. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

interface Said {
  readonly code: number | null
  readonly out: string
  /** All of it. */
  readonly text: string
}

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Effect.Effect<Said> =>
  Effect.promise(() => {
    const { promise, resolve } = Promise.withResolvers<Said>()
    const child = spawn(process.execPath, args, { cwd: root, env: { PATH: process.env["PATH"], ...env } })
    let [out, err] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => err += text)
    child.on("close", (code) => resolve({ code, out, text: out + err }))
    return promise
  })

export const runCommand = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  run(["packages/cli/src/main.ts", ...args], env)

const program = `
  import { createOptimizedConsumer } from "@weft/promise"
  const { topic, ...connection } = JSON.parse(process.env.TASK)
  try {
    const consumer = await createOptimizedConsumer({ service: topic, topics: [topic], ...connection })
    await consumer.send(topic, { n: 7 })
    for await (const { value } of consumer) {
      console.log("value", JSON.stringify(value))
      break
    }
  } catch (error) {
    console.log("code", error.code, error)
  }
`

/** Writes one record to the topic, reads it and says so; or says how it failed. */
export const runProgram = (task: {
  readonly topic: string
  readonly transport: string
  readonly brokers: ReadonlyArray<string>
  readonly ssl: object
  readonly sasl: object
}) => run(["--input-type=module", "--eval", program], { TASK: JSON.stringify(task) })
