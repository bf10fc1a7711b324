/**
 * Commit safety, checked while the run goes on: what the group has committed is in the output already. The committed
 * offsets are asked for first, the output's ends after that, so that whatever was settled before a commit is below them.
 */
import { settledBeyond } from "@weft/kafka/Offset"
import type { Admin } from "kafkajs"
import type { Ledger } from "./ledger.ts"
import type { Reader } from "./reader.ts"
import type { Names } from "./world.ts"

export interface Committed {
  readonly partition: number
  /** -1: nothing was committed yet. */
  readonly offset: number
  readonly metadata: string
}

export interface CheckpointsOptions {
  readonly admin: Pick<Admin, "fetchOffsets" | "fetchTopicOffsets">
  readonly names: Names
  readonly ledger: Ledger
  readonly reader: Pick<Reader, "reached">
  readonly onViolation: (text: string) => void
}

const reachWithinMs = 60_000

export class Checkpoints {
  private readonly options: CheckpointsOptions
  private readonly before = new Map<number, number>()
  /** Checks that were made, and those that were not, as no broker answered in time. */
  made = 0
  skipped = 0
  /** Offsets that the commits' metadata told to be settled, and that were found in the output. */
  beyond = 0

  constructor(options: CheckpointsOptions) {
    this.options = options
  }

  /** Answers what is committed, or undefined where nobody could be asked. */
  async check(): Promise<ReadonlyArray<Committed> | undefined> {
    const { names, reader } = this.options
    const committed = await this.committed().catch(() => undefined)
    if (committed === undefined) return this.skip()
    const ends = await Promise.all([names.output, names.deadLetters].map((topic) => this.ends(topic)))
      .catch(() => undefined)
    if (ends === undefined || !(await reader.reached(ends.flat(), reachWithinMs))) return this.skip()
    for (const one of committed) this.judge(one)
    this.made++
    return committed
  }

  /** How many records each partition of the input has. */
  async inputEnds(): Promise<ReadonlyArray<number>> {
    const ends = await this.ends(this.options.names.input)
    return [...ends].sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  async committed(): Promise<ReadonlyArray<Committed>> {
    const { admin, names } = this.options
    const [found] = await admin.fetchOffsets({ groupId: names.group, topics: [names.input] })
    return (found?.partitions ?? []).map(({ metadata, offset, partition }) => ({
      partition,
      offset: Number(offset),
      metadata: metadata ?? ""
    }))
  }

  private skip(): undefined {
    this.skipped++
    return undefined
  }

  private async ends(topic: string) {
    const offsets = await this.options.admin.fetchTopicOffsets(topic)
    return offsets.map(({ high, partition }) => ({ topic, partition, offset: Number(high) }))
  }

  private judge({ metadata, offset, partition }: Committed): void {
    const { ledger, onViolation } = this.options
    const missing = ledger.missing(partition, 0, offset)
    if (missing.length > 0) {
      onViolation(`commit: partition ${partition} was committed at ${offset}, but without ${missing.join(", ")}`)
    }
    for (const { end, start } of settledBeyond(BigInt(Math.max(0, offset)), metadata)) {
      const unsettled = ledger.missing(partition, Number(start), Number(end))
      this.beyond += Number(end - start)
      if (unsettled.length > 0) {
        onViolation(
          `commit: partition ${partition}, at ${offset}, calls ${start} to ${end} settled, but without ${
            unsettled.join(", ")
          }`
        )
      }
    }
    const before = this.before.get(partition) ?? -1
    if (offset < before) onViolation(`commit: partition ${partition} went back from ${before} to ${offset}`)
    this.before.set(partition, offset)
  }
}
