import { assert, describe, it } from "@effect/vitest"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { aliveBytes, allowedBytes } from "../../scripts/memoryFormula.ts"
import { judged } from "../src/contenders/weftHour.ts"

const task = { brokers: ["a:1"], topic: "t", group: "g", records: 1_000, bytes: 200, partitions: 4 }
const result = { records: 1_000, recordsPerSecond: 500 }
const load = { settings: ConsumerSettings.make({ groupId: "g" }), brokers: 1, bytes: 200, partitions: 4 }
const [alive, allowed] = [aliveBytes(load), allowedBytes(load)]

describe("an hour of backlog", () => {
  it("is told in seconds and MiB, beside what is allowed", () => {
    const { figures } = judged(task, result, { above: 10 * 2 ** 20, queued: 8 * 2 ** 20 })
    assert.strictEqual(figures["s to drain"], 2)
    assert.strictEqual(figures["MiB above idle"], 10)
    assert.strictEqual(figures["MiB queued"], 8)
    assert.strictEqual(figures["MiB allowed"], allowed / 2 ** 20)
  })

  it("fails where more is in the queues, or in the process, than the formula allows", () => {
    assert.throws(() => judged(task, result, { above: allowed, queued: alive + 1 }), /in the queues/)
    assert.throws(() => judged(task, result, { above: allowed + 1, queued: alive }), /above the idle process/)
  })
})
