import { assert, describe, it } from "@effect/vitest"
import { AnswerReach } from "../../src/internal/answerReach.ts"

/** So many partitions, the first of them with records. */
const answered = (rich: number, all: number) => Array.from({ length: all }, (_, i) => ({ bytes: i < rich ? 1000 : 0 }))

describe("AnswerReach", () => {
  it("asks for all, until an answer was full before it came to the last", () => {
    const reach = new AnswerReach()
    assert.strictEqual(reach.most(1), Infinity)
    reach.asked(1)
    reach.answered(1, answered(20, 1000), 0.4)
    assert.strictEqual(reach.most(1), Infinity)
    reach.asked(1)
    reach.answered(1, answered(20, 1000), 0.9)
    assert.strictEqual(reach.most(1), 40)
    assert.strictEqual(reach.most(2), Infinity, "brokers are known one by one")
    assert.strictEqual(reach.most(undefined), Infinity)
  })

  it("never asks for a few alone", () => {
    const reach = new AnswerReach()
    reach.answered(1, answered(1, 1000), 1)
    assert.strictEqual(reach.most(1), 16)
  })

  it("counts partitions without records that stand before others", () => {
    const reach = new AnswerReach()
    reach.answered(1, [...answered(0, 30), ...answered(10, 60)], 1)
    assert.strictEqual(reach.most(1), 80)
  })

  it("asks for all after a request that failed, or an answer that was not full", () => {
    const reach = new AnswerReach()
    reach.answered(1, answered(20, 1000), 1)
    reach.asked(1)
    assert.strictEqual(reach.most(1), Infinity)
    reach.answered(1, answered(40, 40), 1)
    reach.asked(1)
    reach.answered(1, answered(3, 40), 0.1)
    assert.strictEqual(reach.most(1), Infinity)
  })
})
