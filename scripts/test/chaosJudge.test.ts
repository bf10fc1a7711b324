/** The judge of a chaos run: each kind of fault that it is there for is seen, and nothing else is. */
import { describe, expect, it } from "vitest"
import { Blame, type Happened, uncommittedMs } from "../chaos/blame.ts"
import { Checkpoints } from "../chaos/checkpoints.ts"
import { GroupWatch, SpokenProtocol } from "../chaos/groupWatch.ts"
import { Ledger, type Repeat, type Written } from "../chaos/ledger.ts"
import { Progress } from "../chaos/progress.ts"
import { verdict } from "../chaos/verdict.ts"
import { encode } from "../../packages/kafka/src/internal/offsetMetadata.ts"

const startedAt = 1_000_000

const setUp = (order: "partition" | "key" | "none" = "partition") => {
  const violations: Array<string> = []
  const repeats: Array<Repeat> = []
  const ledger = new Ledger({
    partitions: 2,
    order,
    startedAt,
    listener: { onViolation: (text) => violations.push(text), onRepeat: (repeat) => repeats.push(repeat) }
  })
  const write = (sourceOffset: number, more: Partial<Written> = {}) =>
    ledger.observe({
      topic: "output",
      sourcePartition: 0,
      sourceOffset,
      key: "k",
      id: sourceOffset,
      member: "one",
      atMs: startedAt + sourceOffset,
      ...more
    })
  return { ledger, violations, repeats, write }
}

describe("the ledger", () => {
  it("finds nothing wrong where all comes out once and in order", () => {
    const { ledger, repeats, violations, write } = setUp()
    for (let offset = 0; offset < 5_000; offset++) {
      ledger.acknowledge(0, offset, offset)
      write(offset)
    }
    expect({ violations, repeats }).toEqual({ violations: [], repeats: [] })
    expect(verdict(ledger, new Blame(ledger), [5_000, 0])).toEqual([])
  })

  it("sees what did not come out", () => {
    const { ledger, write } = setUp()
    for (const offset of [0, 2, 3]) write(offset)
    expect(verdict(ledger, new Blame(ledger), [4, 1])).toEqual([
      "lost: partition 0 lacks 1",
      "lost: partition 1 lacks 0"
    ])
  })

  it("sees an input that lost what it had acknowledged", () => {
    const { ledger, write } = setUp()
    for (const offset of [0, 1]) ledger.acknowledge(0, offset, offset)
    write(0)
    expect(verdict(ledger, new Blame(ledger), [1, 0])).toEqual([
      "the input's partition 0 ends at 1, but 2 were acknowledged"
    ])
  })

  it("sees a record that comes out before an earlier one of its partition, or of its key", () => {
    const byPartition = setUp()
    for (const [offset, key] of [[0, "a"], [2, "a"], [1, "b"]] as const) byPartition.write(offset, { key })
    expect(byPartition.violations).toEqual(["order: partition 0: offset 1 came out for the first time after 2"])

    const byKey = setUp("key")
    for (const [offset, key] of [[0, "a"], [2, "a"], [1, "b"], [4, null], [3, null]] as const) {
      byKey.write(offset, { key })
    }
    expect(byKey.violations).toEqual([])
    byKey.write(6, { key: "b" })
    byKey.write(5, { key: "b" })
    expect(byKey.violations).toEqual(["order: partition 0, key b: offset 5 came out for the first time after 6"])
  })

  it("counts a record that comes out again as repeated, not as out of order", () => {
    const { repeats, violations, write } = setUp()
    for (const offset of [0, 1, 2]) write(offset)
    write(1, { member: "two", atMs: startedAt + 50 })
    expect(violations).toEqual([])
    expect(repeats).toEqual([{
      partition: 0,
      offset: 1,
      first: { member: "one", atMs: startedAt + 1 },
      again: { member: "two", atMs: startedAt + 50 }
    }])
  })

  it("sees a record that carries the offset of another", () => {
    const { ledger, violations, write } = setUp()
    ledger.acknowledge(0, 0, 100)
    write(0, { id: 101 })
    expect(violations).toEqual(["partition 0, offset 0: record 101 stands for record 100"])
  })

  it("has no place for a dead letter in the order", () => {
    const { ledger, violations, write } = setUp()
    write(1)
    write(0, { topic: "dead letters", member: "" })
    expect(violations).toEqual([])
    expect(ledger.deadLetters).toBe(1)
  })
})

const fault = (kind: Happened["kind"], atMs: number, member?: string): Happened => ({
  kind,
  what: kind,
  member,
  startedAt: startedAt + atMs,
  endedAt: startedAt + atMs,
  repeats: 0
})

const repeat = (first: [string, number], again: [string, number]): Repeat => ({
  partition: 0,
  offset: 0,
  first: { member: first[0], atMs: startedAt + first[1] },
  again: { member: again[0], atMs: startedAt + again[1] }
})

describe("the blame", () => {
  it("finds the member that was killed just after it wrote the record", () => {
    const blame = new Blame(setUp().ledger)
    const other = fault("kill", 50_000, "two")
    const kill = fault("kill", 50_000, "one")
    blame.add(kill)
    blame.add(other)
    expect(blame.assign(repeat(["one", 49_900], ["two", 57_000]))).toBe(kill)
    expect([kill.repeats, other.repeats]).toEqual([1, 0])
  })

  it("finds nobody for a record that should have been committed long before", () => {
    const blame = new Blame(setUp().ledger)
    blame.add(fault("kill", 50_000, "one"))
    expect(blame.assign(repeat(["one", 50_000 - uncommittedMs - 1], ["two", 57_000]))).toBeUndefined()
  })

  it("has as much more patience as the machine stood still around it, and no more", () => {
    const blame = new Blame(setUp().ledger)
    const kill = fault("kill", 50_000, "one")
    blame.add(kill)
    const assigned = (atMs: number) => blame.assign(repeat(["one", atMs], ["two", 60_000]))
    const [early, late] = [50_000 - uncommittedMs - 1_500, 51_500]
    blame.stood(startedAt + 40_000, startedAt + 47_000)
    blame.stood(startedAt + 52_000, startedAt + 53_000)
    expect([assigned(early), assigned(late)]).toEqual([undefined, undefined])
    blame.stood(startedAt + 48_500, startedAt + 50_600)
    expect([assigned(early), assigned(late)]).toEqual([kill, kill])
    expect([assigned(early - 1), assigned(late + 101)]).toEqual([undefined, undefined])
  })

  it("finds nobody for what a member repeats that only saw others come, go or die", () => {
    const blame = new Blame(setUp().ledger)
    for (const kind of ["terminate", "scale", "configure", "protocol", "postgres"] as const) {
      blame.add(fault(kind, 50_000, "one"))
    }
    blame.add(fault("kill", 50_000, "three"))
    expect(blame.assign(repeat(["one", 49_990], ["two", 51_000]))).toBeUndefined()
  })

  it("finds the stopped member also where the other one was first", () => {
    const blame = new Blame(setUp().ledger)
    const freeze = { ...fault("freeze", 50_000, "one"), endedAt: startedAt + 60_000 }
    blame.add(freeze)
    expect(blame.assign(repeat(["two", 58_000], ["one", 60_100]))).toBe(freeze)
  })

  it("bounds the repeats of a fault by what its member wrote since its last commit", () => {
    const { ledger, write } = setUp("none")
    const blame = new Blame(ledger)
    for (let offset = 0; offset < 100; offset++) write(offset, { atMs: startedAt + offset * 100 })
    const kill = fault("kill", 9_999, "one")
    expect(blame.bound(kill)).toBe(uncommittedMs / 100 + 1)
    expect(blame.bound(fault("kill", 9_999, "two"))).toBe(0)
    expect(verdict(ledger, blame, [100, 0])).toEqual([])
    blame.add({ ...kill, repeats: 22 })
    expect(verdict(ledger, blame, [100, 0])).toEqual(["duplicates: kill repeated 22, its bound is 21"])
  })

  it("counts a dead letter for the member that was killed at that time, and in its bound, too", () => {
    const { ledger, write } = setUp("none")
    const blame = new Blame(ledger)
    write(0, { topic: "dead letters", member: "", atMs: startedAt + 9_000 })
    const kill = fault("kill", 9_999, "one")
    blame.add(kill)
    expect(blame.assign(repeat(["", 9_000], ["", 12_000]))).toBe(kill)
    expect([kill.repeats, blame.bound(kill)]).toEqual([1, 1])
  })
})

describe("a group that is converted", () => {
  const asked = (first: "classic" | "consumer", ...states: ReadonlyArray<string>) => {
    const spoken = new SpokenProtocol(first)
    return states.map((state, i) => spoken.observe(state, i * 100, i * 100 + 10))
  }

  it("is seen to go over, and back, between two looks at it", () => {
    expect(asked("classic", "Stable", "Dead", "Dead", "PreparingRebalance")).toEqual([
      undefined,
      { to: "consumer", afterMs: 0, beforeMs: 110 },
      undefined,
      { to: "classic", afterMs: 200, beforeMs: 310 }
    ])
    expect(asked("consumer", "Dead", "Stable")).toEqual([undefined, { to: "classic", afterMs: 0, beforeMs: 110 }])
  })

  it("is not where nobody has joined yet, or nobody is left", () => {
    expect(asked("classic", "Dead", "Dead", "Stable", "Empty", "Stable")).toEqual(Array(5).fill(undefined))
  })

  it("to classic may repeat what its members had not committed then, and what they wrote until they heard of it", () => {
    const { ledger, write } = setUp("none")
    const blame = new Blame(ledger)
    for (let offset = 0; offset < 200; offset++) {
      write(offset, { atMs: startedAt + offset * 100, member: offset % 2 === 0 ? "one" : "two" })
    }
    const conversion = { ...fault("conversion", 10_000), endedAt: startedAt + 10_100 }
    blame.add(conversion)
    for (const member of ["one", "two"]) {
      expect(blame.assign(repeat([member, 10_000 - uncommittedMs - 1], ["two", 13_000]))).toBeUndefined()
      expect(blame.assign(repeat([member, 10_000 - uncommittedMs], ["two", 13_000]))).toBe(conversion)
      expect(blame.assign(repeat([member, 10_100 + uncommittedMs], ["two", 13_000]))).toBe(conversion)
      expect(blame.assign(repeat([member, 10_100 + uncommittedMs + 1], ["two", 13_000]))).toBeUndefined()
    }
    expect([conversion.repeats, blame.bound(conversion)]).toEqual([4, (100 + 2 * uncommittedMs) / 100 + 1])
  })

  it("is not blamed for what a killed member repeats, and is before a broker that was away", () => {
    const blame = new Blame(setUp().ledger)
    const broker = fault("broker", 49_000)
    const kill = fault("kill", 50_000, "one")
    const conversion = fault("conversion", 50_500)
    for (const one of [kill, conversion, broker]) blame.add(one)
    expect(blame.assign(repeat(["one", 49_900], ["two", 52_000]))).toBe(kill)
    expect(blame.assign(repeat(["two", 49_900], ["one", 52_000]))).toBe(conversion)
  })

  it("is told to the blame where it is back, and where no coordinator answered the time is as long as it was away", async () => {
    const blame = new Blame(setUp().ledger)
    const told: Array<string> = []
    const states = ["Stable", "Dead", undefined, "Stable"]
    const watch: GroupWatch = new GroupWatch({
      admin: {
        describeGroups: () => {
          const state = states.shift()
          if (states.length === 0) void watch.stop()
          if (state === undefined) return Promise.reject(new Error("away"))
          return Promise.resolve({ groups: [{ state }] })
        }
      },
      group: "g",
      first: "classic",
      blame,
      log: (text) => told.push(text)
    })
    watch.start()
    await expect.poll(() => states.length).toBe(0)
    await watch.stop()
    expect(told).toEqual(["the group was converted to consumer", "the group was converted to classic"])
    expect(watch.seen).toEqual({ classic: 1, consumer: 1 })
    const [conversion, ...others] = blame.faults
    expect([conversion!.kind, others]).toEqual(["conversion", []])
    expect(conversion!.endedAt! - conversion!.startedAt).toBeGreaterThanOrEqual(150)
  })
})

describe("a checkpoint", () => {
  const judged = async (committed: ReadonlyArray<{ partition: number; offset: string; metadata: string }>) => {
    const { ledger, violations, write } = setUp("none")
    for (const offset of [0, 1, 2, 5, 6]) write(offset)
    const names = { input: "in", output: "out", deadLetters: "dead", group: "g", service: "s" }
    const checkpoints = new Checkpoints({
      admin: {
        fetchOffsets: () => Promise.resolve([{ topic: "in", partitions: [...committed] }]),
        fetchTopicOffsets: () => Promise.resolve([])
      },
      reader: { reached: () => Promise.resolve(true) },
      names,
      ledger,
      onViolation: (text) => violations.push(text)
    })
    await checkpoints.check()
    return violations
  }
  const beyond = (start: bigint, end: bigint) => encode(3n, [{ start, end }]).metadata

  it("accepts commits of what has come out", async () => {
    expect(
      await judged([{ partition: 0, offset: "3", metadata: beyond(5n, 7n) }, {
        partition: 1,
        offset: "-1",
        metadata: ""
      }])
    )
      .toEqual([])
  })

  it("sees a commit that is ahead", async () => {
    expect(await judged([{ partition: 0, offset: "5", metadata: "" }]))
      .toEqual(["commit: partition 0 was committed at 5, but without 3, 4"])
  })

  it("sees metadata that calls settled what is not", async () => {
    expect(await judged([{ partition: 0, offset: "3", metadata: beyond(4n, 7n) }]))
      .toEqual(["commit: partition 0, at 3, calls 4 to 7 settled, but without 4"])
  })
})

describe("the progress", () => {
  it("tells of a partition that has work and stands still, and of no other", () => {
    const violations: Array<string> = []
    const progress = new Progress((text) => violations.push(text))
    const at = (offset: number, end: number, now: number) =>
      progress.observe([{ partition: 0, offset, metadata: "" }], [end], now)
    at(5, 5, 0)
    at(5, 5, 200_000)
    at(5, 9, 210_000)
    at(6, 9, 290_000)
    at(6, 9, 370_000)
    expect(violations).toEqual([])
    at(6, 9, 390_000)
    expect(violations).toEqual(["stuck: partition 0 stands at 6 of 9 since 90 s"])
  })
})
