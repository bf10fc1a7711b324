import { assert, describe, it } from "@effect/vitest"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { aliveBytes, allowedBytes, type Load, mebibyte } from "../memoryFormula.ts"

const load = (change: Partial<Load> = {}): Load => ({
  settings: ConsumerSettings.make({ groupId: "memory" }),
  partitions: 4,
  brokers: 1,
  bytes: 200,
  ...change
})

const whole = (bytes: number) => Math.round(bytes / mebibyte)

describe("the memory formula", () => {
  it("is that of the partitions while they are few: a queue, one answer on its way, and one that records in flight keep", () => {
    // The positions of the records are an eighth of them.
    assert.strictEqual(aliveBytes(load({ bytes: 184 })), 4 * ((2 + 2 * 9 / 8) * mebibyte + 2 * 100 * (184 + 30 + 24)))
    assert.strictEqual(whole(aliveBytes(load())), 17)
    assert.strictEqual(whole(allowedBytes(load())), 150)
  })

  it("is that of all queues together when they are many, and then grows by what is in flight alone", () => {
    const many = load({ partitions: 64, bytes: 500 })
    assert.strictEqual(whole(aliveBytes(many)), 226)
    assert.strictEqual(whole(allowedBytes(many)), 422)
    const more = (aliveBytes(load({ partitions: 1_064, bytes: 500 })) - aliveBytes(many)) / 1_000
    assert.closeTo(more, 2 * 100 * (500 + 54) + mebibyte * (1 + 24 / 508), 1)
  })

  it("counts an answer of each broker", () => {
    const settings = ConsumerSettings.make({ groupId: "memory" })
    const of = (brokers: number) => aliveBytes(load({ settings, partitions: 1_000, brokers, bytes: 184 }))
    assert.strictEqual(of(3) - of(1), 2 * settings.fetchMaxBytes * 9 / 8)
  })
})
