import { readFileSync } from "node:fs"

/** Something that would stay behind if this process died now. */
export type Leftover =
  | { readonly kind: "process"; readonly pid: number; readonly signal: NodeJS.Signals }
  | { readonly kind: "command"; readonly command: string; readonly args: ReadonlyArray<string> }
  | { readonly kind: "folder"; readonly path: string }

export type WatchdogMessage =
  | { readonly op: "guard"; readonly id: number; readonly leftover: Leftover }
  | { readonly op: "release"; readonly id: number }

/** Whether the process runs; one that ended and was not yet collected by its parent does not. */
export const isAlive = (pid: number): boolean => sendSignal(pid, 0) && !isZombie(pid)

const isZombie = (pid: number): boolean => {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/, ""))
  } catch {
    // No /proc here: the system's first process collects at once.
    return false
  }
}

/** False when there is no such process any more. */
export const sendSignal = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
