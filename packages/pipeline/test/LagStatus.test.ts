import { assert, describe, it } from "@effect/vitest"
import * as LagStatus from "../src/LagStatus.ts"

const window = (
  points: ReadonlyArray<readonly [offset: number, end: number]>,
  last: Partial<LagStatus.LagPoint> = {}
): ReadonlyArray<LagStatus.LagPoint> =>
  points.map(([offset, end], i) => ({
    at: i * 1_000,
    offset: BigInt(offset),
    end: BigInt(end),
    inFlight: 0,
    paused: false,
    halted: false,
    ...(i === points.length - 1 ? last : {})
  }))

describe("LagStatus", () => {
  it("is ok without samples, without lag, and while there are too few samples to tell", () => {
    assert.strictEqual(LagStatus.classify([]), "ok")
    assert.strictEqual(LagStatus.classify(window([[5, 5], [5, 5], [5, 5]])), "ok")
    assert.strictEqual(LagStatus.classify(window([[5, 9], [5, 9]])), "ok")
  })
  it("is ok where the lag was small enough at any point, or fell", () => {
    assert.strictEqual(LagStatus.classify(window([[5, 5], [5, 9], [6, 12]])), "ok")
    assert.strictEqual(LagStatus.classify(window([[5, 7], [5, 9], [6, 12]]), 2n), "ok")
    assert.strictEqual(LagStatus.classify(window([[5, 20], [9, 21], [10, 30]])), "ok")
  })
  it("is behind where it moves and the lag never fell", () => {
    assert.strictEqual(LagStatus.classify(window([[5, 20], [6, 22], [7, 30]])), "behind")
    assert.strictEqual(LagStatus.classify(window([[5, 20], [6, 21], [7, 22]])), "behind")
  })
  it("is stuck with records in flight, stalled without", () => {
    const still = [[5, 20], [5, 22], [5, 22]] as const
    assert.strictEqual(LagStatus.classify(window(still, { inFlight: 3 })), "stuck")
    assert.strictEqual(LagStatus.classify(window(still)), "stalled")
  })
  it("is paused or halted where it is told not to read, and only with lag", () => {
    const still = [[5, 20], [5, 22], [5, 22]] as const
    assert.strictEqual(LagStatus.classify(window(still, { paused: true })), "paused")
    assert.strictEqual(LagStatus.classify(window(still, { halted: true, paused: true })), "halted")
    assert.strictEqual(LagStatus.classify(window([[5, 5]], { paused: true })), "ok")
  })
  it("is rewound while the offset has not regained its place", () => {
    assert.strictEqual(LagStatus.classify(window([[50, 60], [5, 60], [20, 60]])), "rewound")
    assert.notStrictEqual(LagStatus.classify(window([[50, 60], [5, 60], [50, 70]])), "rewound")
  })
  it("the worst of several, in a fixed order", () => {
    assert.strictEqual(LagStatus.worst([]), "ok")
    assert.strictEqual(LagStatus.worst(["ok", "behind", "stuck", "paused"]), "stuck")
  })
  it("seconds: exact by the oldest record, else since the end passed the offset; 0 without lag", () => {
    const points = window([[5, 5], [5, 9], [5, 12]])
    assert.strictEqual(LagStatus.ageSeconds(points, { now: 10_000, oldestTimestamp: 4_000 }), 6)
    assert.strictEqual(LagStatus.ageSeconds(points, { now: 10_000, oldestTimestamp: undefined }), 9)
    assert.strictEqual(LagStatus.ageSeconds(points, { now: 10_000, oldestTimestamp: -1 }), 9)
    assert.strictEqual(LagStatus.ageSeconds(window([[9, 9]]), { now: 10_000, oldestTimestamp: 4_000 }), 0)
    assert.strictEqual(LagStatus.ageSeconds([], { now: 10_000, oldestTimestamp: 4_000 }), 0)
  })
})
