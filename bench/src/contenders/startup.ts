/** From the start of a process to its first record: Node, loading, connecting, joining a group of its own, fetching. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { findJava, kafkaToolJars } from "../../../scripts/servers/kafkaJars.ts"
import { temporaryFolder } from "../../../scripts/servers/temporaryFolder.ts"
import type { ListenerName } from "../listeners/byName.ts"
import { listenElsewhere } from "../listeners/listenElsewhere.ts"
import type { Contender, Result, Task } from "./Contender.ts"

/** The workload has one record: how many there are is not the question. */
const resultOf = ({ records }: Task, ms: number, parts: Readonly<Record<string, number>> = {}): Result => ({
  records,
  recordsPerSecond: 1_000 / ms,
  figures: { "ms to first record": ms, ...parts }
})

const startOf = async (name: ListenerName, task: Task, env: NodeJS.ProcessEnv = process.env): Promise<Result> => {
  const child = listenElsewhere(name, { ...task, steady: false }, env)
  const loaded = await child.told("Loaded")
  const assigned = await child.told("Assigned")
  const first = await child.told("First")
  child.leave()
  await child.told("Left")
  const ms = (from: bigint, to: bigint) => Number(to - from) / 1e6
  return resultOf(task, ms(child.startedNs, first.atNs), {
    "ms to load": ms(child.startedNs, loaded.atNs),
    "ms to join": ms(loaded.atNs, assigned.atNs),
    "ms to fetch": ms(assigned.atNs, first.atNs)
  })
}

export const startupOf = (name: ListenerName): Contender => (task) => startOf(name, task)

/** The second start with Node's cache of compiled modules. */
export const withCompileCache = (name: ListenerName): Contender => async (task) => {
  const folder = await temporaryFolder("weft-bench-compiled-")
  const env = { ...process.env, NODE_COMPILE_CACHE: folder.path }
  await startOf(name, { ...task, group: `${task.group}-first` }, env)
  const result = await startOf(name, task, env)
  await folder.remove()
  return result
}

/** Kafka's own console consumer, until it prints. */
export const java: Contender = async (task) => {
  const command = await findJava()
  if (command === undefined) throw new Error("there is no Java for the Java client")
  const jars = join(await kafkaToolJars(), "*")
  const startedAt = performance.now()
  const child = spawn(command, [
    "-Xmx512m",
    "-cp",
    jars,
    "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "--bootstrap-server",
    task.brokers.join(","),
    "--topic",
    task.topic,
    "--group",
    task.group,
    "--from-beginning",
    "--max-messages",
    "1"
  ], { stdio: ["ignore", "pipe", "ignore"] })
  const ended = once(child, "exit")
  const first = await Promise.race([once(child.stdout, "data").then(() => performance.now()), ended])
  if (typeof first !== "number") throw new Error("the console consumer ended without a record")
  await ended
  return resultOf(task, first - startedAt)
}
