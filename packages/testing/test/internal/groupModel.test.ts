import { assert, describe, it } from "@effect/vitest"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import * as fc from "fast-check"
import * as Assignors from "../../src/internal/assignors.ts"
import * as Group from "../../src/internal/groupModel.ts"

const limits: Group.Limits = {
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 60_000,
  maxSize: 5,
  initialRebalanceDelayMs: 0
}

const sessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000

type WithoutRequest<T> = T extends { readonly request: number } ? Omit<T, "request"> : T

/** A group, its clock, and everyone who waits for an answer. */
class Driver {
  group = Group.make("g")
  now = 0
  next = 1
  readonly limits: Group.Limits
  readonly replies = new Map<number, Group.Reply>()
  constructor(over: Partial<Group.Limits> = {}) {
    this.limits = { ...limits, ...over }
  }
  send(input: WithoutRequest<Group.Input>): number {
    const request = this.next++
    const { group, replies } = Group.step(this.group, this.now, { ...input, request } as Group.Input, this.limits)
    this.group = group
    for (const reply of replies) {
      assert.isFalse(this.replies.has(reply.request), `request ${reply.request} is answered twice`)
      this.replies.set(reply.request, reply)
    }
    this.check()
    return request
  }
  /** Lets time pass, deadline by deadline. */
  pass(ms: number): void {
    const end = this.now + ms
    for (let at = Group.nextTick(this.group); at !== undefined && at <= end; at = Group.nextTick(this.group)) {
      this.now = Math.max(this.now, at)
      this.send({ _tag: "Tick" })
      assert.isTrue((Group.nextTick(this.group) ?? Infinity) > this.now, "a deadline that is past stays due")
    }
    this.now = end
  }
  code(request: number): string {
    const reply = this.replies.get(request)
    return reply === undefined ? "waits" : reply._tag === "Failed" ? reply.code : reply._tag
  }
  join(memberId: string, over: Partial<Group.JoinRequest> = {}): number {
    return this.send({
      _tag: "Join",
      memberId,
      clientId: "c",
      host: "h",
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols: [{ name: "range", metadata: { topics: ["t"], owned: [], ownedGeneration: -1 } }],
      ...over
    })
  }
  /** A new member asks for its id and joins with it. */
  enter(over: Partial<Group.JoinRequest> = {}): { readonly id: string; readonly request: number } {
    const reply = this.replies.get(this.join("", over))
    assert.ok(reply?._tag === "Failed" && reply.memberId !== undefined)
    return { id: reply.memberId, request: this.join(reply.memberId, over) }
  }
  heartbeat(memberId: string, generation = this.group.generation): string {
    return this.code(this.send({ _tag: "Heartbeat", memberId, generation }))
  }
  sync(memberId: string): number {
    const { generation, leader, members, protocol } = this.group
    const shares = memberId !== leader
      ? undefined
      : Assignors.assign(
        "range",
        [...members.values()].map((m) => ({
          memberId: m.memberId,
          ...m.protocols.find((p) => p.name === protocol)!.metadata
        })),
        new Map([["t", 4]])
      )
    return this.send({ _tag: "Sync", memberId, generation, shares })
  }
  commit(memberId: string, generation: number): string {
    const { code, group } = Group.commit(this.group, this.now, { memberId, generation })
    this.group = group
    return code ?? "taken"
  }
  /** A stable group of so many members; they all join again whenever one comes. */
  stable(count: number): ReadonlyArray<string> {
    const ids: Array<string> = []
    for (let i = 0; i < count; i++) {
      const { id } = this.enter()
      for (const other of ids) this.join(other)
      ids.push(id)
      for (const one of ids) this.sync(one)
      assert.strictEqual(this.group.state, "Stable")
    }
    return ids
  }
  /** What holds in every state. */
  check(): void {
    const { group } = this
    const members = [...group.members.values()]
    assert.isTrue(members.every((m) => m.joining === undefined || group.state === "PreparingRebalance"))
    assert.isTrue(members.every((m) => m.syncing === undefined || group.state === "CompletingRebalance"))
    if (group.state === "Stable" || group.state === "CompletingRebalance") {
      assert.isTrue(group.leader !== undefined && group.members.has(group.leader), "the leader is a member")
      assert.isDefined(group.protocol)
    }
    if (group.state === "Empty") assert.strictEqual(members.length, 0)
    if (group.state === "PreparingRebalance" && members.length > 0) {
      assert.isDefined(Group.nextTick(group), "a rebalance ends some day")
    }
    if (group.state === "Stable") {
      const given = members.flatMap((m) => m.assignment.map((p) => p.key))
      assert.strictEqual(new Set(given).size, given.length, "no partition has two owners")
    }
  }
}

describe("groupModel", () => {
  it("a member without an id gets one, and joins with it", () => {
    const d = new Driver()
    const first = d.join("")
    const reply = d.replies.get(first)!
    assert.ok(reply._tag === "Failed" && reply.code === "MEMBER_ID_REQUIRED" && reply.memberId !== undefined)
    assert.strictEqual(d.code(d.join(reply.memberId)), "Joined")
    assert.strictEqual(d.code(d.join("someone-else")), "UNKNOWN_MEMBER_ID")
  })

  it("only the leader hears who is in the group, and all are answered when it has shared out", () => {
    const d = new Driver()
    const [a] = d.stable(1)
    const b = d.enter()
    assert.strictEqual(d.code(b.request), "waits")
    const rejoined = d.join(a!)
    const [first, second] = [d.replies.get(rejoined)!, d.replies.get(b.request)!]
    assert.ok(first._tag === "Joined" && second._tag === "Joined")
    assert.deepStrictEqual(first.members.map((m) => m.memberId), [a, b.id])
    assert.deepStrictEqual(second.members, [])
    const waiting = d.sync(b.id)
    assert.strictEqual(d.code(waiting), "waits")
    d.sync(a!)
    const synced = d.replies.get(waiting)!
    assert.ok(synced._tag === "Synced")
    assert.deepStrictEqual(synced.assignment.map(String), ["t-2", "t-3"])
  })

  it("heartbeats tell of a rebalance, of an old generation, and of a member that is out", () => {
    const d = new Driver()
    const [a] = d.stable(1)
    assert.strictEqual(d.heartbeat(a!), "Done")
    assert.strictEqual(d.heartbeat(a!, d.group.generation - 1), "ILLEGAL_GENERATION")
    assert.strictEqual(d.heartbeat("nobody"), "UNKNOWN_MEMBER_ID")
    d.enter()
    assert.strictEqual(d.heartbeat(a!), "REBALANCE_IN_PROGRESS")
  })

  it("a member that is silent for its session is out, and the rest rebalances", () => {
    const d = new Driver()
    const [a, b] = d.stable(2)
    d.pass(sessionTimeoutMs - 1)
    assert.strictEqual(d.heartbeat(a!), "Done")
    d.pass(2)
    assert.strictEqual(d.heartbeat(b!), "UNKNOWN_MEMBER_ID")
    assert.strictEqual(d.heartbeat(a!), "REBALANCE_IN_PROGRESS")
  })

  it("a member that heartbeats but does not join again in time is out", () => {
    const d = new Driver()
    const [a] = d.stable(1)
    const b = d.enter()
    for (let t = 0; t < rebalanceTimeoutMs - 5_000; t += 5_000) {
      d.pass(5_000)
      assert.strictEqual(d.heartbeat(a!), "REBALANCE_IN_PROGRESS")
    }
    assert.strictEqual(d.code(b.request), "waits")
    d.pass(5_000)
    assert.strictEqual(d.code(b.request), "Joined")
    assert.strictEqual(d.group.leader, b.id)
    assert.strictEqual(d.heartbeat(a!, d.group.generation - 1), "UNKNOWN_MEMBER_ID")
  })

  it("a leader that never shares out is out, and so is whoever did not sync", () => {
    const d = new Driver()
    const [a, b] = d.stable(2)
    d.join(a!)
    d.join(b!)
    const waiting = d.sync(b!)
    for (let t = 0; t < rebalanceTimeoutMs; t += 5_000) {
      d.heartbeat(a!)
      d.pass(5_000)
    }
    assert.strictEqual(d.code(waiting), "REBALANCE_IN_PROGRESS")
    assert.isFalse(d.group.members.has(a!))
    assert.isTrue(d.group.members.has(b!))
  })

  it("leaving starts a rebalance at once, and the last one leaves an empty group", () => {
    const d = new Driver()
    const [a, b] = d.stable(2)
    d.send({ _tag: "Leave", memberId: b! })
    assert.strictEqual(d.group.state, "PreparingRebalance")
    d.send({ _tag: "Leave", memberId: a! })
    assert.strictEqual(d.group.state, "Empty")
    assert.strictEqual(d.code(d.send({ _tag: "Leave", memberId: a! })), "UNKNOWN_MEMBER_ID")
  })

  it("a member that asks again, since the answer was lost, gets the same answer", () => {
    const d = new Driver()
    const { id } = d.enter()
    const { generation } = d.group
    assert.strictEqual(d.code(d.join(id)), "Joined")
    assert.strictEqual(d.group.generation, generation)
    d.sync(id)
    assert.strictEqual(d.code(d.sync(id)), "Synced")
  })

  it("a leader that joins a stable group makes it rebalance; another member does not", () => {
    const d = new Driver()
    const [a, b] = d.stable(2)
    const { generation } = d.group
    assert.strictEqual(d.code(d.join(b!)), "Joined")
    assert.strictEqual(d.group.generation, generation)
    assert.strictEqual(d.code(d.join(a!)), "waits")
    assert.strictEqual(d.group.state, "PreparingRebalance")
  })

  describe("commits", () => {
    it("of the generation in force are taken, whatever partitions they name", () => {
      const d = new Driver()
      const [a] = d.stable(1)
      assert.strictEqual(d.commit(a!, d.group.generation), "taken")
    })

    it("of the old generation are taken while the group prepares a rebalance, and refused when it has ended", () => {
      const d = new Driver()
      const [a] = d.stable(1)
      const old = d.group.generation
      const b = d.enter()
      assert.strictEqual(d.group.state, "PreparingRebalance")
      assert.strictEqual(d.commit(a!, old), "taken")
      d.join(a!)
      assert.strictEqual(d.group.state, "CompletingRebalance")
      assert.strictEqual(d.commit(a!, old), "ILLEGAL_GENERATION")
      assert.strictEqual(d.commit(a!, d.group.generation), "REBALANCE_IN_PROGRESS")
      d.sync(a!)
      assert.strictEqual(d.commit(b.id, d.group.generation), "taken")
    })

    it("of a member that is out are refused, and so are those of nobody while there are members", () => {
      const d = new Driver()
      const [a] = d.stable(1)
      assert.strictEqual(d.commit("nobody", d.group.generation), "UNKNOWN_MEMBER_ID")
      assert.strictEqual(d.commit("", -1), "UNKNOWN_MEMBER_ID")
      d.send({ _tag: "Leave", memberId: a! })
      assert.strictEqual(d.commit("", -1), "taken")
      assert.strictEqual(d.commit(a!, d.group.generation), "UNKNOWN_MEMBER_ID")
    })

    it("count as a sign of life", () => {
      const d = new Driver()
      const [a] = d.stable(1)
      d.pass(sessionTimeoutMs - 1)
      d.commit(a!, d.group.generation)
      d.pass(sessionTimeoutMs - 1)
      assert.strictEqual(d.heartbeat(a!), "Done")
    })
  })

  describe("refusals", () => {
    it("a session outside of the broker's bounds", () => {
      const d = new Driver()
      assert.strictEqual(d.code(d.join("", { sessionTimeoutMs: 5_999 })), "INVALID_SESSION_TIMEOUT")
      assert.strictEqual(d.code(d.join("", { sessionTimeoutMs: 60_001 })), "INVALID_SESSION_TIMEOUT")
    })

    it("a strategy that the others do not offer", () => {
      const d = new Driver()
      d.stable(1)
      const protocols = [{ name: "sticky", metadata: { topics: ["t"], owned: [], ownedGeneration: -1 } }]
      assert.strictEqual(d.code(d.join("", { protocols })), "INCONSISTENT_GROUP_PROTOCOL")
    })

    it("one more than the group may have", () => {
      const d = new Driver({ maxSize: 1 })
      d.stable(1)
      assert.strictEqual(d.code(d.join("")), "GROUP_MAX_SIZE_REACHED")
    })
  })

  it("the strategy is one that all offer, the one that most prefer", () => {
    const d = new Driver()
    const metadata = { topics: ["t"], owned: [], ownedGeneration: -1 }
    const offer = (...names: ReadonlyArray<string>) => ({ protocols: names.map((name) => ({ name, metadata })) })
    const a = d.enter(offer("range", "sticky"))
    const b = d.enter(offer("sticky", "range", "roundrobin"))
    const c = d.enter(offer("sticky", "range"))
    d.join(a.id, offer("range", "sticky"))
    d.join(b.id, offer("sticky", "range", "roundrobin"))
    assert.strictEqual(d.code(c.request), "Joined")
    assert.strictEqual(d.group.protocol, "sticky")
  })

  it("a coordinator that takes over knows the members and the assignment, and drops who waits", () => {
    const d = new Driver()
    const [a] = d.stable(1)
    const stored = d.group.generation
    const b = d.enter()
    d.send({ _tag: "Move" })
    assert.strictEqual(d.code(b.request), "NOT_COORDINATOR")
    assert.deepStrictEqual([d.group.state, d.group.generation], ["Stable", stored])
    assert.strictEqual(d.heartbeat(a!), "Done")
    assert.strictEqual(d.code(d.join(b.id)), "UNKNOWN_MEMBER_ID")
  })

  it("an empty group waits for more members where it is told to", () => {
    const d = new Driver({ initialRebalanceDelayMs: 3_000 })
    const a = d.enter()
    const b = d.enter()
    assert.strictEqual(d.code(a.request), "waits")
    d.pass(3_000)
    assert.deepStrictEqual([d.code(a.request), d.code(b.request), d.group.generation], ["Joined", "Joined", 1])
  })

  it("only a group without members can be deleted", () => {
    const d = new Driver()
    const [a] = d.stable(1)
    d.send({ _tag: "Delete" })
    assert.strictEqual(d.group.state, "Stable")
    d.send({ _tag: "Leave", memberId: a! })
    d.send({ _tag: "Delete" })
    assert.strictEqual(d.group.state, "Dead")
    assert.strictEqual(d.code(d.join("")), "COORDINATOR_NOT_AVAILABLE")
  })

  it("whatever the members do, every question is answered, and silence empties the group", () => {
    const action = fc.record({
      who: fc.nat(5),
      what: fc.constantFrom("join", "sync", "heartbeat", "leave", "expire", "commit", "pass", "long", "move", "old"),
      ms: fc.nat(12_000)
    })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const d = new Driver()
        const ids: Array<string> = ["", "", "", "", "", ""]
        let highest = 0
        for (const { ms, what, who } of actions) {
          const id = ids[who]!
          switch (what) {
            case "join": {
              const reply = d.replies.get(d.join(id))
              if (reply?._tag !== "Failed") break
              ids[who] = reply.memberId ?? (reply.code === "UNKNOWN_MEMBER_ID" ? "" : id)
              break
            }
            case "sync":
              d.sync(id)
              break
            case "heartbeat":
              d.heartbeat(id)
              break
            case "old":
              d.heartbeat(id, d.group.generation - 1)
              break
            case "leave":
              d.send({ _tag: "Leave", memberId: id })
              break
            case "expire":
              d.send({ _tag: "Expire", memberId: id })
              break
            case "commit":
              d.commit(id, d.group.generation)
              break
            case "pass":
              d.pass(ms)
              break
            case "long":
              d.pass(ms * 5)
              break
            case "move":
              d.send({ _tag: "Move" })
              // What was not written down is gone with the old coordinator, its generation too.
              highest = d.group.generation
              break
          }
          assert.isAtLeast(d.group.generation, highest)
          highest = d.group.generation
        }
        for (let i = 0; i < 20; i++) d.pass(rebalanceTimeoutMs)
        assert.strictEqual(d.group.state, "Empty")
        // A client that asked twice gave its first question up, so not every number has an answer; but none still waits.
        assert.isTrue([...d.group.members.values()].every((m) => m.joining === undefined && m.syncing === undefined))
      }),
      { numRuns: 300 }
    )
  })

  it("who holds what is what the leader gave", () => {
    const d = new Driver()
    d.stable(3)
    const held = [...d.group.members.values()].flatMap((m) => m.assignment)
    assert.deepStrictEqual(held.map(String).sort(), [0, 1, 2, 3].map((i) => TopicPartition.keyOf("t", i)))
  })
})
