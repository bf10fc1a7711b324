import { assert, describe, it } from "@effect/vitest"
import { judged } from "../src/contenders/weftHour.ts"

const task = { brokers: ["a:1"], topic: "t", group: "g", records: 1_000, bytes: 200, partitions: 4 }
const result = { records: 1_000, recordsPerSecond: 500 }
const mebibyte = 2 ** 20

describe("an hour of backlog", () => {
  it("is told in seconds and MiB, beside what is allowed", () => {
    const { figures } = judged(task, result, { above: 10 * mebibyte, queued: 8 * mebibyte })
    assert.strictEqual(figures["s to drain"], 2)
    assert.strictEqual(figures["MiB above idle"], 10)
    assert.strictEqual(figures["MiB queued"], 8)
    assert.closeTo(figures["MiB allowed"], 144, 1)
  })

  it("fails where more is in the queues, or in the process, than the formula allows", () => {
    assert.throws(() => judged(task, result, { above: 10 * mebibyte, queued: 13 * mebibyte }), /in the queues/)
    assert.throws(() => judged(task, result, { above: 145 * mebibyte, queued: 8 * mebibyte }), /above the idle process/)
  })
})
