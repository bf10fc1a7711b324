import { assert, describe, it } from "@effect/vitest"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import * as fc from "fast-check"
import * as Assignors from "../../src/internal/assignors.ts"

const member = (memberId: string, topics: ReadonlyArray<string>, owned: Assignors.MemberTopics["owned"] = []) => ({
  memberId,
  topics,
  owned,
  ownedGeneration: owned.length === 0 ? -1 : 1
})

const plain = (shares: Assignors.Shares) =>
  Object.fromEntries([...shares].map(([id, partitions]) => [id, partitions.map((p) => p.key)]))

const names = ["t", "u", "v"] as const

const groups = fc.record({
  members: fc.integer({ min: 1, max: 6 }),
  counts: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)).map((counts) => new Map(names.map((name, i) => [name, counts[i]!])))
})

const strategies = fc.constantFrom<Assignors.Strategy>("range", "roundrobin", "sticky")

describe("assignors", () => {
  it("every partition goes to exactly one member that subscribes to its topic", () => {
    const subscriptions = fc.array(fc.subarray([...names], { minLength: 1 }), { minLength: 1, maxLength: 6 })
    fc.assert(fc.property(strategies, subscriptions, groups, (strategy, topics, { counts }) => {
      const members = topics.map((names, i) => member(`m${i}`, names))
      const shares = Assignors.assign(strategy, members, counts)
      const given = [...shares].flatMap(([id, partitions]) => partitions.map(({ key, topic }) => ({ id, key, topic })))
      const subscribed = new Set(topics.flat())
      const expected = [...counts].flatMap(([topic, count]) =>
        subscribed.has(topic) ? Array.from({ length: count }, (_, i) => TopicPartition.keyOf(topic, i)) : []
      )
      assert.deepStrictEqual(given.map((g) => g.key).sort(), expected.sort())
      for (const { id, topic } of given) assert.include(topics[Number(id.slice(1))], topic)
      assert.deepStrictEqual([...shares.keys()].sort(), members.map((m) => m.memberId).sort())
    }))
  })

  it("with equal subscriptions, round robin and sticky are balanced to one", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("roundrobin" as const, "sticky" as const),
        groups,
        (strategy, { counts, members }) => {
          const all = Array.from({ length: members }, (_, i) => member(`m${i}`, names))
          const sizes = [...Assignors.assign(strategy, all, counts).values()].map((s) => s.length)
          assert.isAtMost(Math.max(...sizes) - Math.min(...sizes), 1)
        }
      )
    )
  })

  it("sticky keeps all that balance allows when members come and go", () => {
    fc.assert(fc.property(groups, fc.integer({ min: 1, max: 6 }), ({ counts, members }, next) => {
      const first = Assignors.assign(
        "sticky",
        Array.from({ length: members }, (_, i) => member(`m${i}`, names)),
        counts
      )
      const all = Array.from({ length: next }, (_, i) => member(`m${i}`, names, first.get(`m${i}`) ?? []))
      const second = Assignors.assign("sticky", all, counts)
      const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
      for (const [id, partitions] of second) {
        const had = new Set((first.get(id) ?? []).map((p) => p.key))
        const kept = partitions.filter((p) => had.has(p.key)).length
        // A member gives up only what would leave it with more than a fair share.
        assert.isAtLeast(kept, Math.min(had.size, Math.floor(total / next)))
      }
      assert.deepStrictEqual(plain(Assignors.assign("sticky", all, counts)), plain(second))
    }))
  })

  it("of two that claim the same partition, the newer generation is right", () => {
    const owned = [TopicPartition.make("t", 0)]
    const shares = Assignors.assign("sticky", [
      { memberId: "a", topics: ["t"], owned, ownedGeneration: 1 },
      { memberId: "b", topics: ["t"], owned, ownedGeneration: 2 }
    ], new Map([["t", 1]]))
    assert.deepStrictEqual(plain(shares), { a: [], b: ["t-0"] })
  })

  it("range gives each topic in consecutive parts", () => {
    const all = [member("a", ["t", "u"]), member("b", ["t", "u"])]
    assert.deepStrictEqual(plain(Assignors.assign("range", all, new Map([["t", 3], ["u", 3]]))), {
      a: ["t-0", "t-1", "u-0", "u-1"],
      b: ["t-2", "u-2"]
    })
  })
})
