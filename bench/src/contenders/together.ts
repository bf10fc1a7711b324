/** Many consumers in one process: what they read together, and what they take with nothing to read. */
import type { Progress, Result } from "./Contender.ts"

export type Seen = Pick<Progress, "seen">

/** Tells the progress what each of them sees, from when all have seen something: until then it is about joining. */
export const together = (count: number, progress: Seen): ReadonlyArray<Seen> => {
  let missing = count
  return Array.from({ length: count }, () => {
    let hasBegun = false
    return {
      seen: (records, bytes) => {
        if (!hasBegun) {
          hasBegun = true
          missing--
        } else if (missing === 0) progress.seen(records, bytes)
      }
    }
  })
}

export const groupOf = (group: string, index: number): string => `${group}-${index}`

/** Open connections of this process. */
const connections = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

export const withConnections = (result: Result): Result => ({
  ...result,
  figures: { "records/s": result.recordsPerSecond, "connections": connections() }
})

const settleMs = 2_000
const idleMs = 20_000

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Looks at a process whose consumers have read everything, and wait for more. */
export const idle = async (progress: Progress): Promise<Result> => {
  await pause(settleMs)
  const before = process.cpuUsage()
  const from = performance.now()
  await pause(idleMs)
  const { system, user } = process.cpuUsage(before)
  const seconds = (performance.now() - from) / 1000
  return {
    ...progress.result(),
    figures: {
      "idle CPU ms/s": (user + system) / 1000 / seconds,
      "idle RSS MiB": process.memoryUsage.rss() / 2 ** 20,
      "connections": connections()
    }
  }
}
