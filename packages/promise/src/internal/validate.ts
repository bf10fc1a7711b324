/** What is wrong with options, before anything connects. Pure. */
import type { ConsumerOptions } from "../ConsumerOptions.ts"
import { InvalidOptionError } from "../WeftError.ts"

const isCount = (value: number | undefined) => value === undefined || Number.isInteger(value) && value >= 1
const isTime = (value: number | undefined) => value === undefined || Number.isFinite(value) && value >= 0

/** Types are checked for those who write plain JavaScript. */
export const validate = <V, K>(options: ConsumerOptions<V, K>): void => {
  const refuse = (option: string, reason: string): never => {
    throw new InvalidOptionError(option, reason)
  }
  const { batch = {}, concurrency, drainTimeoutMs, maxInFlight, metricsIntervalMs, service, topics } = options
  if (typeof service !== "string" || service.trim() === "") refuse("service", "is missing: give the service's name")
  if (!(topics instanceof RegExp)) {
    if (!Array.isArray(topics) || topics.length === 0) refuse("topics", "name no topic: give some names, or a pattern")
    if (topics.some((topic) => typeof topic !== "string" || topic === "")) refuse("topics", "hold an empty name")
  }
  if (options.groupId === "") refuse("groupId", "is empty")
  for (const [name, value] of Object.entries({ concurrency, maxInFlight, "batch.size": batch.size })) {
    if (!isCount(value)) refuse(name, `is ${String(value)}; it must be a whole number of 1 or more`)
  }
  const port = options.health?.port
  if (options.health !== undefined && (!Number.isInteger(port) || port! < 0 || port! > 65_535)) {
    refuse("health.port", `is ${String(port)}; it must be a whole number from 0 to 65535`)
  }
  const times = { drainTimeoutMs, metricsIntervalMs, "batch.windowMs": batch.windowMs }
  for (const [name, value] of Object.entries(times)) {
    if (!isTime(value)) refuse(name, `is ${String(value)}; it must be a number of milliseconds`)
  }
}
