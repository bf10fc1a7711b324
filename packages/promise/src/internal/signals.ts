/** What tells a run to end: signals of the process, and a caller's `AbortSignal`. */

export const defaultSignals: ReadonlyArray<NodeJS.Signals> = ["SIGTERM", "SIGINT"]

/** A terminal's Ctrl-C reaches a program that npm has started twice: from the terminal, and from npm. It is one wish. */
const sameWishMs = 200

/**
 * Calls `stop` at the first of them; answers what takes the listeners away. After the first, a signal is Node's own business
 * again, which is to end the process at once where nobody else listens.
 */
export const onStop = (
  signals: ReadonlyArray<NodeJS.Signals>,
  signal: AbortSignal | undefined,
  stop: () => void
): () => void => {
  let timer: NodeJS.Timeout | undefined
  const release = () => {
    clearTimeout(timer)
    for (const name of signals) process.off(name, told)
    signal?.removeEventListener("abort", aborted)
  }
  const told = () => {
    if (timer !== undefined) return
    timer = setTimeout(release, sameWishMs)
    stop()
  }
  const aborted = () => {
    release()
    stop()
  }
  for (const name of signals) process.on(name, told)
  signal?.addEventListener("abort", aborted)
  if (signal?.aborted === true) aborted()
  return release
}
