/** A member of the group: the relay in a process of its own, with its output in a file. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { guard } from "../servers/guard.ts"

const program = fileURLToPath(new URL("../../examples/relay/src/main.ts", import.meta.url))

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export const describeExit = ({ code, signal }: Exit): string => signal === null ? `code ${code}` : `signal ${signal}`

export class Member {
  readonly name: string
  readonly logFile: string
  readonly exited: Promise<Exit>
  readonly pid: number
  isRunning = true
  /** Somebody has plans with it: no other fault may hit it, and its end is no surprise. */
  isTaken = false
  private readonly child: ChildProcess

  constructor(name: string, logFile: string, environment: Readonly<Record<string, string>>) {
    this.name = name
    this.logFile = logFile
    const log = openSync(logFile, "a")
    const { PATH } = process.env
    this.child = spawn(process.execPath, [program], {
      env: { ...(PATH !== undefined && { PATH }), ...environment, RELAY_MEMBER: name },
      stdio: ["ignore", log, log],
      // A terminal's Ctrl-C is for us alone: we stop the members.
      detached: true
    })
    closeSync(log)
    this.pid = this.child.pid!
    const release = guard({ kind: "process", pid: this.pid, signal: "SIGTERM" })
    this.exited = new Promise((resolve) =>
      this.child.once("exit", (code, signal) => {
        this.isRunning = false
        release()
        resolve({ code, signal })
      })
    )
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.child.kill(signal)
  }

  kill(): Promise<Exit> {
    this.signal("SIGKILL")
    return this.exited
  }

  logTail(lines: number): string {
    return readFileSync(this.logFile, "utf8").split("\n").slice(-lines).join("\n")
  }

  /** What the relay says first, it says when it listens to signals. */
  get isListening(): boolean {
    return readFileSync(this.logFile, "utf8").includes("relay: {")
  }
}
