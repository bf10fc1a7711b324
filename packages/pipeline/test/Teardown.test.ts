import { assert, describe, it } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as Pipeline from "../src/Pipeline.ts"

const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  const codes: Array<number> = []
  Pipeline.teardown(exit, (code) => codes.push(code))
  assert.lengthOf(codes, 1)
  return codes[0]!
}

describe("the exit code of a pipeline's process", () => {
  it("is 0 after an interruption, which is how it is asked to end", () => {
    assert.strictEqual(codeOf(Exit.interrupt(1)), 0)
  })

  it("is 1 after a failure or a defect, and 0 after a success", () => {
    assert.strictEqual(codeOf(Exit.fail("failed for good")), 1)
    assert.strictEqual(codeOf(Exit.die(new Error("defect"))), 1)
    assert.strictEqual(codeOf(Exit.succeed("done")), 0)
  })
})
