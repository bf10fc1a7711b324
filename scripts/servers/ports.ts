import { createServer } from "node:net"

// Below the range from which systems take the ports of outgoing connections, so that a server that restarts finds its port free.
const lowest = 20_000
const highest = 32_000

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/**
 * As many ports as asked for, and `more` after them: free ones, of which the first follow each other from `first` on where that is
 * given. Fails when one of those is taken.
 */
export const portsFrom = async (first: number | undefined, count: number, more = 0): Promise<ReadonlyArray<number>> => {
  const ports = new Set<number>()
  for (let index = 0; first !== undefined && index < count; index++) {
    if (!(await isFree(first + index))) throw new Error(`port ${first + index} is taken`)
    ports.add(first + index)
  }
  while (ports.size < count + more) ports.add(await freePort())
  return [...ports]
}

const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (await isFree(port)) return port
  }
  throw new Error(`found no free port between ${lowest} and ${highest}`)
}

/** How Kafka, PostgreSQL and Docker say that somebody else listens there. */
const isTaken = (error: unknown): boolean =>
  error instanceof Error && /address already in use|port is already allocated/i.test(error.message)

/**
 * What `start` makes of ports as `portsFrom` finds them: found free is not kept free, so it gets others where somebody was faster.
 * Not where the first of them was given.
 */
export const onPorts = async <A>(
  first: number | undefined,
  count: number,
  more: number,
  start: (ports: ReadonlyArray<number>) => Promise<A>
): Promise<A> => {
  for (let attempts = 3;; attempts--) {
    const ports = await portsFrom(first, count, more)
    try {
      return await start(ports)
    } catch (error) {
      if (first !== undefined || attempts === 1 || !isTaken(error)) throw error
    }
  }
}
