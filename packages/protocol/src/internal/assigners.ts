/**
 * Who gets which partition: range, round-robin and sticky, as Kafka's own assignors do it, so that members on other
 * clients can share a group with ours. The leader of the group computes it for all.
 */
import type { EagerStrategy } from "../Plan.ts"

export interface Member {
  readonly memberId: string
  readonly topics: ReadonlyArray<string>
  /** What it holds now, as it claims itself, and since which generation; for the sticky strategy alone. */
  readonly owned: ReadonlyMap<string, ReadonlyArray<number>>
  readonly ownedGeneration: number
}

/** Partitions by topic, for each member. */
export type Assignments = ReadonlyMap<string, ReadonlyMap<string, ReadonlyArray<number>>>

export const assign = (
  strategy: EagerStrategy,
  members: ReadonlyArray<Member>,
  partitionCounts: ReadonlyMap<string, number>
): Assignments => {
  const sorted = members.toSorted((a, b) => compare(a.memberId, b.memberId))
  switch (strategy) {
    case "range":
      return range(sorted, partitionCounts)
    case "roundrobin":
      return roundRobin(sorted, partitionCounts)
    case "sticky":
      return sticky(sorted, partitionCounts)
  }
}

/** By code unit, as Java compares strings: members on other clients must sort alike. */
const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

class Building {
  readonly byMember = new Map<string, Map<string, Array<number>>>()
  constructor(members: ReadonlyArray<Member>) {
    for (const { memberId } of members) this.byMember.set(memberId, new Map())
  }
  give(memberId: string, topic: string, partition: number): void {
    const topics = this.byMember.get(memberId)!
    const partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, [partition])
    else partitions.push(partition)
  }
}

const topicsOf = (members: ReadonlyArray<Member>): ReadonlyArray<string> =>
  [...new Set(members.flatMap((member) => member.topics))].sort(compare)

/** Each topic by itself: neighbouring partitions to each member, one more to the first ones where it does not divide. */
const range = (members: ReadonlyArray<Member>, counts: ReadonlyMap<string, number>): Assignments => {
  const building = new Building(members)
  for (const topic of topicsOf(members)) {
    const takers = members.filter((member) => member.topics.includes(topic))
    const count = counts.get(topic) ?? 0
    const each = Math.floor(count / takers.length)
    const more = count % takers.length
    let next = 0
    takers.forEach(({ memberId }, i) => {
      const end = next + each + (i < more ? 1 : 0)
      for (; next < end; next++) building.give(memberId, topic, next)
    })
  }
  return building.byMember
}

/** All partitions of all topics, dealt out in turn to those who subscribe. */
const roundRobin = (members: ReadonlyArray<Member>, counts: ReadonlyMap<string, number>): Assignments => {
  const building = new Building(members)
  let turn = 0
  for (const topic of topicsOf(members)) {
    for (let partition = 0; partition < (counts.get(topic) ?? 0); partition++) {
      while (!members[turn % members.length]!.topics.includes(topic)) turn++
      building.give(members[turn % members.length]!.memberId, topic, partition)
      turn++
    }
  }
  return building.byMember
}

interface Share {
  readonly member: Member
  readonly subscribed: ReadonlySet<string>
  /** In the order in which they were taken: what was owned before comes first, and is given away last. */
  readonly held: Array<{ readonly topic: string; readonly partition: number }>
}

/**
 * Everyone keeps what is theirs; what nobody holds goes to whoever has least; then the fullest give to the emptiest until
 * nobody who could take one has two less. Only a surplus moves.
 */
const sticky = (members: ReadonlyArray<Member>, counts: ReadonlyMap<string, number>): Assignments => {
  const shares = members.map((member): Share => ({ member, subscribed: new Set(member.topics), held: [] }))
  const owners = currentOwners(shares, counts)
  const unowned: Array<{ readonly topic: string; readonly partition: number }> = []
  for (const topic of topicsOf(members)) {
    for (let partition = 0; partition < (counts.get(topic) ?? 0); partition++) {
      const owner = owners.get(topic)?.get(partition)
      if (owner === undefined) unowned.push({ topic, partition })
      else owner.held.push({ topic, partition })
    }
  }
  // Topics that few can take come first, while there is still room with those few.
  const takers = new Map(topicsOf(members).map((topic) => [topic, shares.filter((s) => s.subscribed.has(topic))]))
  unowned.sort((a, b) => takers.get(a.topic)!.length - takers.get(b.topic)!.length)
  for (const one of unowned) emptiest(takers.get(one.topic)!).held.push(one)
  balance(shares, takers)
  const building = new Building(members)
  for (const { held, member } of shares) {
    for (const { partition, topic } of held) building.give(member.memberId, topic, partition)
  }
  for (const topics of building.byMember.values()) topics.forEach((partitions) => partitions.sort((a, b) => a - b))
  return building.byMember
}

/** Claims that hold: of a partition that exists, in a topic still subscribed to, by the member of the latest generation. */
const currentOwners = (
  shares: ReadonlyArray<Share>,
  counts: ReadonlyMap<string, number>
): ReadonlyMap<string, ReadonlyMap<number, Share>> => {
  const owners = new Map<string, Map<number, Share>>()
  for (const share of shares) {
    for (const [topic, partitions] of share.member.owned) {
      if (!share.subscribed.has(topic)) continue
      const ofTopic = owners.get(topic) ?? new Map<number, Share>()
      owners.set(topic, ofTopic)
      for (const partition of partitions) {
        if (partition >= (counts.get(topic) ?? 0)) continue
        const rival = ofTopic.get(partition)
        if (rival === undefined || rival.member.ownedGeneration < share.member.ownedGeneration) {
          ofTopic.set(partition, share)
        }
      }
    }
  }
  return owners
}

const emptiest = (shares: ReadonlyArray<Share>): Share =>
  shares.reduce((least, share) => share.held.length < least.held.length ? share : least)

/** Each move lowers the sum of squares, so it ends. */
const balance = (shares: ReadonlyArray<Share>, takers: ReadonlyMap<string, ReadonlyArray<Share>>): void => {
  for (let moved = true; moved;) {
    moved = false
    for (const giver of shares.toSorted((a, b) => b.held.length - a.held.length)) {
      const at = giver.held.findLastIndex(({ topic }) =>
        emptiest(takers.get(topic)!).held.length < giver.held.length - 1
      )
      if (at < 0) continue
      const [one] = giver.held.splice(at, 1)
      emptiest(takers.get(one!.topic)!).held.push(one!)
      moved = true
      break
    }
  }
}
