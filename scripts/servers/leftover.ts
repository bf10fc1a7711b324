/** Something that would stay behind if this process died now. */
export type Leftover =
  | { readonly kind: "process"; readonly pid: number; readonly signal: NodeJS.Signals }
  | { readonly kind: "command"; readonly command: string; readonly args: ReadonlyArray<string> }
  | { readonly kind: "folder"; readonly path: string }

export type WatchdogMessage =
  | { readonly op: "guard"; readonly id: number; readonly leftover: Leftover }
  | { readonly op: "release"; readonly id: number }

export const isAlive = (pid: number): boolean => sendSignal(pid, 0)

/** False when there is no such process any more. */
export const sendSignal = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
