/**
 * The coordinator's side of the classic group protocol, as a state machine: `step(group, now, request)` answers the next
 * group and the replies that are due. No Effect in here, nothing is changed in place, and time is an argument.
 *
 * What a newcomer should know:
 * - A reply may come much later than its request: a join is answered when all have joined, a sync when the leader has
 *   shared out. So each request that can wait has a number, and replies name it.
 * - `PreparingRebalance` takes commits of the old generation, and `CompletingRebalance` takes none. A commit is not
 *   checked against the assignment: a member of the current generation may commit for partitions that it no longer owns.
 * - A member that waits for a join or a sync does not expire: the coordinator holds its request.
 */
import type { TopicPartition } from "@weft/kafka/TopicPartition"
import type { MemberTopics } from "./assignors.ts"

export type GroupStateName = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead"

/** One strategy that a member offers, the preferred one first. */
export interface Protocol {
  readonly name: string
  readonly metadata: Omit<MemberTopics, "memberId">
}

export interface Member {
  readonly memberId: string
  readonly clientId: string
  readonly host: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: ReadonlyArray<Protocol>
  readonly assignment: ReadonlyArray<TopicPartition>
  /** When its session expires, unless it is heard of before. */
  readonly expiresAt: number
  /** The join, or the sync, that waits for its reply. */
  readonly joining: number | undefined
  readonly syncing: number | undefined
}

/** What survives a move of the coordinator: what it has written to `__consumer_offsets`. */
export type Stored = Pick<Group, "generation" | "protocol" | "leader" | "members">

export interface Group {
  readonly groupId: string
  readonly state: GroupStateName
  readonly generation: number
  /** The strategy in force, `undefined` where the group has none. */
  readonly protocol: string | undefined
  readonly leader: string | undefined
  readonly members: ReadonlyMap<string, Member>
  /** Member ids that were handed out and have not joined yet, with the time until which they are kept. */
  readonly pending: ReadonlyMap<string, number>
  /** When the join, or the sync, goes on without those that are missing. */
  readonly deadline: number | undefined
  /** While this lies ahead, a join goes on being open although all that are known have joined. */
  readonly openUntil: number | undefined
  readonly stored: Stored
  /** Numbers the member ids. */
  readonly nextMember: number
}

export interface Limits {
  /** `group.min.session.timeout.ms` and `group.max.session.timeout.ms`. */
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** `group.max.size` */
  readonly maxSize: number
  /** `group.initial.rebalance.delay.ms` */
  readonly initialRebalanceDelayMs: number
}

export interface JoinRequest {
  readonly _tag: "Join"
  readonly request: number
  /** Empty where the member has none yet. */
  readonly memberId: string
  readonly clientId: string
  readonly host: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: ReadonlyArray<Protocol>
}

export interface SyncRequest {
  readonly _tag: "Sync"
  readonly request: number
  readonly memberId: string
  readonly generation: number
  /** The leader's share-out; others send nothing. */
  readonly shares: ReadonlyMap<string, ReadonlyArray<TopicPartition>> | undefined
}

export interface HeartbeatRequest {
  readonly _tag: "Heartbeat"
  readonly request: number
  readonly memberId: string
  readonly generation: number
}

export interface LeaveRequest {
  readonly _tag: "Leave"
  readonly request: number
  readonly memberId: string
}

export type Input =
  | JoinRequest
  | SyncRequest
  | HeartbeatRequest
  | LeaveRequest
  /** Time went by: sessions and deadlines are looked at. */
  | { readonly _tag: "Tick" }
  /** A member's session ends now. */
  | { readonly _tag: "Expire"; readonly memberId: string }
  /** Another broker takes the group over, with what is stored of it. */
  | { readonly _tag: "Move" }
  | { readonly _tag: "Delete" }

export type Reply =
  | { readonly _tag: "Failed"; readonly request: number; readonly code: string; readonly memberId?: string }
  | {
    readonly _tag: "Joined"
    readonly request: number
    readonly memberId: string
    readonly generation: number
    readonly protocol: string
    readonly leader: string
    /** All members for the leader, none for the others. */
    readonly members: ReadonlyArray<MemberTopics>
  }
  | { readonly _tag: "Synced"; readonly request: number; readonly assignment: ReadonlyArray<TopicPartition> }
  | { readonly _tag: "Done"; readonly request: number }

export interface Step {
  readonly group: Group
  readonly replies: ReadonlyArray<Reply>
}

export const make = (groupId: string): Group => ({
  groupId,
  state: "Empty",
  generation: 0,
  protocol: undefined,
  leader: undefined,
  members: new Map(),
  pending: new Map(),
  deadline: undefined,
  openUntil: undefined,
  stored: { generation: 0, protocol: undefined, leader: undefined, members: new Map() },
  nextMember: 1
})

const failed = (request: number, code: string, memberId?: string): Reply =>
  memberId === undefined ? { _tag: "Failed", request, code } : { _tag: "Failed", request, code, memberId }

const refuse = (group: Group, request: number, code: string): Step => ({ group, replies: [failed(request, code)] })

const withMember = (group: Group, member: Member): Group => ({
  ...group,
  members: new Map(group.members).set(member.memberId, member)
})

const heard = (group: Group, member: Member, now: number): Group =>
  withMember(group, { ...member, expiresAt: now + member.sessionTimeoutMs })

/** Joins and syncs are held by the coordinator, so whoever waits for one is alive. */
const waits = (member: Member): boolean => member.joining !== undefined || member.syncing !== undefined

const rebalanceTimeoutMs = (group: Group): number => {
  let most = 0
  for (const member of group.members.values()) most = Math.max(most, member.rebalanceTimeoutMs)
  return most
}

const joinedReply = (group: Group, member: Member, request: number): Reply => ({
  _tag: "Joined",
  request,
  memberId: member.memberId,
  generation: group.generation,
  protocol: group.protocol!,
  leader: group.leader!,
  members: member.memberId !== group.leader
    ? []
    : [...group.members.values()].map((m) => ({ memberId: m.memberId, ...metadataOf(m, group.protocol!) }))
})

const metadataOf = (member: Member, protocol: string): Omit<MemberTopics, "memberId"> =>
  member.protocols.find((p) => p.name === protocol)!.metadata

/** The strategy that all offer and most prefer. */
const vote = (members: Iterable<Member>): string => {
  const all = [...members]
  const common = all[0]!.protocols.map((p) => p.name).filter((name) =>
    all.every((m) => m.protocols.some((p) => p.name === name))
  )
  const votes = new Map<string, number>()
  for (const member of all) {
    const choice = member.protocols.find((p) => common.includes(p.name))!.name
    votes.set(choice, (votes.get(choice) ?? 0) + 1)
  }
  return [...votes].reduce((most, one) => one[1] > most[1] ? one : most)[0]
}

const supportsAll = (group: Group, memberId: string, protocols: ReadonlyArray<Protocol>): boolean => {
  const others = [...group.members.values()].filter((m) => m.memberId !== memberId)
  return protocols.some((p) => others.every((m) => m.protocols.some((q) => q.name === p.name)))
}

const sameProtocols = (a: ReadonlyArray<Protocol>, b: ReadonlyArray<Protocol>): boolean =>
  a.length === b.length &&
  a.every((p, i) =>
    p.name === b[i]!.name && p.metadata.ownedGeneration === b[i]!.metadata.ownedGeneration &&
    p.metadata.topics.join() === b[i]!.metadata.topics.join() &&
    p.metadata.owned.map(String).join() === b[i]!.metadata.owned.map(String).join()
  )

/** A rebalance begins; syncs that wait are sent back to join. */
const prepareRebalance = (group: Group, now: number, limits: Limits): Step => {
  const replies: Array<Reply> = []
  const members = new Map<string, Member>()
  for (const member of group.members.values()) {
    if (member.syncing !== undefined) replies.push(failed(member.syncing, "REBALANCE_IN_PROGRESS"))
    members.set(
      member.memberId,
      member.syncing === undefined
        ? member
        : { ...member, syncing: undefined, expiresAt: now + member.sessionTimeoutMs }
    )
  }
  const next: Group = {
    ...group,
    members,
    state: "PreparingRebalance",
    deadline: now + rebalanceTimeoutMs(group),
    openUntil: group.state === "Empty" && limits.initialRebalanceDelayMs > 0
      ? now + Math.min(limits.initialRebalanceDelayMs, rebalanceTimeoutMs(group))
      : undefined
  }
  return after({ group: next, replies }, completeJoinIfReady(next, now))
}

const after = (first: Step, second: Step): Step => ({
  group: second.group,
  replies: [...first.replies, ...second.replies]
})

const completeJoinIfReady = (group: Group, now: number): Step => {
  if (group.state !== "PreparingRebalance") return { group, replies: [] }
  if (group.openUntil !== undefined && now < group.openUntil) return { group, replies: [] }
  const all = group.pending.size === 0 && [...group.members.values()].every((m) => m.joining !== undefined)
  return all ? completeJoin(group, now) : { group, replies: [] }
}

/** The join ends: who has not joined is out, the generation rises, everyone is answered. */
const completeJoin = (group: Group, now: number): Step => {
  const joined = [...group.members.values()].filter((m) => m.joining !== undefined)
  const generation = group.generation + 1
  if (joined.length === 0) return { group: emptied({ ...group, generation }), replies: [] }
  const replies: Array<Reply> = []
  const members = new Map<string, Member>()
  for (const member of joined) {
    members.set(member.memberId, {
      ...member,
      joining: undefined,
      assignment: [],
      expiresAt: now + member.sessionTimeoutMs
    })
  }
  const next: Group = {
    ...group,
    state: "CompletingRebalance",
    generation,
    protocol: vote(joined),
    leader: group.leader !== undefined && members.has(group.leader) ? group.leader : joined[0]!.memberId,
    members,
    deadline: now + rebalanceTimeoutMs({ ...group, members }),
    openUntil: undefined
  }
  for (const member of joined) replies.push(joinedReply(next, member, member.joining!))
  return { group: next, replies }
}

const emptied = (group: Group): Group => {
  const { generation } = group
  return {
    ...group,
    state: "Empty",
    protocol: undefined,
    leader: undefined,
    members: new Map(),
    deadline: undefined,
    openUntil: undefined,
    stored: { generation, protocol: undefined, leader: undefined, members: new Map() }
  }
}

const join = (group: Group, now: number, input: JoinRequest, limits: Limits): Step => {
  const { memberId, protocols, request, sessionTimeoutMs } = input
  if (group.state === "Dead") return refuse(group, request, "COORDINATOR_NOT_AVAILABLE")
  if (sessionTimeoutMs < limits.minSessionTimeoutMs || sessionTimeoutMs > limits.maxSessionTimeoutMs) {
    return refuse(group, request, "INVALID_SESSION_TIMEOUT")
  }
  const member = group.members.get(memberId)
  if (protocols.length === 0 || !supportsAll(group, memberId, protocols)) {
    return refuse(group, request, "INCONSISTENT_GROUP_PROTOCOL")
  }
  if (
    member === undefined && group.members.size + group.pending.size >= limits.maxSize && !group.pending.has(memberId)
  ) {
    return refuse(group, request, "GROUP_MAX_SIZE_REACHED")
  }
  if (memberId === "") {
    // The member gets its id first and joins with it, so that a join whose answer is lost leaves no ghost (KIP-394).
    const id = `${input.clientId}-${group.nextMember}`
    const pending = new Map(group.pending).set(id, now + sessionTimeoutMs)
    return {
      group: { ...group, pending, nextMember: group.nextMember + 1 },
      replies: [failed(request, "MEMBER_ID_REQUIRED", id)]
    }
  }
  if (member === undefined) {
    if (!group.pending.has(memberId)) return refuse(group, request, "UNKNOWN_MEMBER_ID")
    const pending = new Map(group.pending)
    pending.delete(memberId)
    const next = withMember({ ...group, pending }, {
      memberId,
      clientId: input.clientId,
      host: input.host,
      sessionTimeoutMs,
      rebalanceTimeoutMs: input.rebalanceTimeoutMs,
      protocols,
      assignment: [],
      expiresAt: now + sessionTimeoutMs,
      joining: request,
      syncing: undefined
    })
    return next.state === "PreparingRebalance" ? completeJoinIfReady(next, now) : prepareRebalance(next, now, limits)
  }
  // A client that asks again has given up its first request; what waited is answered by nothing but the new one.
  const again = withMember(group, {
    ...member,
    clientId: input.clientId,
    sessionTimeoutMs,
    rebalanceTimeoutMs: input.rebalanceTimeoutMs,
    protocols,
    joining: request,
    syncing: undefined,
    expiresAt: now + sessionTimeoutMs
  })
  switch (group.state) {
    case "PreparingRebalance":
      return completeJoinIfReady(again, now)
    case "CompletingRebalance":
      // The answer to its join was lost: it gets the same again.
      if (sameProtocols(member.protocols, protocols)) {
        return { group: heard(group, member, now), replies: [joinedReply(group, member, request)] }
      }
      return prepareRebalance(again, now, limits)
    case "Stable":
      if (memberId === group.leader || !sameProtocols(member.protocols, protocols)) {
        return prepareRebalance(again, now, limits)
      }
      return { group: heard(group, member, now), replies: [joinedReply(group, member, request)] }
    case "Empty":
      return refuse(group, request, "UNKNOWN_MEMBER_ID")
  }
}

const sync = (group: Group, now: number, input: SyncRequest): Step => {
  const { generation, memberId, request, shares } = input
  const member = group.members.get(memberId)
  if (group.state === "Dead") return refuse(group, request, "COORDINATOR_NOT_AVAILABLE")
  if (member === undefined) return refuse(group, request, "UNKNOWN_MEMBER_ID")
  if (generation !== group.generation) return refuse(group, request, "ILLEGAL_GENERATION")
  switch (group.state) {
    case "Empty":
      return refuse(group, request, "UNKNOWN_MEMBER_ID")
    case "PreparingRebalance":
      return refuse(group, request, "REBALANCE_IN_PROGRESS")
    case "Stable":
      return {
        group: heard(group, member, now),
        replies: [{ _tag: "Synced", request, assignment: member.assignment }]
      }
    case "CompletingRebalance": {
      const waiting = withMember(group, { ...member, syncing: request })
      if (memberId !== group.leader || shares === undefined) return { group: waiting, replies: [] }
      const replies: Array<Reply> = []
      const members = new Map<string, Member>()
      for (const one of waiting.members.values()) {
        const assignment = shares.get(one.memberId) ?? []
        if (one.syncing !== undefined) replies.push({ _tag: "Synced", request: one.syncing, assignment })
        members.set(one.memberId, {
          ...one,
          assignment,
          // Who has still to sync keeps the session that runs.
          expiresAt: one.syncing === undefined ? one.expiresAt : now + one.sessionTimeoutMs,
          syncing: undefined
        })
      }
      const { leader, protocol } = group
      return {
        group: {
          ...waiting,
          state: "Stable",
          members,
          deadline: undefined,
          stored: { generation, protocol, leader, members }
        },
        replies
      }
    }
  }
}

const heartbeat = (group: Group, now: number, input: HeartbeatRequest): Step => {
  const { generation, memberId, request } = input
  const member = group.members.get(memberId)
  if (group.state === "Dead") return refuse(group, request, "COORDINATOR_NOT_AVAILABLE")
  if (member === undefined || group.state === "Empty") return refuse(group, request, "UNKNOWN_MEMBER_ID")
  if (generation !== group.generation) return refuse(group, request, "ILLEGAL_GENERATION")
  return {
    group: heard(group, member, now),
    replies: [
      group.state === "PreparingRebalance" ? failed(request, "REBALANCE_IN_PROGRESS") : { _tag: "Done", request }
    ]
  }
}

/** Takes a member out, by its own wish or because its session expired. */
const remove = (group: Group, now: number, memberId: string, limits: Limits): Step => {
  const member = group.members.get(memberId)
  if (member === undefined) return { group, replies: [] }
  const members = new Map(group.members)
  members.delete(memberId)
  const replies: Array<Reply> = []
  if (member.joining !== undefined) replies.push(failed(member.joining, "UNKNOWN_MEMBER_ID"))
  if (member.syncing !== undefined) replies.push(failed(member.syncing, "UNKNOWN_MEMBER_ID"))
  const next = { ...group, members }
  const gone = { group: next, replies }
  switch (group.state) {
    case "Stable":
    case "CompletingRebalance":
      return after(gone, prepareRebalance(next, now, limits))
    case "PreparingRebalance":
      return after(gone, completeJoinIfReady(next, now))
    case "Empty":
    case "Dead":
      return gone
  }
}

const leave = (group: Group, now: number, input: LeaveRequest, limits: Limits): Step => {
  const { memberId, request } = input
  const done: Reply = { _tag: "Done", request }
  if (group.state === "Dead") return refuse(group, request, "COORDINATOR_NOT_AVAILABLE")
  if (group.pending.has(memberId)) {
    const pending = new Map(group.pending)
    pending.delete(memberId)
    const next = { ...group, pending }
    return after({ group: next, replies: [done] }, completeJoinIfReady(next, now))
  }
  if (!group.members.has(memberId)) return refuse(group, request, "UNKNOWN_MEMBER_ID")
  return after({ group, replies: [done] }, remove(group, now, memberId, limits))
}

const tick = (group: Group, now: number, limits: Limits): Step => {
  let step: Step = { group, replies: [] }
  const overdue = [...group.pending].filter(([, until]) => until <= now).map(([id]) => id)
  if (overdue.length > 0) {
    const pending = new Map(group.pending)
    for (const id of overdue) pending.delete(id)
    const next = { ...group, pending }
    step = after({ group: next, replies: [] }, completeJoinIfReady(next, now))
  }
  for (const member of group.members.values()) {
    const current = step.group.members.get(member.memberId)
    if (current === undefined || waits(current) || current.expiresAt > now) continue
    step = after(step, remove(step.group, now, member.memberId, limits))
  }
  const { deadline, openUntil, state } = step.group
  if (openUntil !== undefined && openUntil <= now) {
    const next = { ...step.group, openUntil: undefined }
    step = after({ ...step, group: next }, completeJoinIfReady(next, now))
  }
  if (deadline !== undefined && deadline <= now && state === step.group.state && deadline === step.group.deadline) {
    if (state === "PreparingRebalance") step = after(step, completeJoin(step.group, now))
    else if (state === "CompletingRebalance") {
      // The share-out did not come in time: whoever has not synced is out, and the rest joins again.
      for (const member of step.group.members.values()) {
        if (member.syncing === undefined) step = after(step, remove(step.group, now, member.memberId, limits))
      }
    }
  }
  return step
}

const move = (group: Group, now: number): Step => {
  if (group.state === "Dead") return { group, replies: [] }
  const replies: Array<Reply> = []
  for (const { joining, syncing } of group.members.values()) {
    if (joining !== undefined) replies.push(failed(joining, "NOT_COORDINATOR"))
    if (syncing !== undefined) replies.push(failed(syncing, "NOT_COORDINATOR"))
  }
  const { stored } = group
  const members = new Map<string, Member>()
  for (const member of stored.members.values()) {
    members.set(member.memberId, {
      ...member,
      joining: undefined,
      syncing: undefined,
      expiresAt: now + member.sessionTimeoutMs
    })
  }
  return {
    group: {
      ...group,
      ...stored,
      members,
      state: members.size === 0 ? "Empty" : "Stable",
      pending: new Map(),
      deadline: undefined,
      openUntil: undefined
    },
    replies
  }
}

const destroy = (group: Group): Step => ({
  group: group.members.size === 0 ? { ...emptied(group), state: "Dead", pending: new Map() } : group,
  replies: []
})

export const step = (group: Group, now: number, input: Input, limits: Limits): Step => {
  switch (input._tag) {
    case "Join":
      return join(group, now, input, limits)
    case "Sync":
      return sync(group, now, input)
    case "Heartbeat":
      return heartbeat(group, now, input)
    case "Leave":
      return leave(group, now, input, limits)
    case "Tick":
      return tick(group, now, limits)
    case "Expire":
      return remove(group, now, input.memberId, limits)
    case "Move":
      return move(group, now)
    case "Delete":
      return destroy(group)
  }
}

/** When the next `Tick` is due, `undefined` where nothing runs. */
export const nextTick = (group: Group): number | undefined => {
  let next = group.deadline ?? Infinity
  if (group.openUntil !== undefined) next = Math.min(next, group.openUntil)
  for (const member of group.members.values()) if (!waits(member)) next = Math.min(next, member.expiresAt)
  for (const until of group.pending.values()) next = Math.min(next, until)
  return next === Infinity ? undefined : next
}

/** Who commits: a member of a generation, or nobody in particular (`generation` -1: manual assignment, an admin). */
export interface Committer {
  readonly memberId: string
  readonly generation: number
}

/**
 * Whether a commit is taken: `undefined`, or the code of the refusal. The assignment plays no part in it. A commit of a
 * member counts as a sign of life, also where it is refused because of a rebalance.
 */
export const commit = (
  group: Group,
  now: number,
  { generation, memberId }: Committer
): { readonly group: Group; readonly code: string | undefined } => {
  if (group.state === "Dead") return { group, code: "COORDINATOR_NOT_AVAILABLE" }
  if (generation < 0 && group.state === "Empty") return { group, code: undefined }
  const member = group.members.get(memberId)
  if (member === undefined) return { group, code: "UNKNOWN_MEMBER_ID" }
  if (generation !== group.generation) return { group, code: "ILLEGAL_GENERATION" }
  return {
    group: heard(group, member, now),
    code: group.state === "CompletingRebalance" ? "REBALANCE_IN_PROGRESS" : undefined
  }
}
