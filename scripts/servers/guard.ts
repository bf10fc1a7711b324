import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Leftover, WatchdogMessage } from "./leftover.ts"

let watchdog: ChildProcess | undefined
let lastId = 0

const startWatchdog = (): ChildProcess => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./watchdog.ts", import.meta.url))], {
    stdio: ["pipe", "ignore", "ignore"],
    // A process group of its own, so that a terminal's Ctrl-C does not reach it.
    detached: true
  })
  // It must not keep this process alive: that this process ends is what it waits for.
  child.unref()
  const pipe = child.stdin as unknown as { unref(): void }
  pipe.unref()
  child.stdin!.on("error", () => {})
  return child
}

/**
 * Has the leftover stopped or removed if this process dies, even by SIGKILL. The returned function takes it off the list, for a
 * leftover that is gone.
 */
export const guard = (leftover: Leftover): () => void => {
  watchdog ??= startWatchdog()
  const id = ++lastId
  const send = (message: WatchdogMessage) => watchdog!.stdin!.write(JSON.stringify(message) + "\n")
  send({ op: "guard", id, leftover })
  return () => send({ op: "release", id })
}
