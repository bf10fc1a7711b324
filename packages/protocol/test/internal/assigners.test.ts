import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { assign, type Assignments, type Member } from "../../src/internal/assigners.ts"

const member = (
  memberId: string,
  topics: ReadonlyArray<string>,
  owned: Readonly<Record<string, ReadonlyArray<number>>> = {},
  ownedGeneration = -1
): Member => ({ memberId, topics, owned: new Map(Object.entries(owned)), ownedGeneration })

const counts = (of: Readonly<Record<string, number>>): ReadonlyMap<string, number> => new Map(Object.entries(of))

const plain = (assignments: Assignments): Record<string, Record<string, ReadonlyArray<number>>> =>
  Object.fromEntries([...assignments].map(([id, topics]) => [id, Object.fromEntries(topics)]))

const keysOf = (assignments: Assignments): ReadonlyArray<string> =>
  [...assignments.values()].flatMap((topics) => [...topics].flatMap(([t, ps]) => ps.map((p) => `${t}-${p}`)))

const sizes = (assignments: Assignments): ReadonlyArray<number> =>
  [...assignments.values()].map((topics) => [...topics.values()].reduce((sum, ps) => sum + ps.length, 0))

describe("range", () => {
  it("gives neighbours to each member, topic by topic, and the odd ones to the first", () => {
    const members = [member("b", ["t", "u"]), member("a", ["t", "u"])]
    assert.deepStrictEqual(plain(assign("range", members, counts({ t: 3, u: 3 }))), {
      a: { t: [0, 1], u: [0, 1] },
      b: { t: [2], u: [2] }
    })
  })

  it("shares a topic among those who subscribe to it", () => {
    const members = [member("a", ["t"]), member("b", ["t", "u"]), member("c", ["u"])]
    assert.deepStrictEqual(plain(assign("range", members, counts({ t: 2, u: 3 }))), {
      a: { t: [0] },
      b: { t: [1], u: [0, 1] },
      c: { u: [2] }
    })
  })
})

describe("roundrobin", () => {
  it("deals all partitions of all topics in turn", () => {
    const members = [member("a", ["t", "u"]), member("b", ["t", "u"])]
    assert.deepStrictEqual(plain(assign("roundrobin", members, counts({ t: 3, u: 3 }))), {
      a: { t: [0, 2], u: [1] },
      b: { t: [1], u: [0, 2] }
    })
  })

  it("passes over those who do not subscribe", () => {
    const members = [member("a", ["t"]), member("b", ["t", "u"])]
    assert.deepStrictEqual(plain(assign("roundrobin", members, counts({ t: 2, u: 2 }))), {
      a: { t: [0] },
      b: { t: [1], u: [0, 1] }
    })
  })
})

describe("sticky", () => {
  it("moves only what a new member needs", () => {
    const before = [member("a", ["t"], { t: [0, 2, 4] }, 1), member("b", ["t"], { t: [1, 3, 5] }, 1)]
    const after = assign("sticky", [...before, member("c", ["t"])], counts({ t: 6 }))
    assert.deepStrictEqual(sizes(after), [2, 2, 2])
    assert.deepStrictEqual(plain(after)["a"], { t: [0, 2] })
    assert.deepStrictEqual(plain(after)["b"], { t: [1, 3] })
  })

  it("gives what a member left behind to the others, who keep theirs", () => {
    const left = [member("a", ["t"], { t: [0, 1] }, 3), member("c", ["t"], { t: [4, 5] }, 3)]
    const after = plain(assign("sticky", left, counts({ t: 6 })))
    assert.deepStrictEqual(after["a"], { t: [0, 1, 2] })
    assert.deepStrictEqual(after["c"], { t: [3, 4, 5] })
  })

  it("believes the later generation where two claim the same partition", () => {
    const members = [member("a", ["t"], { t: [0, 1] }, 1), member("b", ["t"], { t: [1] }, 2)]
    assert.deepStrictEqual(plain(assign("sticky", members, counts({ t: 2 }))), { a: { t: [0] }, b: { t: [1] } })
  })

  it("ignores claims to partitions that do not exist and topics no longer subscribed to", () => {
    const members = [member("a", ["t"], { t: [0, 9], gone: [0] }, 1)]
    assert.deepStrictEqual(plain(assign("sticky", members, counts({ t: 2, gone: 1 }))), { a: { t: [0, 1] } })
  })
})

const topicNames = ["t", "u", "v"] as const

const groups = fc.record({
  counts: fc.record({ t: fc.nat(9), u: fc.nat(9), v: fc.nat(9) }),
  members: fc.uniqueArray(
    fc.record({
      id: fc.stringMatching(/^[a-z]{1,3}$/),
      topics: fc.subarray([...topicNames], { minLength: 1 }),
      claims: fc.array(fc.tuple(fc.constantFrom(...topicNames), fc.nat(9)), { maxLength: 12 }),
      generation: fc.integer({ min: -1, max: 3 })
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 6 }
  )
}).map(({ counts: of, members }) => ({
  counts: counts(of),
  members: members.map(({ claims, generation, id, topics }) => {
    const owned: Record<string, Array<number>> = {}
    for (const [topic, partition] of claims) (owned[topic] ??= []).push(partition)
    return member(id, topics, owned, generation)
  })
}))

describe("every strategy", () => {
  for (const strategy of ["range", "roundrobin", "sticky"] as const) {
    it(`${strategy}: every partition that someone subscribes to has one owner, who subscribes to it`, () => {
      fc.assert(fc.property(groups, ({ counts: of, members }) => {
        const assignments = assign(strategy, members, of)
        const subscribed = new Set(members.flatMap((one) => one.topics))
        const wanted = [...subscribed].flatMap((t) => Array.from({ length: of.get(t)! }, (_, p) => `${t}-${p}`))
        assert.deepStrictEqual([...keysOf(assignments)].sort(), wanted.sort())
        for (const { memberId, topics } of members) {
          for (const topic of assignments.get(memberId)!.keys()) assert.include(topics, topic)
        }
      }))
    })

    it(`${strategy}: the order in which members come does not matter`, () => {
      fc.assert(fc.property(groups, ({ counts: of, members }) => {
        assert.deepStrictEqual(
          plain(assign(strategy, members, of)),
          plain(assign(strategy, members.toReversed(), of))
        )
      }))
    })
  }

  it("roundrobin and sticky: members with the same topics differ by one partition at most", () => {
    fc.assert(fc.property(groups, fc.constantFrom("roundrobin", "sticky"), ({ counts: of, members }, strategy) => {
      const alike = members.map((one) => ({ ...one, topics: [...topicNames] }))
      const all = sizes(assign(strategy, alike, of))
      assert.isAtMost(Math.max(...all) - Math.min(...all), 1)
    }))
  })

  it("sticky: no single move would make it fairer", () => {
    fc.assert(fc.property(groups, ({ counts: of, members }) => {
      const assignments = assign("sticky", members, of)
      const size = (id: string) => [...assignments.get(id)!.values()].reduce((sum, ps) => sum + ps.length, 0)
      for (const giver of members) {
        for (const topic of assignments.get(giver.memberId)!.keys()) {
          for (const taker of members) {
            if (taker.topics.includes(topic)) assert.isAtLeast(size(taker.memberId), size(giver.memberId) - 1)
          }
        }
      }
      assert.strictEqual(assignments.size, members.length)
    }))
  })

  it("sticky: members with the same topics keep as much as a fair share allows", () => {
    fc.assert(fc.property(groups, ({ counts: of, members }) => {
      const alike = members.map((one) => ({ ...one, topics: [...topicNames] }))
      // A first assignment, in which nobody claims anything; then one of them leaves or nobody does.
      const first = assign("sticky", alike.map((one) => ({ ...one, owned: new Map() })), of)
      const stay = alike.slice(0, Math.max(1, alike.length - 1))
        .map((one) => ({ ...one, owned: first.get(one.memberId)!, ownedGeneration: 1 }))
      const second = assign("sticky", stay, of)
      for (const { memberId, owned } of stay) {
        // With fewer members every share grows, so nobody gives anything up.
        for (const [topic, partitions] of owned) {
          for (const partition of partitions) assert.include(second.get(memberId)!.get(topic) ?? [], partition)
        }
      }
    }))
  })

  it("sticky: what a newcomer gets is all that moves", () => {
    fc.assert(fc.property(groups, ({ counts: of, members }) => {
      const alike = members.map((one) => ({ ...one, topics: [...topicNames], owned: new Map() }))
      const first = assign("sticky", alike, of)
      const stay = alike.map((one) => ({ ...one, owned: first.get(one.memberId)!, ownedGeneration: 1 }))
      const second = assign("sticky", [...stay, member("newcomer", topicNames)], of)
      const kept = stay.reduce(
        (sum, { memberId, owned }) =>
          sum +
          [...owned].reduce((s, [topic, partitions]) =>
            s + partitions.filter((p) => second.get(memberId)!.get(topic)?.includes(p)).length, 0),
        0
      )
      const total = [...of.values()].reduce((sum, count) => sum + count, 0)
      const got = [...second.get("newcomer")!.values()].reduce((sum, ps) => sum + ps.length, 0)
      assert.strictEqual(kept, total - got)
    }))
  })
})
