/** Resolves at the first Ctrl-C, SIGTERM or hang-up of the terminal; later ones change nothing. */
export const untilSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    // Signal listeners alone do not keep a process alive.
    const alive = setInterval(() => {}, 1 << 30)
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        clearInterval(alive)
        resolve(signal)
      })
    }
  })
