/**
 * Who may be processed next. A lane holds what must be processed one after the other: a whole partition, the records of
 * a key, or a single record. Lanes wait in the group of their partition; groups take turns, and within a group lanes
 * do, so that neither a busy partition nor a busy key holds up another. What is taken in is bounded. Pure state: it
 * answers and calls back, and knows neither fibers nor time.
 */
import { Fifo } from "./fifo.ts"

/** One or more records that are worked on together. */
export interface LaneItem {
  /** Records that are not settled. */
  readonly size: number
  /** Forgets the records whose assignment has ended; `false` where none is left. */
  readonly prune: () => boolean
}

/**
 * - `ready`: in line.
 * - `running`: a worker has it.
 * - `parked`: its first item waits for something: the next attempt, an acknowledgement.
 * - `gone`: empty, or its partition was given up.
 */
type LaneState = "ready" | "running" | "parked" | "gone"

export class Lane<T extends LaneItem, O> {
  readonly group: LaneGroup<T, O>
  readonly key: string | undefined
  readonly items = new Fifo<T>()
  state: LaneState = "ready"
  /** Rises with each parking, so that a late wake-up of an earlier one does nothing. */
  parkings = 0
  constructor(group: LaneGroup<T, O>, key: string | undefined) {
    this.group = group
    this.key = key
  }
}

/** The lanes of one assigned partition. */
export class LaneGroup<T extends LaneItem, O> {
  readonly owner: O
  readonly byKey = new Map<string, Lane<T, O>>()
  /** Lanes that are parked, for pruning: those without a key are found nowhere else. */
  readonly parked = new Set<Lane<T, O>>()
  readonly ready = new Fifo<Lane<T, O>>()
  /** Records taken in and not settled. */
  held = 0
  suspended = false
  /** Takes nothing in until nothing is held. */
  draining = false
  closed = false
  /** In the ring of groups that have something ready. */
  inRing = false
  /** Asked for room and got none. */
  waiting = false
  /** In line for the total to fall. */
  inBlocked = false
  constructor(owner: O) {
    this.owner = owner
  }
}

export interface KeyLanesOptions<T extends LaneItem, O> {
  /** The most records in all groups together. */
  readonly maxInFlight: () => number
  /** The most records in one group, whatever its share of `maxInFlight`. */
  readonly groupMax: () => number
  /** A group that asked for room has some. */
  readonly onRoom: (group: LaneGroup<T, O>) => void
}

export class KeyLanes<T extends LaneItem, O> {
  private readonly options: KeyLanesOptions<T, O>
  private readonly groups = new Set<LaneGroup<T, O>>()
  private readonly ring = new Fifo<LaneGroup<T, O>>()
  /** Groups that wait for the total to fall. */
  private readonly blocked = new Fifo<LaneGroup<T, O>>()
  total = 0
  /** How many lanes are in line and may be run: whoever takes anything in asks for it, however many groups there are. */
  ready = 0

  constructor(options: KeyLanesOptions<T, O>) {
    this.options = options
  }

  /** Adds the group of a new partition. The shares of the others become smaller. */
  open(owner: O): LaneGroup<T, O> {
    const group = new LaneGroup<T, O>(owner)
    this.groups.add(group)
    return group
  }

  /** Removes a group with everything in it that no worker has. */
  close(group: LaneGroup<T, O>): void {
    if (group.closed) return
    if (!group.suspended) this.ready -= group.ready.size
    group.closed = true
    this.groups.delete(group)
    this.total -= group.held
    group.held = 0
    group.byKey.clear()
    group.parked.clear()
    group.ready.retain(() => false)
    this.reconsider()
  }

  /** How many records a group may take in now. Where it is none, `onRoom` tells when to ask again. */
  room(group: LaneGroup<T, O>): number {
    const own = this.isDraining(group) ? 0 : this.quota() - group.held
    const all = this.options.maxInFlight() - this.total
    const room = Math.max(0, Math.min(own, all))
    if (room === 0 && !group.closed) {
      group.waiting = true
      if (all <= 0) this.block(group)
    }
    return room
  }

  /** The bounds have changed: everyone who waits asks again. */
  reconsider(): void {
    for (const group of this.groups) this.grant(group)
  }

  /** Counts records that were taken in; they count until they are `settled`. */
  hold(group: LaneGroup<T, O>, records: number): void {
    group.held += records
    this.total += records
  }

  /** Adds an item whose records are held, at the end of its key's lane; without a key it gets a lane of its own. */
  add(group: LaneGroup<T, O>, key: string | undefined, item: T): void {
    const lane = key === undefined ? undefined : group.byKey.get(key)
    if (lane !== undefined) return lane.items.push(item)
    const made = new Lane(group, key)
    made.items.push(item)
    if (key !== undefined) group.byKey.set(key, made)
    this.enqueue(made)
  }

  /** The next lane, for a worker; it has a first item. */
  next(): Lane<T, O> | undefined {
    for (let group = this.ring.shift(); group !== undefined; group = this.ring.shift()) {
      group.inRing = false
      if (group.suspended || group.closed) continue
      const lane = group.ready.shift()
      if (lane === undefined) continue
      lane.state = "running"
      this.ready--
      if (group.ready.isEmpty) this.grantIfLow(group)
      else this.enterRing(group)
      return lane
    }
    return undefined
  }

  /** Held records are settled, or forgotten. */
  settled(group: LaneGroup<T, O>, records: number): void {
    if (group.closed) return
    group.held -= records
    this.total -= records
    this.grantIfLow(group)
    if (!this.blocked.isEmpty) this.grantBlocked()
  }

  /** The first item is done with, settled or not: the lane goes to the end of the line, or away. */
  finish(lane: Lane<T, O>): void {
    lane.items.shift()
    this.requeue(lane)
  }

  /** Back to the end of the line, with what it has. */
  requeue(lane: Lane<T, O>): void {
    if (lane.group.closed || lane.items.isEmpty) return this.remove(lane)
    lane.state = "ready"
    this.enqueue(lane)
  }

  /** The lane waits until `unpark` with the number that this answers. */
  park(lane: Lane<T, O>): number {
    lane.state = "parked"
    if (!lane.group.closed) lane.group.parked.add(lane)
    return ++lane.parkings
  }

  /** `false` where that parking has ended already. */
  unpark(lane: Lane<T, O>, parking: number): boolean {
    if (lane.state !== "parked" || lane.parkings !== parking) return false
    lane.group.parked.delete(lane)
    this.requeue(lane)
    return true
  }

  /** No lane of the group is run until `resume`. */
  suspend(group: LaneGroup<T, O>): void {
    if (!group.suspended && !group.closed) this.ready -= group.ready.size
    group.suspended = true
  }

  resume(group: LaneGroup<T, O>): void {
    if (group.suspended && !group.closed) this.ready += group.ready.size
    group.suspended = false
    if (!group.ready.isEmpty) this.enterRing(group)
  }

  /** Forgets records whose assignment has ended (all but those that a worker has). */
  prune(group: LaneGroup<T, O>): void {
    const parked = [...group.parked]
    const keyed = [...group.byKey.values()].filter((lane) => lane.state === "running")
    for (const lane of keyed) this.pruneItems(lane, lane.items.first)
    for (const lane of parked) {
      this.pruneItems(lane, undefined)
      if (!lane.items.isEmpty) continue
      group.parked.delete(lane)
      this.remove(lane)
    }
    const before = group.ready.size
    group.ready.retain((lane) => {
      this.pruneItems(lane, undefined)
      if (lane.items.isEmpty) this.remove(lane)
      return !lane.items.isEmpty
    })
    if (!group.suspended && !group.closed) this.ready += group.ready.size - before
    this.grant(group)
  }

  private pruneItems(lane: Lane<T, O>, running: T | undefined): void {
    const group = lane.group
    lane.items.retain((item) => {
      if (item === running) return true
      const before = item.size
      const kept = item.prune()
      this.hold(group, (kept ? item.size : 0) - before)
      return kept
    })
  }

  private remove(lane: Lane<T, O>): void {
    lane.state = "gone"
    if (lane.key !== undefined && lane.group.byKey.get(lane.key) === lane) lane.group.byKey.delete(lane.key)
  }

  private enqueue(lane: Lane<T, O>): void {
    const { group } = lane
    group.ready.push(lane)
    if (!group.suspended && !group.closed) this.ready++
    this.enterRing(group)
  }

  private enterRing(group: LaneGroup<T, O>): void {
    if (group.inRing || group.suspended || group.closed) return
    group.inRing = true
    this.ring.push(group)
  }

  private quota(): number {
    const share = Math.floor(this.options.maxInFlight() / Math.max(1, this.groups.size))
    return Math.min(this.options.groupMax(), Math.max(1, share))
  }

  /**
   * Taking records in one by one as each is settled would make many small batches: a group waits until a quarter of its
   * share is free, or until none of its lanes is in line.
   */
  private grantIfLow(group: LaneGroup<T, O>): void {
    if (!group.waiting) return
    const quota = this.quota()
    if (group.ready.isEmpty || quota - group.held >= quota / 4) this.grant(group)
  }

  private grant(group: LaneGroup<T, O>): void {
    if (!this.isWanting(group)) return
    if (this.total >= this.options.maxInFlight()) return this.block(group)
    group.waiting = false
    this.options.onRoom(group)
  }

  private isDraining(group: LaneGroup<T, O>): boolean {
    return group.draining && group.held > 0
  }

  /** Waits for room, and has some of its own. */
  private isWanting(group: LaneGroup<T, O>): boolean {
    return group.waiting && !group.closed && !this.isDraining(group) && group.held < this.quota()
  }

  private block(group: LaneGroup<T, O>): void {
    if (group.inBlocked) return
    group.inBlocked = true
    this.blocked.push(group)
  }

  /** The total has fallen: the first that can use it gets it. One whose own share is used up waits for that instead. */
  private grantBlocked(): void {
    while (this.total < this.options.maxInFlight()) {
      const group = this.blocked.shift()
      if (group === undefined) return
      group.inBlocked = false
      if (!this.isWanting(group)) continue
      return this.grant(group)
    }
  }
}
