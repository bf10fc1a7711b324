import { assert, describe, it } from "@effect/vitest"
import { AnswerSize } from "../../src/internal/answerSize.ts"

const mebibyte = 1024 * 1024
const asked = (size: AnswerSize) => size.within(Infinity, 0) / mebibyte

describe("the size of an answer", () => {
  it("is 8 MiB, no more than is allowed, and no less than is of use, whatever was allowed", () => {
    const size = new AnswerSize()
    assert.strictEqual(size.within(50 * mebibyte, 0), 8 * mebibyte)
    assert.strictEqual(size.within(mebibyte, 0), mebibyte)
    assert.strictEqual(size.within(50 * mebibyte, 20 * mebibyte), 20 * mebibyte)
    assert.strictEqual(size.within(mebibyte, 20 * mebibyte), mebibyte)
  })

  it("grows while full answers are slow, and falls back when they no longer are", () => {
    const size = new AnswerSize()
    const answers = [[8, 150], [15, 150], [31, 60], [31, 10], [15, 10], [8, 10]] as const
    const sizes = answers.map(([bytes, ms]) => {
      size.answered(bytes * mebibyte, ms)
      return asked(size)
    })
    assert.deepStrictEqual(sizes, [16, 32, 32, 16, 8, 8])
  })

  it("learns nothing from an answer that waited for records", () => {
    const size = new AnswerSize()
    size.answered(0, 500)
    size.answered(3 * mebibyte, 500)
    assert.strictEqual(asked(size), 8)
  })
})
