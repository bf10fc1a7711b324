import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { lagRow, memberRow, metricsRow } from "../src/internal/metricsRows.ts"

const number = fc.double()
const name = fc.string({ unit: "binary" })

describe("metricsRows", () => {
  it("whatever was measured is JSON that PostgreSQL takes", () => {
    const metrics = fc.record({
      service: name,
      topic: name,
      member: name,
      timestamp: fc.nat(),
      intervalMs: number,
      messagesProcessed: number,
      processingTimeMs: number,
      processingTimeP50Ms: number,
      processingTimeP95Ms: number,
      processingTimeP99Ms: number,
      messagesPerSecond: number,
      bytes: number,
      retries: number,
      failures: number,
      skipped: number,
      deadLetters: number,
      durations: fc.array(fc.tuple(number, number)),
      batches: number,
      fullBatches: number,
      partitions: number,
      busiestPartitionRecords: number,
      busiestKeyRecords: fc.option(number, { nil: undefined }),
      memoryUsageMb: number
    })
    fc.assert(fc.property(metrics, (measured) => {
      const json = JSON.stringify(metricsRow(measured))
      assert.notMatch(json, /\\u0000|\\ud[89a-f]/)
      assert.isNumber((JSON.parse(json) as { messages_processed: unknown }).messages_processed)
    }))
  })

  it("so is whatever a member says of itself", () => {
    const metrics = fc.record({
      service: name,
      group: name,
      member: name,
      timestamp: fc.nat(),
      intervalMs: number,
      partitions: number,
      pausedPartitions: number,
      queuedRecords: number,
      queuedBytes: number,
      inFlight: number,
      oldestInFlightMs: number,
      uncommittedRecords: number,
      commits: number,
      commitFailures: number,
      commitMeanMs: number,
      commitP99Ms: number,
      rebalances: number,
      lost: number,
      crashes: number,
      stalls: number,
      memoryUsageMb: number,
      heapUsedMb: number,
      eventLoopDelayMs: number,
      lateCompletions: number
    })
    fc.assert(fc.property(metrics, (measured) => {
      const row = memberRow(measured)
      assert.notMatch(JSON.stringify(row), /\\u0000|\\ud[89a-f]/)
      for (const value of Object.values(row)) assert.isFalse(typeof value === "number" && !Number.isFinite(value))
    }))
  })

  it("offsets beyond the safe integers keep every digit", () => {
    const row = lagRow({
      service: "s",
      group: "g",
      member: "m",
      topic: "t\u0000",
      partition: 3,
      lag: 1n,
      consumerOffset: 9223372036854775806n,
      endOffset: 9223372036854775807n,
      lagSeconds: Number.NaN,
      timestamp: 0
    })
    assert.strictEqual(row.end_offset, "9223372036854775807")
    assert.strictEqual(row.topic, "t")
    assert.strictEqual(row.lag_seconds, null)
  })
})
