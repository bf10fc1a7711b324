/** The members that run now, and how they come and go. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describeExit, type Exit, Member } from "./member.ts"

export interface FleetOptions {
  readonly environment: Readonly<Record<string, string>>
  readonly logFolder: string
  readonly onViolation: (text: string) => void
}

/** The drain deadline of the longest `max_poll_interval_ms` that is drawn, and some for the rest of the end. */
const endWithinMs = 40_000

export class Fleet {
  readonly members = new Set<Member>()
  private readonly options: FleetOptions
  private readonly logs: Array<string> = []
  private started = 0

  constructor(options: FleetOptions) {
    this.options = options
  }

  start(): Member {
    const name = `member-${++this.started}`
    const member = new Member(name, join(this.options.logFolder, `${name}.log`), this.options.environment)
    this.members.add(member)
    this.logs.push(member.logFile)
    void member.exited.then((exit) => {
      this.members.delete(member)
      if (member.isTaken) return
      this.options.onViolation(`${name} ended by itself, with ${describeExit(exit)}:\n${member.logTail(5)}`)
      this.start()
    })
    return member
  }

  /** One that nobody has plans with; it is taken from then on. Undefined where at least `others` would not be left. */
  take(pick: number, others: number): Member | undefined {
    const free = [...this.members].filter(({ isTaken }) => !isTaken)
    if (free.length <= others) return undefined
    const member = free[Math.floor(pick * free.length)]!
    member.isTaken = true
    return member
  }

  /** SIGTERM; whatever is not a graceful end in time is a violation. */
  async terminate(member: Member): Promise<void> {
    member.isTaken = true
    // However long a busy machine takes to load the program.
    const isYoung = !member.isListening
    const deadline = setTimeout(() => {
      this.options.onViolation(`${member.name} did not end within ${endWithinMs} ms of SIGTERM:\n${member.logTail(5)}`)
      member.signal("SIGKILL")
    }, endWithinMs)
    member.signal("SIGTERM")
    const exit: Exit = await member.exited
    clearTimeout(deadline)
    if (exit.code === 0 || exit.signal === "SIGKILL" || (isYoung && exit.signal === "SIGTERM")) return
    this.options.onViolation(`${member.name} ended on SIGTERM with ${describeExit(exit)}:\n${member.logTail(5)}`)
  }

  /** How many members, also of those that are gone, have said it in their logs. */
  saying(what: RegExp): number {
    return this.logs.filter((file) => what.test(readFileSync(file, "utf8"))).length
  }

  /** The orderly end of all of them. */
  async terminateAll(): Promise<void> {
    await Promise.all([...this.members].map((member) => this.terminate(member)))
  }

  /** The end, whatever state they are in. */
  async stop(): Promise<void> {
    await Promise.all([...this.members].map((member) => {
      member.isTaken = true
      return member.kill()
    }))
  }
}
