/** A run: the relay's members on real servers, faults, and a judge that reads along. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Blame } from "./blame.ts"
import { Checkpoints } from "./checkpoints.ts"
import { firstRow, type GroupProtocol } from "./configRow.ts"
import { draws } from "./draws.ts"
import { Filler } from "./filler.ts"
import type { ChaosFlags } from "./flags.ts"
import { Fleet } from "./fleet.ts"
import { GroupWatch } from "./groupWatch.ts"
import { Injector } from "./injector.ts"
import { Ledger, type Repeat } from "./ledger.ts"
import { drawPlan, drawScene, type Scene } from "./plan.ts"
import { isDone, Progress } from "./progress.ts"
import { Reader } from "./reader.ts"
import { faultTable } from "./report.ts"
import { verdict } from "./verdict.ts"
import { startWorld, stopAll, type World } from "./world.ts"

const checkEveryMs = 3_000
/** A line about the state at every fourth checkpoint. */
const checksPerLine = 4
/** What a member says whose transport or brokers do not have the protocol of the row. */
const adapted = /cannot apply groupProtocol = consumer: classic/
/** Violations that are told in full; the others are counted. */
const toldViolations = 30

export interface RunOptions {
  readonly flags: ChaosFlags
  readonly print: (line: string) => void
  /** Ends the run before its time. */
  readonly signal: AbortSignal
}

/** Tells what happens, with the time since the start, and counts what must not. */
class Story {
  violations = 0
  startedAt = Date.now()
  private readonly seed: string
  private readonly print: (line: string) => void

  constructor(seed: string, print: (line: string) => void) {
    this.seed = seed
    this.print = print
  }

  readonly log = (text: string): void => {
    this.print(`${this.seconds.toFixed(1).padStart(7)} s  ${text}`)
  }

  readonly violation = (text: string): void => {
    this.violations++
    if (this.violations > toldViolations) return
    this.log(`VIOLATION (seed ${this.seed}, ${new Date().toISOString()}): ${text}`)
  }

  readonly unexplained = ({ again, first, offset, partition }: Repeat): void => {
    const by = ({ atMs, member }: Repeat["first"]) =>
      `by ${member} after ${((atMs - this.startedAt) / 1_000).toFixed(3)} s`
    this.violation(
      `duplicate: partition ${partition}, offset ${offset} was written ${by(first)} and again ${
        by(again)
      }; no fault explains it`
    )
  }

  get seconds(): number {
    return (Date.now() - this.startedAt) / 1_000
  }
}

const environmentOf = (world: World, scene: Scene, transport: string): Readonly<Record<string, string>> => ({
  KAFKA_BROKERS: world.kafka.brokers.join(","),
  DATABASE_URL: world.databaseUrl,
  RELAY_SERVICE: world.names.service,
  RELAY_GROUP: world.names.group,
  RELAY_IN: world.names.input,
  RELAY_OUT: world.names.output,
  RELAY_DLQ: world.names.deadLetters,
  RELAY_WORK_MS: scene.workMs,
  RELAY_ORDER: scene.order,
  RELAY_FAIL: scene.fail,
  RELAY_TRANSPORT: transport,
  ...(scene.concurrency !== undefined && { RELAY_CONCURRENCY: String(scene.concurrency) })
})

/** Of the relay's transports one is another's in the other group protocol; here that is for the row, so that it can change. */
const madeOf = (transport: string): { readonly transport: string; readonly protocol: GroupProtocol } =>
  transport === "platformatic-consumer"
    ? { transport: "platformatic", protocol: "consumer" }
    : { transport, protocol: "classic" }

/** Answers how many violations there were. */
export const run = async ({ flags, print, signal }: RunOptions): Promise<number> => {
  const began = Date.now()
  const story = new Story(flags.seed, print)
  const started: Array<() => Promise<void>> = []
  const logFolder = await mkdtemp(join(tmpdir(), "weft-chaos-"))
  try {
    await carryOut({ flags, print, signal }, story, started, logFolder)
  } catch (error) {
    story.violation(`the run broke off: ${(error as Error).stack}`)
  } finally {
    await stopAll(started)
  }
  if (signal.aborted) print("broken off")
  if (story.violations > 0) print(`the members' logs are in ${logFolder}`)
  else await rm(logFolder, { recursive: true, force: true })
  print(
    `chaos: seed ${flags.seed}, ${story.violations} violations, ${((Date.now() - began) / 1_000).toFixed(0)} s in all`
  )
  return story.violations
}

const carryOut = async (
  { flags, print, signal }: RunOptions,
  story: Story,
  started: Array<() => Promise<void>>,
  logFolder: string
): Promise<void> => {
  const all = draws(flags.seed)
  const scene = drawScene(all.named("scene"), flags)
  const durationMs = flags.minutes * 60_000
  const plan = drawPlan(all.named("plan"), { durationMs, planned: flags.planned })
  print(
    `seed ${flags.seed}: order ${scene.order}, work ${scene.workMs} ms, failing ${scene.fail}, ` +
      `concurrency ${scene.concurrency ?? "one for each partition"}; ${plan.length} faults in ${flags.minutes} min`
  )
  const { protocol, transport } = madeOf(flags.transport)
  const row = { ...firstRow, group_protocol: protocol }
  const world = await startWorld({ nodes: flags.nodes, partitions: flags.partitions, row }, started)
  print(`servers ready after ${story.seconds.toFixed(1)} s`)
  story.startedAt = Date.now()

  const { admin, client, names } = world
  const onViolation = story.violation
  const ledger: Ledger = new Ledger({
    partitions: flags.partitions,
    order: scene.order,
    startedAt: story.startedAt,
    listener: {
      onViolation,
      onRepeat: (repeat) => {
        if (blame.assign(repeat) === undefined) story.unexplained(repeat)
      }
    }
  })
  const blame = new Blame(ledger)
  const reader = new Reader({ client, names, ledger, onViolation })
  started.push(() => reader.stop())
  await reader.start()
  const fleet = new Fleet({ environment: environmentOf(world, scene, transport), logFolder, onViolation })
  started.push(() => fleet.stop())
  for (let i = 0; i < flags.members; i++) fleet.start()
  const checkpoints = new Checkpoints({ admin, names, ledger, reader, onViolation })
  const filler = new Filler({
    client,
    topic: names.input,
    partitions: flags.partitions,
    rate: flags.rate,
    durationMs,
    draws: all.named("records"),
    ledger,
    signal
  })
  const injector = new Injector({
    fleet,
    kafka: world.kafka,
    postgres: world.postgres,
    databaseUrl: world.databaseUrl,
    service: names.service,
    protocol,
    members: flags.members,
    isAtWork: () => ledger.relayed > 0,
    blame,
    log: story.log,
    signal
  })

  let isOver = false
  const keepChecking = async () => {
    const progress = new Progress(onViolation)
    for (let i = 0; !isOver && !signal.aborted; i++) {
      await sleep(checkEveryMs, undefined, { signal }).catch(() => undefined)
      const committed = await checkpoints.check()
      if (committed === undefined) continue
      const ends = Array.from({ length: flags.partitions }, (_, partition) => ledger.acknowledgedEnd(partition))
      progress.observe(committed, ends, Date.now())
      if (i % checksPerLine > 0) continue
      story.log(
        `acknowledged ${ledger.acknowledgedRecords}, relayed ${ledger.relayed}, repeated ${ledger.repeats}, ` +
          `checkpoints ${checkpoints.made}, members ${fleet.members.size}`
      )
    }
  }
  const checking = keepChecking()
  const groupWatch = new GroupWatch({ admin, group: names.group, first: protocol, blame, log: story.log })
  started.push(() => groupWatch.stop())
  groupWatch.start()
  await Promise.all([filler.run(), injector.run(plan)])
  const filledAfter = story.seconds
  const ends = signal.aborted ? [] : await checkpoints.inputEnds()
  const isStill = !(await isDone(checkpoints, ends, signal))
  const doneAfter = story.seconds
  isOver = true
  await checking
  if (!signal.aborted) {
    await fleet.terminateAll()
    if (isStill) onViolation("the faults are over, and the group stands still")
    if ((await checkpoints.check()) === undefined) onViolation("the last checkpoint could not be made")
    verdict(ledger, blame, ends).forEach(onViolation)
  }

  print(`\n${faultTable(blame)}\n`)
  print(
    `${ledger.acknowledgedRecords} records acknowledged${filler.unknown > 0 ? ` (${filler.unknown} in doubt)` : ""}, ` +
      `${ledger.relayed} relayed, of these ${ledger.deadLetters} to the dead letters; ${ledger.repeats} duplicates`
  )
  print(
    `the group was converted to KIP-848's protocol ${groupWatch.seen.consumer} times, and back ` +
      `${groupWatch.seen.classic} times; ${fleet.saying(adapted)} members said that they go on with classic`
  )
  print(
    `${checkpoints.made} checkpoints of the commits, ${checkpoints.skipped} skipped while no broker answered; ` +
      `${checkpoints.beyond} offsets told by metadata`
  )
  print(
    `filled for ${filledAfter.toFixed(1)} s, done after ${doneAfter.toFixed(1)} s: ` +
      `${Math.round(ledger.relayed / doneAfter)} records/s`
  )
}
