import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { guard } from "./guard.ts"

export interface ServerOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Takes what the server prints. */
  readonly logFile: string
  /** What asks this server for an orderly end. */
  readonly stopSignal: NodeJS.Signals
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
}

export interface ServerProcess {
  readonly pid: number
  readonly isRunning: () => boolean
  /** The last lines the server printed. */
  readonly logTail: () => string
  /** Asks for an orderly end, and kills after a deadline. */
  readonly stop: () => Promise<void>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
}

const killAfterMs = 20_000

/** Starts a server that never outlives this process. */
export const spawnServer = async (options: ServerOptions): Promise<ServerProcess> => {
  const log = openSync(options.logFile, "a")
  const child = spawn(options.command, options.args, {
    stdio: ["ignore", log, log],
    // A process group of its own: a terminal's Ctrl-C must reach the clients first, and the servers through stop().
    detached: true,
    ...(options.env && { env: options.env }),
    ...(options.uid !== undefined && { uid: options.uid }),
    ...(options.gid !== undefined && { gid: options.gid })
  })
  closeSync(log)
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve)
    child.once("error", reject)
  })
  const pid = child.pid!
  const release = guard({ kind: "process", pid, signal: options.stopSignal })
  const exited = new Promise<void>((resolve) =>
    child.once("exit", () => {
      release()
      resolve()
    })
  )
  const isRunning = () => child.exitCode === null && child.signalCode === null

  const stop = async () => {
    if (!isRunning()) return
    child.kill(options.stopSignal)
    const deadline = setTimeout(() => child.kill("SIGKILL"), killAfterMs)
    await exited
    clearTimeout(deadline)
  }

  const kill = async () => {
    if (!isRunning()) return
    child.kill("SIGKILL")
    await exited
  }

  return {
    pid,
    isRunning,
    logTail: () => readFileSync(options.logFile, "utf8").split("\n").slice(-30).join("\n"),
    stop,
    kill
  }
}
