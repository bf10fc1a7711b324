/** What tells a run to end: signals of the process, and a caller's `AbortSignal`. */

export const defaultSignals: ReadonlyArray<NodeJS.Signals> = ["SIGTERM", "SIGINT"]

/** Calls `stop` at the first of them; answers what takes the listeners away. After that, a signal is Node's own business. */
export const onStop = (
  signals: ReadonlyArray<NodeJS.Signals>,
  signal: AbortSignal | undefined,
  stop: () => void
): () => void => {
  const release = () => {
    for (const name of signals) process.off(name, told)
    signal?.removeEventListener("abort", told)
  }
  const told = () => {
    release()
    stop()
  }
  for (const name of signals) process.on(name, told)
  signal?.addEventListener("abort", told)
  if (signal?.aborted === true) told()
  return release
}
