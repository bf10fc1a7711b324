/** How much memory a member takes that is far behind, against the formula of packages/kafka/src/ConsumerSettings.ts. */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { aliveBytes, allowedBytes, type Load, mebibyte } from "../memoryFormula.ts"
import type { BacklogFlags } from "./flags.ts"
import { Member } from "./member.ts"
import { startWorld, stopAll, type World } from "./world.ts"

export interface BacklogOptions {
  readonly flags: BacklogFlags
  readonly print: (line: string) => void
  readonly signal: AbortSignal
}

/** How long a member without anything to do is looked at, for what the process takes by itself. */
const idleMs = 15_000

/** Answers how many violations there were: one where the member took more than the formula allows. */
export const backlog = async ({ flags, print, signal }: BacklogOptions): Promise<number> => {
  const started: Array<() => Promise<void>> = []
  const logFolder = await mkdtemp(join(tmpdir(), "weft-backlog-"))
  try {
    const world = await startWorld({ nodes: 1, partitions: flags.partitions, row: {} }, started)
    const start = (name: string) => {
      const member = new Member(name, join(logFolder, `${name}.log`), environmentOf(world, flags))
      started.push(async () => void await member.kill())
      return member
    }

    const idle = start("idle")
    const base = await highestRss(idle, idleMs, signal, () => undefined)
    idle.signal("SIGTERM")
    await idle.exited
    print(`with nothing to do: ${mib(base)}`)

    await fill(world, flags, signal)
    print(`the input has ${flags.records} records of ${flags.bytes} bytes in ${flags.partitions} partitions`)

    const busy = start("busy")
    const began = Date.now()
    let lastPrint = began
    const most = await highestRss(busy, flags.seconds * 1_000, signal, (rss) => {
      if (Date.now() - lastPrint < 10_000) return
      lastPrint = Date.now()
      print(`after ${Math.round((lastPrint - began) / 1_000)} s: ${mib(rss)}`)
    })
    const relayed = (await world.admin.fetchTopicOffsets(world.names.output))
      .reduce((sum, { high }) => sum + Number(high), 0)

    const load = loadOf(flags)
    const allowed = allowedBytes(load)
    const isWithin = most - base <= allowed && busy.isRunning && relayed > 0
    print(`${relayed} records in ${flags.seconds} s, each worked on for ${flags.workMs} ms`)
    print(
      `with the backlog: at most ${mib(most)}, ${mib(most - base)} above the idle process; allowed are ${
        mib(allowed)
      }: ${mib(aliveBytes(load))} alive by the formula, the rest not collected yet`
    )
    print(`backlog: ${isWithin ? "within the formula" : "VIOLATION: " + busy.logTail(5)}`)
    return isWithin || signal.aborted ? 0 : 1
  } finally {
    await stopAll(started)
    await rm(logFolder, { recursive: true, force: true })
  }
}

/** The settings that the member has are the defaults. */
const loadOf = ({ bytes, partitions }: BacklogFlags): Load => ({
  settings: ConsumerSettings.make({ groupId: "backlog" }),
  partitions,
  brokers: 1,
  bytes
})

const mib = (bytes: number) => `${(bytes / mebibyte).toFixed(1)} MiB`

const environmentOf = ({ databaseUrl, kafka, names }: World, flags: BacklogFlags) => ({
  KAFKA_BROKERS: kafka.brokers.join(","),
  DATABASE_URL: databaseUrl,
  RELAY_SERVICE: names.service,
  RELAY_GROUP: names.group,
  RELAY_IN: names.input,
  RELAY_OUT: names.output,
  RELAY_DLQ: names.deadLetters,
  RELAY_WORK_MS: String(flags.workMs)
})

const fill = async ({ client, names }: World, flags: BacklogFlags, signal: AbortSignal): Promise<void> => {
  const producer = client.producer()
  await producer.connect()
  const value = "x".repeat(flags.bytes)
  const perSend = 1_000
  for (let sent = 0, partition = 0; sent < flags.records && !signal.aborted; partition++) {
    const count = Math.min(perSend, flags.records - sent)
    await producer.send({
      topic: names.input,
      acks: -1,
      messages: Array.from({ length: count }, () => ({ partition: partition % flags.partitions, value }))
    })
    sent += count
  }
  await producer.disconnect()
}

const highestRss = async (
  member: Member,
  durationMs: number,
  signal: AbortSignal,
  observe: (rss: number) => void
): Promise<number> => {
  const until = Date.now() + durationMs
  let most = 0
  while (Date.now() < until && member.isRunning && !signal.aborted) {
    const rss = await rssOf(member.pid)
    most = Math.max(most, rss)
    observe(rss)
    await sleep(100)
  }
  return most
}

/** As Linux tells it. */
const rssOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
