/** A run: the relay's members on real servers, faults, and a judge that reads along. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Blame } from "./blame.ts"
import { Checkpoints, type Committed } from "./checkpoints.ts"
import { firstRow } from "./configRow.ts"
import { draws } from "./draws.ts"
import { Filler } from "./filler.ts"
import type { ChaosFlags } from "./flags.ts"
import { Fleet } from "./fleet.ts"
import { Injector } from "./injector.ts"
import { Ledger } from "./ledger.ts"
import { drawPlan, drawScene, type Scene } from "./plan.ts"
import { Reader } from "./reader.ts"
import { faultTable } from "./report.ts"
import { startWorld, stopAll, type World } from "./world.ts"

const checkEveryMs = 3_000
/** A partition with records to do that does not move for so long is stuck, whatever the faults. */
const stuckMs = 90_000
/** How long the members may take for what is left when the faults are over. */
const catchUpMs = 180_000
/** Violations that are told in full; the others are counted. */
const toldViolations = 30

export interface RunOptions {
  readonly flags: ChaosFlags
  readonly print: (line: string) => void
  /** Ends the run before its time. */
  readonly signal: AbortSignal
}

const environmentOf = (world: World, scene: Scene): Readonly<Record<string, string>> => ({
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
  ...(scene.concurrency !== undefined && { RELAY_CONCURRENCY: String(scene.concurrency) })
})

/** Answers how many violations there were. */
export const run = async ({ flags, print, signal }: RunOptions): Promise<number> => {
  const all = draws(flags.seed)
  const scene = drawScene(all.named("scene"), flags)
  const durationMs = flags.minutes * 60_000
  const plan = drawPlan(all.named("plan"), { durationMs, planned: flags.planned })
  print(
    `seed ${flags.seed}: order ${scene.order}, work ${scene.workMs} ms, failing ${scene.fail}, ` +
      `concurrency ${scene.concurrency ?? "one for each partition"}; ${plan.length} faults in ${flags.minutes} min`
  )

  const startedAt = Date.now()
  const started: Array<() => Promise<void>> = []
  const logFolder = await mkdtemp(join(tmpdir(), "weft-chaos-"))
  let violations = 0
  let begun = Date.now()
  const log = (text: string) => print(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${text}`)
  const onViolation = (text: string) => {
    violations++
    if (violations <= toldViolations) log(`VIOLATION (seed ${flags.seed}, ${new Date().toISOString()}): ${text}`)
  }

  try {
    const world = await startWorld({ nodes: flags.nodes, partitions: flags.partitions, row: firstRow }, started)
    const { admin, client, names } = world
    const readyAfter = (Date.now() - startedAt) / 1_000
    begun = Date.now()
    const ledger: Ledger = new Ledger({
      partitions: flags.partitions,
      order: scene.order,
      startedAt: begun,
      listener: {
        onViolation,
        onRepeat: (repeat) => {
          if (blame.assign(repeat) !== undefined) return
          const { again, first, offset, partition } = repeat
          onViolation(
            `duplicate: no fault explains that partition ${partition}, offset ${offset}, ` +
              `written by ${first.member} after ${first.atMs - begun} ms, was written again by ${again.member} ` +
              `after ${again.atMs - begun} ms`
          )
        }
      }
    })
    const blame = new Blame(ledger)
    const reader = new Reader({ client, names, ledger, onViolation })
    started.push(() => reader.stop())
    await reader.start()
    const fleet = new Fleet({ environment: environmentOf(world, scene), logFolder, onViolation })
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
      members: flags.members,
      blame,
      log,
      signal
    })

    const progress = new Progress(onViolation)
    let isOver = false
    const checking = (async () => {
      for (let i = 0; !isOver && !signal.aborted; i++) {
        await sleep(checkEveryMs, undefined, { signal }).catch(() => undefined)
        const committed = await checkpoints.check()
        if (committed === undefined) continue
        const ends = Array.from({ length: flags.partitions }, (_, partition) => ledger.acknowledgedEnd(partition))
        progress.observe(committed, ends)
        if (i % 4 === 0) {
          log(
            `acknowledged ${ledger.acknowledgedRecords}, relayed ${ledger.relayed}, repeated ${ledger.repeats}, ` +
              `checkpoints ${checkpoints.made}, members ${fleet.members.size}`
          )
        }
      }
    })()
    await Promise.all([filler.run(), injector.run(plan)])
    const filledAfter = (Date.now() - begun) / 1_000

    const ends = signal.aborted ? [] : await checkpoints.inputEnds()
    const caughtUp = signal.aborted || await isDone(checkpoints, ends, signal)
    if (!caughtUp) {
      onViolation(
        `lost: the group has not done its work ${catchUpMs / 1_000} s after the faults were over: ` +
          (await checkpoints.committed()).map(({ offset, partition }) =>
            `${partition}: ${offset} of ${ends[partition]}`
          ).join(", ")
      )
    }
    const doneAfter = (Date.now() - begun) / 1_000
    isOver = true
    await checking
    await fleet.terminateAll()
    if (!signal.aborted && (await checkpoints.check()) === undefined) {
      onViolation("the last checkpoint could not be made")
    }
    for (const { offsets, partition } of signal.aborted ? [] : ledger.lost()) {
      onViolation(`lost: partition ${partition} lacks ${offsets.join(", ")}`)
    }
    ends.forEach((end, partition) => {
      const missing = ledger.missing(partition, 0, end)
      if (missing.length > 0) onViolation(`lost: partition ${partition} lacks ${missing.join(", ")}`)
      if (ledger.acknowledgedEnd(partition) > end) {
        onViolation(`the input lost what it had acknowledged of partition ${partition}`)
      }
    })
    for (const fault of blame.faults) {
      const bound = blame.bound(fault)
      if (fault.repeats > bound) {
        onViolation(`duplicates: ${fault.what} repeated ${fault.repeats}, its bound is ${bound}`)
      }
    }

    print("")
    print(faultTable(blame))
    print("")
    print(
      `${ledger.acknowledgedRecords} records acknowledged${
        filler.unknown > 0 ? ` (and ${filler.unknown} in doubt)` : ""
      }, ` +
        `${ledger.relayed} relayed, of these ${ledger.deadLetters} to the dead letters; ${ledger.repeats} duplicates`
    )
    print(
      `${checkpoints.made} checkpoints of the commits, ${checkpoints.skipped} skipped while no broker answered; ` +
        `${checkpoints.beyond} offsets told by metadata`
    )
    print(
      `servers ready after ${readyAfter.toFixed(1)} s, filled for ${filledAfter.toFixed(1)} s, ` +
        `done after ${doneAfter.toFixed(1)} s: ${Math.round(ledger.relayed / doneAfter)} records/s`
    )
  } catch (error) {
    onViolation(`the run broke off: ${(error as Error).stack}`)
  } finally {
    await stopAll(started)
  }
  if (signal.aborted) print("broken off")
  if (violations > 0) print(`the members' logs are in ${logFolder}`)
  else await rm(logFolder, { recursive: true, force: true })
  print(
    `chaos: seed ${flags.seed}, ${violations} violations, ${((Date.now() - startedAt) / 1_000).toFixed(0)} s in all`
  )
  return violations
}

/** Waits until everything in the input is committed. */
const isDone = async (
  checkpoints: Checkpoints,
  ends: ReadonlyArray<number>,
  signal: AbortSignal
): Promise<boolean> => {
  const deadline = Date.now() + catchUpMs
  while (Date.now() < deadline && !signal.aborted) {
    const committed = await checkpoints.committed().catch((): ReadonlyArray<Committed> => [])
    if (
      ends.every((end, partition) =>
        end === 0 || committed.some((one) => one.partition === partition && one.offset >= end)
      )
    ) {
      return true
    }
    await sleep(500)
  }
  return signal.aborted
}

/** Which partitions stand still though they have work. */
class Progress {
  private readonly moved = new Map<number, { readonly offset: number; readonly atMs: number }>()
  private readonly onViolation: (text: string) => void

  constructor(onViolation: (text: string) => void) {
    this.onViolation = onViolation
  }

  observe(committed: ReadonlyArray<Committed>, ends: ReadonlyArray<number>): void {
    const now = Date.now()
    for (const { offset, partition } of committed) {
      const before = this.moved.get(partition)
      if (before === undefined || before.offset !== offset || offset >= ends[partition]!) {
        this.moved.set(partition, { offset, atMs: now })
      } else if (now - before.atMs > stuckMs) {
        this.moved.set(partition, { offset, atMs: now })
        this.onViolation(
          `stuck: partition ${partition} stands at ${offset} of ${ends[partition]} since ${stuckMs / 1_000} s`
        )
      }
    }
  }
}
