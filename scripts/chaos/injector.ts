/** Carries faults out, and undoes them. */
import { setTimeout as sleep } from "node:timers/promises"
import type { KafkaServer } from "../servers/kafkaServer.ts"
import type { PostgresServer } from "../servers/postgres.ts"
import type { Blame, Happened } from "./blame.ts"
import { type Change, drawChange, type GroupProtocol, setRow } from "./configRow.ts"
import { draws } from "./draws.ts"
import type { Fleet } from "./fleet.ts"
import type { Member } from "./member.ts"
import type { FaultKind, PlannedFault } from "./plan.ts"

export interface InjectorOptions {
  readonly fleet: Fleet
  readonly kafka: KafkaServer
  readonly postgres: PostgresServer
  readonly databaseUrl: string
  readonly service: string
  /** What the row says at first. */
  readonly protocol: GroupProtocol
  readonly members: number
  /** Whether the group has done any work yet. */
  readonly isAtWork: () => boolean
  readonly blame: Blame
  readonly log: (text: string) => void
  readonly signal: AbortSignal
}

/** How long a fault waits for somebody whom it can hit. */
const patienceMs = 30_000

export class Injector {
  private readonly options: InjectorOptions
  /** Brokers one at a time, or nothing would be left; the database too. */
  private brokers: Promise<void> = Promise.resolve()
  private database: Promise<void> = Promise.resolve()
  private readonly underWay = new Set<Promise<void>>()
  private protocol: GroupProtocol

  constructor(options: InjectorOptions) {
    this.options = options
    this.protocol = options.protocol
  }

  /** Carries the plan out, from now on; ends when everything is undone. */
  async run(plan: ReadonlyArray<PlannedFault>): Promise<void> {
    const startedAt = Date.now()
    for (const fault of plan) {
      await this.wait(startedAt + fault.atMs - Date.now())
      if (this.options.signal.aborted) break
      const one = this.carryOut(fault)
      this.underWay.add(one)
      void one.finally(() => this.underWay.delete(one))
    }
    await Promise.all(this.underWay)
  }

  private carryOut(fault: PlannedFault): Promise<void> {
    switch (fault.kind) {
      case "kill":
        return this.kill(fault)
      case "freeze":
        return this.freeze(fault)
      case "terminate":
        return this.terminate(fault)
      case "scale":
        return this.scale(fault)
      case "broker":
        return this.brokers = this.brokers.then(() => this.broker(fault))
      case "postgres":
        return this.database = this.database.then(() => this.outage(fault))
      case "configure":
        return this.database = this.database.then(() =>
          this.configure(drawChange(draws(String(fault.pick))), "configure")
        )
      case "protocol":
        return this.database = this.database.then(() => this.toggle())
    }
  }

  private async kill(fault: PlannedFault): Promise<void> {
    const member = await this.take(fault.pick)
    if (member === undefined) return
    const happened = this.begin("kill", `kill -9 ${member.name}`, member)
    await member.kill()
    happened.endedAt = Date.now()
    await this.wait(fault.lastsMs)
    this.options.fleet.start()
  }

  private async freeze(fault: PlannedFault): Promise<void> {
    const member = await this.take(fault.pick)
    if (member === undefined) return
    const happened = this.begin("freeze", `SIGSTOP ${member.name} for ${fault.lastsMs} ms`, member)
    member.signal("SIGSTOP")
    await this.wait(fault.lastsMs)
    member.signal("SIGCONT")
    happened.endedAt = Date.now()
    // It goes on; from now on its end would be a surprise again.
    member.isTaken = false
  }

  private async terminate(fault: PlannedFault): Promise<void> {
    const member = await this.take(fault.pick)
    if (member === undefined) return
    const happened = this.begin("terminate", `SIGTERM ${member.name}`, member)
    await this.options.fleet.terminate(member)
    happened.endedAt = Date.now()
    await this.wait(fault.lastsMs)
    this.options.fleet.start()
  }

  /** One more where there are as many as at first, or less; else one less. */
  private async scale(fault: PlannedFault): Promise<void> {
    const { fleet, members } = this.options
    if (fleet.members.size <= members && (fault.pick < 0.75 || fleet.members.size < members)) {
      const member = fleet.start()
      this.begin("scale", `up to ${fleet.members.size}: ${member.name}`, member).endedAt = Date.now()
      return
    }
    const member = await this.take(fault.pick)
    if (member === undefined) return
    const happened = this.begin("scale", `down to ${fleet.members.size - 1}: ${member.name}`, member)
    await fleet.terminate(member)
    happened.endedAt = Date.now()
  }

  private async broker(fault: PlannedFault): Promise<void> {
    const { nodes } = this.options.kafka
    if (nodes.length < 2 || this.options.signal.aborted) return
    const node = nodes[Math.floor(fault.pick * nodes.length)]!
    const isCrash = Math.floor(fault.pick * 1_000) % 3 > 0
    const happened = this.begin("broker", `${isCrash ? "kill -9" : "stop"} broker ${node.id}`, undefined)
    await (isCrash ? node.kill() : node.stop())
    await this.wait(fault.lastsMs)
    if (this.options.signal.aborted) return
    await node.restart()
    happened.endedAt = Date.now()
    this.options.log(`broker ${node.id} is back after ${happened.endedAt - happened.startedAt} ms`)
  }

  private async outage(fault: PlannedFault): Promise<void> {
    const { postgres } = this.options
    if (!postgres.isOurs || this.options.signal.aborted) return
    const happened = this.begin("postgres", `Postgres stopped for ${fault.lastsMs} ms`, undefined)
    await postgres.halt()
    await this.wait(fault.lastsMs)
    if (this.options.signal.aborted) return
    await postgres.restart()
    happened.endedAt = Date.now()
  }

  private async toggle(): Promise<void> {
    // What nobody has spoken yet is not changed.
    for (let i = 0; i < 300 && !this.options.isAtWork() && !this.options.signal.aborted; i++) await sleep(100)
    this.protocol = this.protocol === "classic" ? "consumer" : "classic"
    await this.configure({ group_protocol: this.protocol }, "protocol")
  }

  private async configure(change: Change, kind: "configure" | "protocol"): Promise<void> {
    if (this.options.signal.aborted) return
    const happened = this.begin(kind, `configuration ${JSON.stringify(change)}`, undefined)
    await setRow(this.options.databaseUrl, this.options.service, change)
    happened.endedAt = Date.now()
  }

  private begin(kind: FaultKind, what: string, member: Member | undefined): Happened {
    const happened: Happened = {
      kind,
      what,
      member: member?.name,
      startedAt: Date.now(),
      endedAt: undefined,
      repeats: 0
    }
    this.options.blame.add(happened)
    this.options.log(what)
    return happened
  }

  /** A member to hit; one of the others stays untouched. */
  private async take(pick: number): Promise<Member | undefined> {
    const deadline = Date.now() + patienceMs
    while (Date.now() < deadline && !this.options.signal.aborted) {
      const member = this.options.fleet.take(pick, 1)
      if (member !== undefined) return member
      await sleep(100)
    }
    return undefined
  }

  private wait(ms: number): Promise<void> {
    return sleep(Math.max(0, ms), undefined, { signal: this.options.signal }).catch(() => undefined)
  }
}
