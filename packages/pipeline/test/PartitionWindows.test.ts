import { assert, describe, it } from "@effect/vitest"
import { type PartitionSample, PartitionWindows } from "../src/PartitionWindows.ts"

const sample = (at: number, offset: number, end: number, more: Partial<PartitionSample> = {}): PartitionSample => ({
  service: "s",
  group: "g",
  topic: "t",
  partition: 0,
  member: "m",
  consumerOffset: BigInt(offset),
  endOffset: BigInt(end),
  lag: BigInt(end - offset),
  lagSeconds: 1,
  timestamp: at,
  ...more
})

const nothingInFlight = () => 0

const after = (samples: ReadonlyArray<PartitionSample>, inFlightMs = nothingInFlight as () => number) => {
  const windows = new PartitionWindows()
  for (const one of samples) windows.add(one)
  return windows.facts(Math.max(...samples.map(({ timestamp }) => timestamp)), inFlightMs)
}

/** Every ten seconds. */
const series = (count: number, of: (i: number) => PartitionSample) => Array.from({ length: count }, (_, i) => of(i))

describe("PartitionWindows", () => {
  it("tells what the last sample says, and what the samples mean", () => {
    const [facts, ...others] = after(series(5, (i) => sample(i * 10_000, i, 100 + 50 * i)))
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual(facts, {
      service: "s",
      topic: "t",
      partition: 0,
      at: 40_000,
      lag: 296,
      lagSeconds: 1,
      offset: 4n,
      end: 300n,
      member: "m",
      status: "slow"
    })
  })

  it("a member that makes no progress is stuck where it holds a record all the while, else it stalls", () => {
    const still = series(6, (i) => sample(i * 10_000, 5, 100))
    assert.strictEqual(after(still)[0]!.status, "stall")
    assert.strictEqual(after(still, () => 5_000)[0]!.status, "stall")
    assert.strictEqual(after(still, () => 50_000)[0]!.status, "stuck")
  })

  it("seen from outside, commits may be rare: it takes a whole window", () => {
    const still = (count: number) => series(count, (i) => sample(i * 10_000, 5, 100, { member: "" }))
    assert.strictEqual(after(still(9))[0]!.status, "ok")
    assert.strictEqual(after(still(10))[0]!.status, "stall")
  })

  it("samples that come twice, or out of order, change nothing", () => {
    const once = series(5, (i) => sample(i * 10_000, i * 10, 100 + 50 * i))
    assert.deepStrictEqual(after([...once, ...once, once[1]!]), after(once))
  })

  it("a member goes before who watches from outside, until it falls silent: committed is not settled", () => {
    const windows = new PartitionWindows()
    // The watcher sees what is committed, always five records behind what the member has settled.
    for (let i = 0; i < 10; i++) {
      windows.add(sample(i * 10_000, 100 + i * 10, 1_000 + i))
      windows.add(sample(i * 10_000 + 5_000, 95 + i * 10, 1_000 + i, { member: "" }))
    }
    const [fact, ...others] = windows.facts(95_000, nothingInFlight)
    assert.deepStrictEqual(others, [])
    assert.deepInclude(fact, { offset: 190n, member: "m", status: "ok" })
    for (let i = 10; i < 20; i++) windows.add(sample(i * 10_000 + 5_000, 185, 1_000 + i, { member: "" }))
    assert.deepInclude(windows.facts(195_000, nothingInFlight)[0], { offset: 185n, member: "", status: "stall" })
  })

  it("a partition that changes its member goes on", () => {
    const moved = series(6, (i) => sample(i * 10_000, 5, 100, { member: i < 3 ? "a" : "b" }))
    assert.deepInclude(after(moved)[0], { member: "b", status: "stall" })
  })

  it("forgets what is not measured any more", () => {
    const windows = new PartitionWindows()
    windows.add(sample(0, 5, 10))
    windows.add(sample(200_000, 5, 10, { partition: 1 }))
    assert.deepStrictEqual(windows.facts(310_000, nothingInFlight).map(({ partition }) => partition), [1])
    assert.deepStrictEqual(windows.facts(510_000, nothingInFlight), [])
  })
})
