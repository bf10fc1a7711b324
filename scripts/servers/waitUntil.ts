import { setTimeout as sleep } from "node:timers/promises"

/** Asks every 50 ms until the answer is yes; a rejection means "not yet", except one thrown by `giveUp`. */
export const waitUntil = async (options: {
  readonly what: string
  readonly isReady: () => Promise<boolean>
  /** Throws when waiting has become pointless. */
  readonly giveUp: () => void
  readonly timeoutMs: number
}): Promise<void> => {
  const deadline = performance.now() + options.timeoutMs
  while (true) {
    const isReady = await options.isReady().catch(() => false)
    // Also after a yes, which may come from a stranger on the same port.
    options.giveUp()
    if (isReady) return
    if (performance.now() > deadline) throw new Error(`${options.what}: not ready after ${options.timeoutMs} ms`)
    await sleep(50)
  }
}
