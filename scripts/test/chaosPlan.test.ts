import { describe, expect, it } from "vitest"
import { draws } from "../chaos/draws.ts"
import { drawPlan, type FaultKind, plannedKinds } from "../chaos/plan.ts"

const plan = (seed: string, minutes: number, planned = false) =>
  drawPlan(draws(seed), { durationMs: minutes * 60_000, planned })
const count = (seed: string, minutes: number, kind: FaultKind) =>
  plan(seed, minutes).filter((one) => one.kind === kind).length

describe("the plan of a chaos run", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(plan("a", 5)).toEqual(plan("a", 5))
    expect(plan("a", 5)).not.toEqual(plan("b", 5))
  })

  it("has every kind of fault in a minute, and in twenty at least 50 kills and 5 outages of each server", () => {
    expect(new Set(plan("a", 1).map(({ kind }) => kind)).size).toBe(8)
    expect(count("a", 20, "kill")).toBeGreaterThanOrEqual(50)
    expect(count("a", 20, "broker")).toBeGreaterThanOrEqual(5)
    expect(count("a", 20, "postgres")).toBeGreaterThanOrEqual(5)
  })

  it("changes the group protocol at least there and back in each minute, planned or not", () => {
    for (const seed of ["a", "b", "c"]) {
      for (const planned of [false, true]) {
        expect(plan(seed, 1, planned).filter(({ kind }) => kind === "protocol").length).toBe(2)
      }
    }
  })

  it("has only what is done on purpose where it is told so", () => {
    expect(new Set(plan("a", 20, true).map(({ kind }) => kind))).toEqual(new Set(plannedKinds))
  })

  it("stays within its time, in order", () => {
    const times = plan("a", 3).map(({ atMs }) => atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(Math.max(...times)).toBeLessThanOrEqual(180_000)
  })
})
