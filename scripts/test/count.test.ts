import { describe, expect, it } from "vitest"
import { count, type Report } from "../ci/count.ts"

const report = (changed: Partial<Report> = {}): Report => ({
  numPassedTests: 10,
  numFailedTests: 0,
  numPendingTests: 0,
  testResults: [],
  ...changed
})
const fine = { check: "0", tests: "0", packed: "0" }

describe("the count of .ci/run", () => {
  it("adds the steps to the tests", () => {
    expect(count(report(), fine)).toEqual({ passed: 12, failed: 0, lines: [] })
  })

  it("a failed check is a failure though every test passed", () => {
    expect(count(report(), { ...fine, check: "1" })).toMatchObject({ passed: 11, failed: 1 })
  })

  it("failed tests are named", () => {
    const testResults = [{
      name: "a.test.ts",
      status: "failed",
      message: "",
      assertionResults: [{ fullName: "it works", status: "failed" }]
    }]
    expect(count(report({ numFailedTests: 1, testResults }), { ...fine, tests: "1" }))
      .toEqual({ passed: 12, failed: 1, lines: ["failed: it works", "failed: tests ended with 1"] })
  })

  it("tests that passed at the second try only are named with what went wrong, and three are a failure", () => {
    const unsteady = (tests: number) => [{
      name: "a.test.ts",
      status: "passed",
      message: "",
      assertionResults: [
        { fullName: "is steady", status: "passed", failureMessages: [] },
        ...Array.from({ length: tests }, (_, i) => ({
          fullName: `wavers ${i}`,
          status: "passed",
          failureMessages: ["came too late"]
        }))
      ]
    }]
    const told = (i: number) => `passed at the second try only: wavers ${i}: came too late`
    expect(count(report({ testResults: unsteady(2) }), fine))
      .toEqual({ passed: 12, failed: 0, lines: [told(0), told(1)] })
    expect(count(report({ testResults: unsteady(3) }), fine)).toEqual({
      passed: 12,
      failed: 1,
      lines: [told(0), told(1), told(2), "failed: 3 tests needed a second try, at most 2 may"]
    })
  })

  it("a test file that does not load is a failure", () => {
    const testResults = [{ name: "a.test.ts", status: "failed", message: "no such module", assertionResults: [] }]
    expect(count(report({ testResults }), { ...fine, tests: "1" })).toMatchObject({ passed: 12, failed: 1 })
  })

  it("an error outside of every test is a failure", () => {
    expect(count(report(), { ...fine, tests: "1" })).toMatchObject({ passed: 12, failed: 1 })
    expect(count(report(), { ...fine, tests: "1", check: "1" })).toMatchObject({ passed: 11, failed: 2 })
  })

  it("tests that wrote no report are a failure", () => {
    expect(count(undefined, { ...fine, tests: "1" })).toMatchObject({ passed: 2, failed: 1 })
    expect(count(undefined, {})).toMatchObject({ passed: 0, failed: 1 })
  })
})
