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
  it("is that of the partitions while they are few: two answers' worth each, and one on its way", () => {
    assert.strictEqual(whole(aliveBytes(load())), 4 * 3)
    assert.strictEqual(whole(allowedBytes(load())), Math.round(1.3 * 12 + 128))
  })

  it("is that of all queues together when they are many, and then grows by what is in flight alone", () => {
    const many = load({ partitions: 64, bytes: 500 })
    assert.strictEqual(whole(aliveBytes(many)), 156)
    assert.strictEqual(whole(allowedBytes(many)), 331)
    const more = aliveBytes(load({ partitions: 1_064, bytes: 500 })) - aliveBytes(many)
    assert.strictEqual(more, 1_000 * 2 * 100 * (500 + 30))
  })

  it("counts an answer of each broker", () => {
    const settings = ConsumerSettings.make({ groupId: "memory" })
    const of = (brokers: number) => aliveBytes(load({ settings, partitions: 1_000, brokers }))
    assert.strictEqual(of(3) - of(1), 2 * settings.fetchMaxBytes)
  })
})
