/**
 * Who gets which partition: the strategies by which the leader of a group shares out, as pure functions. The result
 * depends on nothing but the arguments; members and topics are taken in the order of their names.
 */
import type { AssignmentStrategy } from "@weft/kafka/ConsumerSettings"
import * as TopicPartition from "@weft/kafka/TopicPartition"

/** What a member tells the leader when it joins. */
export interface MemberTopics {
  readonly memberId: string
  readonly topics: ReadonlyArray<string>
  /** What it held when it joined, for the sticky strategy. */
  readonly owned: ReadonlyArray<TopicPartition.TopicPartition>
  /** The generation in which it held it, -1 where it held nothing: of two that claim a partition the newer is right. */
  readonly ownedGeneration: number
}

/** For each member its partitions; every member is in it. */
export type Shares = ReadonlyMap<string, ReadonlyArray<TopicPartition.TopicPartition>>

/** How many partitions a topic has; 0 where it does not exist. */
export type PartitionCounts = ReadonlyMap<string, number>

export type Strategy = Exclude<AssignmentStrategy, "cooperative-sticky">

export const strategies: ReadonlyArray<Strategy> = ["range", "roundrobin", "sticky"]

const byName = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

const sortedMembers = (members: ReadonlyArray<MemberTopics>): ReadonlyArray<MemberTopics> =>
  [...members].sort((a, b) => byName(a.memberId, b.memberId))

const subscribedTopics = (members: ReadonlyArray<MemberTopics>): ReadonlyArray<string> =>
  [...new Set(members.flatMap((m) => m.topics))].sort(byName)

const emptyShares = (members: ReadonlyArray<MemberTopics>): Map<string, Array<TopicPartition.TopicPartition>> =>
  new Map(sortedMembers(members).map((m) => [m.memberId, []]))

/** Each topic by itself: consecutive partitions to the members in their order, the first ones get one more. */
const range = (members: ReadonlyArray<MemberTopics>, counts: PartitionCounts): Shares => {
  const shares = emptyShares(members)
  const inOrder = sortedMembers(members)
  for (const topic of subscribedTopics(members)) {
    const takers = inOrder.filter((m) => m.topics.includes(topic))
    const count = counts.get(topic) ?? 0
    const each = Math.floor(count / takers.length)
    const more = count % takers.length
    let partition = 0
    takers.forEach((member, i) => {
      const last = partition + each + (i < more ? 1 : 0)
      for (; partition < last; partition++) shares.get(member.memberId)!.push(TopicPartition.make(topic, partition))
    })
  }
  return shares
}

/** All partitions of all topics in turn. */
const roundrobin = (members: ReadonlyArray<MemberTopics>, counts: PartitionCounts): Shares => {
  const shares = emptyShares(members)
  const inOrder = sortedMembers(members)
  let turn = 0
  for (const topic of subscribedTopics(members)) {
    for (let partition = 0; partition < (counts.get(topic) ?? 0); partition++) {
      while (!inOrder[turn % inOrder.length]!.topics.includes(topic)) turn++
      shares.get(inOrder[turn % inOrder.length]!.memberId)!.push(TopicPartition.make(topic, partition))
      turn++
    }
  }
  return shares
}

/**
 * Everyone keeps what it holds as far as balance allows: first what is held by the newest claim, then what is free goes
 * to whoever has least, then from the richest to the poorest until no two that could share differ by more than one.
 */
const sticky = (members: ReadonlyArray<MemberTopics>, counts: PartitionCounts): Shares => {
  const shares = emptyShares(members)
  const inOrder = sortedMembers(members)
  const owner = new Map<string, MemberTopics>()
  for (const member of inOrder) {
    for (const { key, partition, topic } of member.owned) {
      if (partition >= (counts.get(topic) ?? 0) || !member.topics.includes(topic)) continue
      const other = owner.get(key)
      if (other === undefined || other.ownedGeneration < member.ownedGeneration) owner.set(key, member)
    }
  }
  const count = (member: MemberTopics): number => shares.get(member.memberId)!.length
  const poorest = (takers: ReadonlyArray<MemberTopics>): MemberTopics =>
    takers.reduce((least, member) => count(member) < count(least) ? member : least)
  const free: Array<TopicPartition.TopicPartition> = []
  for (const topic of subscribedTopics(members)) {
    for (let partition = 0; partition < (counts.get(topic) ?? 0); partition++) {
      const it = TopicPartition.make(topic, partition)
      const keeper = owner.get(it.key)
      if (keeper === undefined) free.push(it)
      else shares.get(keeper.memberId)!.push(it)
    }
  }
  for (const it of free) shares.get(poorest(inOrder.filter((m) => m.topics.includes(it.topic))).memberId)!.push(it)
  // One at a time and always from the richest that can give, so that nothing is moved to be moved again.
  const moveOne = (): boolean => {
    for (const rich of [...inOrder].sort((a, b) => count(b) - count(a))) {
      const mine = shares.get(rich.memberId)!
      for (let i = mine.length - 1; i >= 0; i--) {
        const poor = poorest(inOrder.filter((m) => m.topics.includes(mine[i]!.topic)))
        if (count(poor) + 1 >= mine.length) continue
        shares.get(poor.memberId)!.push(...mine.splice(i, 1))
        return true
      }
    }
    return false
  }
  let moved = true
  while (moved) moved = moveOne()
  return shares
}

export const assign = (strategy: Strategy, members: ReadonlyArray<MemberTopics>, counts: PartitionCounts): Shares => {
  switch (strategy) {
    case "range":
      return range(members, counts)
    case "roundrobin":
      return roundrobin(members, counts)
    case "sticky":
      return sticky(members, counts)
  }
}
