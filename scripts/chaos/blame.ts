/**
 * Which fault a repeated record is due to, and how many each may cost. The bound, as docs/delivery.md tells it: what a
 * member had in flight, and what it settled since its last commit. Pure.
 */
import type { Ledger, Repeat } from "./ledger.ts"
import type { FaultKind } from "./plan.ts"

/** A fault as it happened; times in milliseconds since 1970. */
export interface Happened {
  readonly kind: FaultKind
  readonly what: string
  /** The member that it hit. */
  readonly member: string | undefined
  readonly startedAt: number
  /** When it was undone; undefined while it lasts. */
  endedAt: number | undefined
  repeats: number
}

/**
 * How old the last commit of a sound member can be: the longest `auto_commit_interval_ms` of any row that is drawn, and
 * the request itself, on a machine that has other things to do as well.
 */
export const uncommittedMs = 2_000
/** How long after a broker is back its loss is felt: the coordinator loads, leaders move back, sessions end. */
const aftermathMs = 15_000

const isWithin = (atMs: number, fromMs: number, toMs: number) => atMs >= fromMs && atMs <= toMs

/** As whom the ledger knows dead letters, which do not say who wrote them. */
const unknownMember = ""

const isBy = (fault: Happened, member: string) => member === fault.member || member === unknownMember

export class Blame {
  readonly faults: Array<Happened> = []
  private readonly ledger: Ledger

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  add(fault: Happened): void {
    this.faults.push(fault)
  }

  /** Answers the fault that explains it, after counting it there; undefined where none does. */
  assign(repeat: Repeat): Happened | undefined {
    const found = this.faults.findLast((fault) => this.explains(fault, repeat) && fault.kind !== "broker")
      ?? this.faults.findLast((fault) => this.explains(fault, repeat))
    if (found !== undefined) found.repeats++
    return found
  }

  /** How many records a fault may have repeated. */
  bound(fault: Happened): number {
    const { kind, member, startedAt } = fault
    if (kind === "kill" && member !== undefined) {
      return this.writtenBy(member, this.lastCommitBefore(startedAt), startedAt + 1_000)
    }
    if (kind === "freeze" && member !== undefined) {
      return this.writtenBy(member, this.lastCommitBefore(startedAt), this.overAt(fault))
    }
    return kind === "broker" ? this.ledger.writtenByAll(startedAt - uncommittedMs, this.overAt(fault)) : 0
  }

  /** With the dead letters of that time, any of which may be its own. */
  private writtenBy(member: string, fromMs: number, toMs: number): number {
    return this.ledger.writtenBy(member, fromMs, toMs) + this.ledger.writtenBy(unknownMember, fromMs, toMs)
  }

  private explains(fault: Happened, { again, first }: Repeat): boolean {
    const from = this.lastCommitBefore(fault.startedAt)
    switch (fault.kind) {
      case "kill":
        return isBy(fault, first.member) && isWithin(first.atMs, from, fault.startedAt + 1_000)
      case "freeze":
        // What it wrote before, and what it goes on with until it learns that its partitions are another's.
        return [first, again].some(({ atMs, member }) =>
          isBy(fault, member) && isWithin(atMs, from, this.overAt(fault))
        )
      case "broker":
        return isWithin(first.atMs, from, this.overAt(fault)) || isWithin(again.atMs, from, this.overAt(fault))
      case "postgres":
      case "terminate":
      case "scale":
      case "configure":
        return false
    }
  }

  /** Since when a member may have settled what it had not committed: longer where a broker was away. */
  private lastCommitBefore(atMs: number): number {
    const from = atMs - uncommittedMs
    return this.faults.reduce(
      (earliest, fault) =>
        fault.kind === "broker" && fault.startedAt <= atMs && this.overAt(fault) >= from
          ? Math.min(earliest, fault.startedAt - uncommittedMs)
          : earliest,
      from
    )
  }

  private overAt({ endedAt, kind }: Happened): number {
    if (endedAt === undefined) return Infinity
    return endedAt + (kind === "broker" ? aftermathMs : uncommittedMs)
  }
}
