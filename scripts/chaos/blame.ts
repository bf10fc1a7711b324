/**
 * Which fault a repeated record is due to, and how many each may cost. The bound, as docs/delivery.md tells it: what a
 * member had in flight, and what it settled since its last commit. Pure.
 */
import type { Ledger, Repeat } from "./ledger.ts"
import type { FaultKind } from "./plan.ts"

/**
 * A conversion is no fault that is drawn: it is seen, where a change of `group_protocol` or the end of a member leads to it.
 *
 * KIP-848's coordinator converts a group online, when the first member of the new protocol joins and when the last one
 * leaves, or its session ends. What a member hands over on purpose it has drained and committed before, in both protocols and
 * both directions: the change of the setting repeats nothing by itself, and so its bound is nothing.
 *
 * To KIP-848's protocol the conversion keeps each classic member under the generation that it has, which it may commit under
 * until it joins again: that, too, repeats nothing.
 *
 * Back to the classic protocol the new classic group is of the *group's* epoch. A classic member whose own is older, since
 * somebody came or went and it has not joined again yet, is refused from that moment on (ILLEGAL_GENERATION): it cannot
 * commit what it has settled since its last commit, nor what it writes until its next heartbeat or commit tells it, and that
 * is repeated. All that is certain is that each member may be such a one, so that is the bound: what was written from one
 * commit before the conversion until all have heard of it.
 */
export type HappenedKind = FaultKind | "conversion"

/** A fault as it happened; times in milliseconds since 1970. */
export interface Happened {
  readonly kind: HappenedKind
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
/** How long what a member had sent before its end may take to be written. */
const underWayMs = 1_000
/** How long after a broker is back its loss is felt: the coordinator loads, leaders move back, sessions end. */
const aftermathMs = 15_000

const isWithin = (atMs: number, fromMs: number, toMs: number) => atMs >= fromMs && atMs <= toMs

/** As whom the ledger knows dead letters, which do not say who wrote them. */
const unknownMember = ""

const isBy = (fault: Happened, member: string) => member === fault.member || member === unknownMember

export class Blame {
  readonly faults: Array<Happened> = []
  private readonly stalls: Array<{ readonly fromMs: number; readonly toMs: number }> = []
  private readonly ledger: Ledger

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  add(fault: Happened): void {
    this.faults.push(fault)
  }

  /** From one time to the other nobody was answered, or the machine stood still: no fault, but what members did took as long. */
  stood(fromMs: number, toMs: number): void {
    this.stalls.push({ fromMs, toMs })
  }

  /** Answers the fault that explains it, after counting it there; undefined where none does. */
  assign(repeat: Repeat): Happened | undefined {
    // First those of one member, then those of all, then those that last long.
    const explaining = this.faults.filter((fault) => this.explains(fault, repeat))
    const found = explaining.findLast(({ kind }) => kind === "kill" || kind === "freeze")
      ?? explaining.findLast(({ kind }) => kind === "conversion")
      ?? explaining.at(-1)
    if (found !== undefined) found.repeats++
    return found
  }

  /** How many records a fault may have repeated. */
  bound(fault: Happened): number {
    const { kind, member, startedAt } = fault
    if (kind === "kill" && member !== undefined) {
      return this.writtenBy(member, this.lastCommitBefore(startedAt), this.after(startedAt, underWayMs))
    }
    if (kind === "freeze" && member !== undefined) {
      return this.writtenBy(member, this.lastCommitBefore(startedAt), this.overAt(fault))
    }
    if (kind === "conversion") return this.ledger.writtenByAll(this.lastCommitBefore(startedAt), this.overAt(fault))
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
        return isBy(fault, first.member) && isWithin(first.atMs, from, this.after(fault.startedAt, underWayMs))
      case "freeze":
        // What it wrote before, and what it goes on with until it learns that its partitions are another's.
        return [first, again].some(({ atMs, member }) =>
          isBy(fault, member) && isWithin(atMs, from, this.overAt(fault))
        )
      case "conversion":
        return isWithin(first.atMs, from, this.overAt(fault))
      case "broker":
        return isWithin(first.atMs, from, this.overAt(fault)) || isWithin(again.atMs, from, this.overAt(fault))
      case "postgres":
      case "terminate":
      case "scale":
      case "configure":
      case "protocol":
        return false
    }
  }

  /** Since when a member may have settled what it had not committed: longer where a broker was away. */
  private lastCommitBefore(atMs: number): number {
    const from = this.before(atMs, uncommittedMs)
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
    return this.after(endedAt, kind === "broker" ? aftermathMs : uncommittedMs)
  }

  /** So long before, and longer where that time was not all there. */
  private before(atMs: number, ms: number): number {
    return this.stalls.reduce(
      (from, stall) => stall.fromMs <= atMs && stall.toMs >= atMs - ms ? Math.min(from, stall.fromMs - ms) : from,
      atMs - ms
    )
  }

  /** The same, after. */
  private after(atMs: number, ms: number): number {
    return this.stalls.reduce(
      (to, stall) => stall.toMs >= atMs && stall.fromMs <= atMs + ms ? Math.max(to, stall.toMs + ms) : to,
      atMs + ms
    )
  }
}
