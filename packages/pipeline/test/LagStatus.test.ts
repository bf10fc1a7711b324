import { assert, describe, it } from "@effect/vitest"
import * as LagStatus from "../src/LagStatus.ts"

type Looks = ReadonlyArray<readonly [offset: number, end: number]>

const window = (looks: Looks): ReadonlyArray<LagStatus.LagPoint> =>
  looks.map(([offset, end], i) => ({ at: i * 1_000, offset: BigInt(offset), end: BigInt(end) }))

const self = (of: Partial<Extract<LagStatus.Reader, { readonly _tag: "Self" }>> = {}): LagStatus.Reader => ({
  _tag: "Self",
  inFlight: 0,
  queued: 0,
  paused: false,
  halted: false,
  backPressured: false,
  ...of
})
const member: LagStatus.Reader = { _tag: "Member" }
const nobody: LagStatus.Reader = { _tag: "Nobody" }
const unknown: LagStatus.Reader = { _tag: "Unknown" }

const still: Looks = [[5, 20], [5, 22], [5, 22]]
const slower: Looks = [[5, 20], [6, 22], [7, 30]]
const busy = { inFlight: 3 }

const cases: ReadonlyArray<
  readonly [what: string, looks: Looks, reader: LagStatus.Reader, LagStatus.LagStatus, LagStatus.Rules?]
> = [
  ["nothing is known", [], unknown, "ok"],
  ["no lag", [[5, 5], [5, 5], [5, 5]], nobody, "ok"],
  ["an idle topic, at its end, with nobody", [[0, 0], [0, 0], [0, 0]], nobody, "ok"],
  ["two samples tell nothing yet", [[5, 9], [5, 9]], self(busy), "ok"],
  ["more samples are asked for than there are", still, self(busy), "ok", { minSamples: 4 }],
  ["fewer than three samples cannot be asked for", [[5, 9], [5, 9]], self(busy), "ok", { minSamples: 1 }],
  ["the lag was 0 at a point of the window", [[5, 5], [5, 9], [6, 12]], member, "ok"],
  ["it was small enough at a point", [[5, 7], [5, 9], [6, 12]], member, "ok", { allowedLag: 2n }],
  ["it is small enough now", still, nobody, "ok", { allowedLag: 17n }],
  ["it fell", [[5, 20], [9, 21], [10, 30]], member, "ok"],
  ["it catches up from far behind", [[0, 1000], [100, 1010], [200, 1020], [300, 1030]], member, "ok"],

  ["progress, and the lag never fell", slower, member, "slow"],
  ["of this process, too", slower, self(busy), "slow"],
  ["and where nobody knows who reads", slower, unknown, "slow"],
  ["the lag stays as it is", [[5, 20], [6, 21], [7, 22]], member, "slow"],
  ["it grew, but for a dip", [[1, 10], [2, 20], [4, 21], [5, 90], [6, 95], [9, 96]], member, "slow"],
  ["it goes up and down", [[1, 90], [2, 20], [4, 91], [5, 50], [6, 95], [9, 30]], member, "ok"],
  ["commits more often than samples", [[5, 20], [800, 900], [1700, 2000]], member, "slow"],
  ["progress, and the queue is full", slower, self({ ...busy, backPressured: true }), "back-pressured"],
  ["full queues, and it catches up", [[5, 20], [9, 21], [14, 22]], self({ ...busy, backPressured: true }), "ok"],

  ["no progress, records in flight", still, self(busy), "stuck"],
  ["no progress, records in flight, the queue full", still, self({ ...busy, backPressured: true }), "stuck"],
  [
    "no progress, records wait and no worker takes them",
    still,
    self({ queued: 9, backPressured: true }),
    "back-pressured"
  ],
  ["no progress, and no records come in", still, self(), "stall"],
  ["no progress, and a member elsewhere holds it", still, member, "stall"],
  ["no progress, and only offsets are known", still, unknown, "stall"],
  ["commits are rarer than samples", still, member, "ok", { stallSamples: 10 }],
  ["no progress, and nobody holds it", still, nobody, "stop"],
  ["nobody: however rare commits are", still, nobody, "stop", { stallSamples: 10 }],
  ["nobody, and nothing new came in", [[5, 20], [5, 20], [5, 20]], nobody, "stop"],

  ["the offset went back", [[50, 60], [5, 60], [20, 60]], member, "rewind"],
  ["it went back and stands still", [[50, 60], [5, 60], [5, 60]], nobody, "rewind"],
  ["it went back to the end of a log that was cut off", [[50, 60], [9, 10], [10, 10]], member, "ok"],
  ["it went back and regained its place", [[50, 60], [5, 60], [50, 70]], member, "ok"],

  ["paused", still, self({ paused: true }), "paused"],
  ["paused: known at the first sample", [[5, 20]], self({ paused: true }), "paused"],
  ["paused without lag", [[5, 5]], self({ paused: true }), "ok"],
  ["halted is worse than paused", still, self({ paused: true, halted: true }), "halted"]
]

describe("LagStatus", () => {
  for (const [what, looks, reader, status, rules] of cases) {
    it(`${status}: ${what}`, () => {
      assert.strictEqual(LagStatus.classify(window(looks), reader, rules), status)
    })
  }

  it("is the worst of several", () => {
    assert.strictEqual(LagStatus.worst([]), "ok")
    assert.strictEqual(LagStatus.worst(["ok", "slow", "stuck", "paused"]), "stuck")
    assert.strictEqual(LagStatus.worst(["ok", "back-pressured", "slow"]), "back-pressured")
  })

  it("has a case and a place in the order for every status", () => {
    assert.deepStrictEqual(
      LagStatus.bySeverity.toSorted(),
      [...new Set(cases.map(([, , , status]) => status))].toSorted()
    )
  })
})
