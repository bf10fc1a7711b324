/**
 * A process that outlives its parent for a moment. The parent tells it, one JSON line each, what must not be left behind; when the
 * parent's end of the pipe closes, however the parent died, whatever is still on the list is stopped or removed.
 */
import { spawn } from "node:child_process"
import { rm } from "node:fs/promises"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { isAlive, type Leftover, sendSignal, type WatchdogMessage } from "./leftover.ts"

const killAfterMs = 10_000
const leftovers = new Map<number, Leftover>()

const stopProcess = async (pid: number, signal: NodeJS.Signals) => {
  sendSignal(pid, signal)
  const deadline = performance.now() + killAfterMs
  while (isAlive(pid) && performance.now() < deadline) await sleep(50)
  sendSignal(pid, "SIGKILL")
}

const run = (command: string, args: ReadonlyArray<string>) =>
  new Promise<void>((resolve) => {
    const child = spawn(command, args, { stdio: "ignore" })
    child.on("error", () => resolve())
    child.on("exit", () => resolve())
  })

// A terminal's Ctrl-C and hang-up are for the parent: it stops its servers in its own order.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as WatchdogMessage
  if (message.op === "guard") leftovers.set(message.id, message.leftover)
  else leftovers.delete(message.id)
}

const ofKind = <K extends Leftover["kind"]>(kind: K) =>
  [...leftovers.values()].filter((leftover): leftover is Extract<Leftover, { kind: K }> => leftover.kind === kind)

await Promise.all([
  ...ofKind("process").map(({ pid, signal }) => stopProcess(pid, signal)),
  ...ofKind("command").map(({ args, command }) => run(command, args))
])
await Promise.all(ofKind("folder").map(({ path }) => rm(path, { recursive: true, force: true, maxRetries: 10 })))
