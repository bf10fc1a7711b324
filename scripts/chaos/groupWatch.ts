/** Sees when the coordinator converts the group from one protocol to the other. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Blame } from "./blame.ts"
import type { GroupProtocol } from "./configRow.ts"

/** A group that was of the other protocol when it was last looked at, and is of this one now. */
export interface Conversion {
  readonly to: GroupProtocol
  readonly afterMs: number
  readonly beforeMs: number
}

/** What a group spoke, from its states as those see them who ask about classic groups alone. Pure. */
export class SpokenProtocol {
  private protocol: GroupProtocol
  private wasSeen = false
  private lastMs = 0

  /** `first`: what its first members speak. */
  constructor(first: GroupProtocol) {
    this.protocol = first
  }

  observe(state: string, askedMs: number, answeredMs: number): Conversion | undefined {
    // To them one of KIP-848's protocol is dead; so is one that nobody has joined yet.
    const isClassic = state !== "Dead"
    const to = isClassic ? "classic" : this.wasSeen ? "consumer" : this.protocol
    const conversion = to === this.protocol ? undefined : { to, afterMs: this.lastMs, beforeMs: answeredMs } as const
    this.wasSeen ||= isClassic
    this.protocol = to
    this.lastMs = askedMs
    return conversion
  }
}

export interface GroupWatchOptions {
  readonly admin: {
    readonly describeGroups: (
      groups: Array<string>
    ) => Promise<{ readonly groups: ReadonlyArray<{ readonly state: string }> }>
  }
  readonly group: string
  readonly first: GroupProtocol
  readonly blame: Blame
  readonly log: (text: string) => void
}

/** A group that is converted for less than that goes unseen. */
const lookEveryMs = 100
/** A coordinator that takes longer for that is slow, or this machine is: for commits as well. */
const answersWithinMs = 500

export class GroupWatch {
  private readonly options: GroupWatchOptions
  private readonly spoken: SpokenProtocol
  private isOver = false
  private watching: Promise<void> = Promise.resolve()
  readonly seen = { classic: 0, consumer: 0 }

  constructor(options: GroupWatchOptions) {
    this.options = options
    this.spoken = new SpokenProtocol(options.first)
  }

  start(): void {
    this.watching = this.watch()
  }

  stop(): Promise<void> {
    this.isOver = true
    return this.watching
  }

  private async watch(): Promise<void> {
    const { admin, blame, group } = this.options
    let lastMs = Date.now()
    while (!this.isOver) {
      // Where no coordinator answers, the next answer tells of all the time since the last one.
      const askedMs = Date.now()
      const state = await admin.describeGroups([group]).then(({ groups }) => groups[0]?.state, () => undefined)
      const answeredMs = Date.now()
      if (answeredMs - lastMs > lookEveryMs + answersWithinMs) blame.stood(lastMs, answeredMs)
      lastMs = answeredMs
      const conversion = state === undefined ? undefined : this.spoken.observe(state, askedMs, answeredMs)
      if (conversion !== undefined) this.tell(conversion)
      await sleep(lookEveryMs)
    }
  }

  private tell({ afterMs, beforeMs, to }: Conversion): void {
    const what = `the group was converted to ${to}`
    this.seen[to]++
    this.options.log(what)
    if (to === "consumer") return
    this.options.blame.add({
      kind: "conversion",
      what,
      member: undefined,
      startedAt: afterMs,
      endedAt: beforeMs,
      repeats: 0
    })
  }
}
