import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const relay = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** A member in a process of its own, as anybody would start it: the relay, or another program with its arguments. */
export class RelayProcess {
  readonly exited: Promise<number | null>
  private readonly child: ChildProcess
  private output = ""
  constructor(environment: Readonly<Record<string, string>>, program: ReadonlyArray<string> = [relay]) {
    const { PATH } = process.env
    this.child = spawn(process.execPath, [...program], {
      env: { ...(PATH !== undefined && { PATH }), ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text
      })
    }
    this.exited = new Promise((resolve) => this.child.once("close", resolve))
  }
  /** All that it printed so far. */
  get log(): string {
    return this.output
  }
  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }
  /** Asks it to end, and answers its exit code. */
  terminate(): Promise<number | null> {
    this.child.kill("SIGTERM")
    return this.exited
  }
  /** For the end of a test, whatever became of it. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL")
    await this.exited
  }
}
