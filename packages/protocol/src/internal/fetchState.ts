/**
 * Which partitions may be fetched, and from where. An answer counts only for the partition, assignment and position that
 * it was asked for: whatever was fetched before a seek, a pause of the group, or under an old assignment is dropped, so no
 * record comes twice or out of turn however late an answer is.
 */
import type { Decoding } from "@weft/kafka/RecordBatch"
import { keyOf, type PartitionOffset, type TopicPartition } from "@weft/kafka/TopicPartition"

class Partition {
  readonly topic: string
  readonly partition: number
  position = 0n
  started = false
  paused = false
  /** Rises whenever what is under way no longer counts. */
  version = 0
  /** What is left of the last answer, since a pause came in the middle of it. */
  rest: { readonly ticket: Ticket; readonly decoding: Decoding } | undefined = undefined
  /** How many bytes the next record batch has, where the last answer had too few. */
  neededBytes = 0
  /** Not before this time, after an error of this partition alone. */
  notBefore = 0
  /** Since when it is held back: it may go on at any moment. */
  heldBackSince: number
  constructor(topic: string, partition: number, now: number) {
    this.topic = topic
    this.partition = partition
    this.heldBackSince = now
  }
  get fetchable(): boolean {
    return this.started && !this.paused
  }
  /** What is under way no longer counts. */
  renew(started: boolean): void {
    this.started = started
    this.version++
    this.rest = undefined
    this.neededBytes = 0
  }
}

/** What a fetch was asked for. */
export interface Ticket {
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  readonly version: number
  /** An answer of fewer bytes would be of no use. */
  readonly neededBytes: number
}

export interface FetchRound {
  readonly tickets: ReadonlyArray<Ticket>
  /** A partition of this broker was held back a moment ago: the broker should not be kept waiting for long. */
  readonly brief: boolean
  /** There are more partitions to ask this broker for: it should not be kept waiting at all. */
  readonly isPart: boolean
}

/** A pause that lasts longer than this is no longer expected to end at any moment. */
const briefForMs = 1000

export class FetchState {
  private partitions = new Map<string, Partition>()

  get size(): number {
    return this.partitions.size
  }

  topics(): ReadonlySet<string> {
    return new Set([...this.partitions.values()].map(({ topic }) => topic))
  }

  /** The partitions held from now on. Nothing is fetched until `keep` or `start` says from where; pauses of kept ones last. */
  assign(partitions: ReadonlyArray<TopicPartition>, now: number): void {
    const next = new Map<string, Partition>()
    for (const { partition, topic } of partitions) {
      const key = keyOf(topic, partition)
      const one = this.partitions.get(key) ?? new Partition(topic, partition, now)
      one.renew(false)
      one.heldBackSince = now
      next.set(key, one)
    }
    this.partitions = next
  }

  /**
   * The same, and what stays may go on undisturbed, where `keep` answers it with the position that it has: for a protocol that
   * moves only what has to move.
   */
  reassign(
    partitions: ReadonlyArray<TopicPartition>,
    now: number,
    keep: () => ReadonlyArray<PartitionOffset>
  ): void {
    const next = new Map<string, Partition>()
    const staying: Array<Partition> = []
    for (const { partition, topic } of partitions) {
      const key = keyOf(topic, partition)
      const known = this.partitions.get(key)
      if (known !== undefined) staying.push(known)
      next.set(key, known ?? new Partition(topic, partition, now))
    }
    this.partitions = next
    const kept = new Map(keep().map((position) => [keyOf(position.topic, position.partition), position]))
    for (const one of staying) {
      const key = keyOf(one.topic, one.partition)
      const position = kept.get(key)
      if (position === undefined) one.renew(false)
      else if (one.started && one.position === position.offset) kept.delete(key)
    }
    this.keep([...kept.values()])
  }

  /** Nothing is fetched of these (or of all) until the next assignment, and what is under way no longer counts. */
  hold(partitions?: ReadonlyArray<TopicPartition>): void {
    if (partitions === undefined) { for (const one of this.partitions.values()) one.renew(false) }
    else for (const { partition, topic } of partitions) this.partitions.get(keyOf(topic, partition))?.renew(false)
  }

  /** Lost: a partition that comes back does so as a new one. */
  clear(): void {
    this.partitions = new Map()
  }

  /** Goes on from there, unless paused. */
  keep(positions: ReadonlyArray<PartitionOffset>): void {
    for (const { offset, partition, topic } of positions) {
      const one = this.partitions.get(keyOf(topic, partition))
      if (one === undefined) continue
      one.position = offset
      one.renew(true)
      one.notBefore = 0
    }
  }

  start(positions: ReadonlyArray<PartitionOffset>): void {
    this.keep(positions)
    for (const { partition, topic } of positions) {
      const one = this.partitions.get(keyOf(topic, partition))
      if (one !== undefined) one.paused = false
    }
  }

  pause(partitions: ReadonlyArray<TopicPartition>, now: number): void {
    for (const { partition, topic } of partitions) {
      const one = this.partitions.get(keyOf(topic, partition))
      if (one === undefined || one.paused) continue
      one.paused = true
      one.heldBackSince = now
    }
  }

  resume(partitions: ReadonlyArray<TopicPartition>): void {
    for (const { partition, topic } of partitions) {
      const one = this.partitions.get(keyOf(topic, partition))
      if (one !== undefined) one.paused = false
    }
  }

  /** Takes what is left of answers to partitions that may go on. */
  leftovers(): ReadonlyArray<{ readonly ticket: Ticket; readonly decoding: Decoding }> {
    const taken: Array<{ readonly ticket: Ticket; readonly decoding: Decoding }> = []
    for (const one of this.partitions.values()) {
      if (one.rest === undefined || !one.fetchable) continue
      taken.push(one.rest)
      one.rest = undefined
    }
    return taken
  }

  /** Nothing is fetched for the partition before this is taken again. */
  keepRest(ticket: Ticket, decoding: Decoding): void {
    const one = this.partitions.get(keyOf(ticket.topic, ticket.partition))
    if (one === undefined) return
    decoding.detach()
    one.rest = { ticket, decoding }
  }

  /**
   * What to ask each broker for; partitions without a leader come under `undefined`. `wakeAt` is when a partition that
   * waits out an error may be asked for again. `most`: for how many partitions a broker is asked at once.
   */
  rounds(
    leaderOf: (topic: string, partition: number) => number | undefined,
    now: number,
    most: (leader: number | undefined) => number = () => Infinity
  ): { readonly byLeader: ReadonlyMap<number | undefined, FetchRound>; readonly wakeAt: number | undefined } {
    const byLeader = new Map<
      number | undefined,
      { readonly tickets: Array<Ticket>; readonly most: number; brief: boolean; isPart: boolean }
    >()
    let wakeAt: number | undefined
    for (const one of this.partitions.values()) {
      const { neededBytes, notBefore, partition, position, rest, topic, version } = one
      if (rest !== undefined && one.fetchable) continue
      if (one.fetchable && notBefore > now) {
        wakeAt = Math.min(wakeAt ?? notBefore, notBefore)
        continue
      }
      const leader = leaderOf(topic, partition)
      let round = byLeader.get(leader)
      if (round === undefined) {
        round = { tickets: [], most: most(leader), brief: false, isPart: false }
        byLeader.set(leader, round)
      }
      if (one.fetchable) {
        if (round.tickets.length < round.most) round.tickets.push({ topic, partition, position, version, neededBytes })
        else round.isPart = true
      } else if (now - one.heldBackSince < briefForMs) round.brief = true
    }
    for (const [leader, { tickets }] of byLeader) if (tickets.length === 0) byLeader.delete(leader)
    return { byLeader, wakeAt }
  }

  /** Nothing has changed since the ticket was written, nor has another broker answered for the same position. */
  isCurrent(ticket: Ticket): boolean {
    const one = this.partitions.get(keyOf(ticket.topic, ticket.partition))
    return one !== undefined && one.version === ticket.version && one.position === ticket.position
  }

  /** The same, and nobody has paused it. */
  isWanted(ticket: Ticket): boolean {
    return this.isCurrent(ticket) && this.partitions.get(keyOf(ticket.topic, ticket.partition))!.fetchable
  }

  /**
   * The next fetch goes on from there. One batch that was under way when a pause came still counts. Brokers fill an answer
   * in the order in which they are asked, so whoever got something is asked for last the next time.
   */
  advance(ticket: Ticket, nextOffset: bigint): Ticket {
    const key = keyOf(ticket.topic, ticket.partition)
    const one = this.partitions.get(key)
    if (one !== undefined) {
      one.position = nextOffset
      one.neededBytes = 0
      this.partitions.delete(key)
      this.partitions.set(key, one)
    }
    return { ...ticket, position: nextOffset, neededBytes: 0 }
  }

  /** The next answer has to bring so many bytes, lest it is of no use. */
  needs(ticket: Ticket, bytes: number): void {
    const one = this.partitions.get(keyOf(ticket.topic, ticket.partition))
    if (one !== undefined) one.neededBytes = bytes
  }

  /** Out of range: nothing more until `start`. */
  halt(ticket: Ticket): void {
    const one = this.partitions.get(keyOf(ticket.topic, ticket.partition))
    if (one === undefined) return
    one.renew(false)
  }

  backOff(ticket: Ticket, until: number): void {
    const one = this.partitions.get(keyOf(ticket.topic, ticket.partition))
    if (one !== undefined) one.notBefore = until
  }
}
