import { assert, describe, it } from "@effect/vitest"
import { ConsumerEvent } from "../../src/ConsumerEvent.ts"
import { logLines } from "../../src/internal/logLines.ts"

const started = (partition: number, more: Partial<{ from: "committed" | "earliest"; settledBeyond: number }> = {}) =>
  ConsumerEvent.Started({
    topic: "orders",
    partition,
    offset: BigInt(partition * 10),
    from: "committed",
    settledBeyond: 0,
    ...more
  })

const reset = (partition: number, committed?: bigint) =>
  ConsumerEvent.OffsetReset({ topic: "orders", partition, committed, beginning: 0n, end: 9n, policy: "earliest" })

describe("log lines", () => {
  it("are one for partitions that begin alike", () => {
    const lines = logLines([reset(0), reset(1), started(0), started(1), started(2)])
    assert.deepStrictEqual(lines, [
      {
        level: "Info",
        message: "the group has no committed offset of 2 partitions: orders-0, orders-1; auto_offset_reset is earliest",
        annotations: { event: "OffsetReset" }
      },
      {
        level: "Info",
        message: "reading 3 partitions (committed): orders-0@0, orders-1@10, orders-2@20",
        annotations: { event: "Started" }
      }
    ])
  })

  it("are one each for what has something of its own to say, in the order in which it happened", () => {
    const events = [
      started(0),
      started(1, { from: "earliest" }),
      started(2, { settledBeyond: 3 }),
      reset(3, 100n),
      reset(4, 100n),
      ConsumerEvent.Left({ memberId: "one", reason: "shutdown" }),
      started(5)
    ]
    const lines = logLines(events)
    assert.lengthOf(lines, events.length)
    assert.deepStrictEqual(lines[2], {
      level: "Info",
      message: "reading from offset 20 (committed), 3 ranges beyond it are settled already",
      annotations: { event: "Started", topic: "orders", partition: 2, offset: "20" }
    })
    assert.deepStrictEqual([lines[3]!.level, lines[5]!.annotations], ["Warn", { event: "Left" }])
  })
})
