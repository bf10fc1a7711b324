import { assert, describe, it } from "@effect/vitest"
import { AnswerSize } from "../../src/internal/answerSize.ts"

const mebibyte = 1024 * 1024
const asked = (size: AnswerSize) => size.within(Infinity, 0) / mebibyte

const after = (size: AnswerSize, answers: ReadonlyArray<readonly [mebibytes: number, ms: number]>) =>
  answers.map(([bytes, ms]) => {
    size.answered(bytes * mebibyte, ms)
    return asked(size)
  })

describe("the size of an answer", () => {
  it("is 8 MiB, no more than is allowed, and no less than is of use, whatever was allowed", () => {
    const size = new AnswerSize()
    assert.strictEqual(size.within(50 * mebibyte, 0), 8 * mebibyte)
    assert.strictEqual(size.within(mebibyte, 0), mebibyte)
    assert.strictEqual(size.within(50 * mebibyte, 20 * mebibyte), 20 * mebibyte)
    assert.strictEqual(size.within(mebibyte, 20 * mebibyte), mebibyte)
  })

  it("grows where the way is long, as more then comes in the same time, and falls back when it no longer is", () => {
    const size = new AnswerSize()
    assert.deepStrictEqual(after(size, [[8, 150], [15, 160], [31, 60], [31, 10], [15, 10], [8, 10]]), [
      16,
      32,
      32,
      16,
      8,
      8
    ])
  })

  it("does not grow where twice as much takes twice as long, and tries again only later", () => {
    const size = new AnswerSize()
    assert.deepStrictEqual(after(size, [[8, 150], [16, 300], [8, 150]]), [16, 8, 8])
    const later = after(size, Array.from({ length: 300 }, () => [8, 150] as const))
    assert.isAbove(later.indexOf(16), 200)
  })

  it("learns nothing from an answer that waited for records", () => {
    const size = new AnswerSize()
    assert.deepStrictEqual(after(size, [[0, 500], [3, 500]]), [8, 8])
  })
})
